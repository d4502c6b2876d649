"""The figure of a measure over some rows: what it is, how much is missing, and of which units, small cells withheld."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from careplane.evidence.rows import Rows
from careplane.records import Record
from careplane.records.evidence import MeasureInfo

Mask = NDArray[np.bool_]


class UnitFigure(Record, frozen=True):
    """The figure of one unit; withheld, with its size, when it or what could be derived from it is too small."""

    unit: str
    n: int | None
    figure: float | None
    withheld: str = ""


class Figures(Record, frozen=True):
    """A measure over a time: ``rows`` eligible, ``n`` of them with a value, and their weighted mean.

    ``response_rate`` is that of a survey: answers over people who were asked. Everything is ``None`` where fewer than
    the small cell have a value; ``withheld`` says so.
    """

    measure: str
    unit: str
    rows: int | None
    n: int | None
    figure: float | None
    missing: int | None
    response_rate: float | None
    units: tuple[UnitFigure, ...]
    withheld: str = ""


def figures(info: MeasureInfo, rows: Rows, inside: Mask, small_cell: int) -> Figures:
    """The figure of the rows ``inside`` a time, and that of each unit.

    Args:
        info: the measure.
        rows: its rows.
        inside: which of them count.
        small_cell: fewest rows with a value that may be shown; never less than the measure's own.
    """
    small = max(small_cell, info.small_cell)
    known = inside & ~np.isnan(rows.value)
    total, n = int(inside.sum()), int(known.sum())
    if 0 < n < small:
        return _nothing(info, too_few(small))
    units = _units(rows, known, small) if n else ()
    return Figures(
        measure=info.id,
        unit=info.unit,
        rows=total,
        n=n,
        figure=weighted_mean(rows, known),
        missing=total - n,
        response_rate=n / total if info.survey and total else None,
        units=units,
    )


def too_few(small: int) -> str:
    """Why a figure is withheld."""
    return f"fewer than {small} rows have a value"


def weighted_mean(rows: Rows, of: Mask) -> float | None:
    """Sum of weight times value over the sum of weights; ``None`` of nothing."""
    weight = rows.weight[of]
    return float(weight @ rows.value[of] / weight.sum()) if weight.sum() > 0 else None


def _nothing(info: MeasureInfo, why: str) -> Figures:
    empty = {"rows": None, "n": None, "figure": None, "missing": None, "response_rate": None}
    return Figures(measure=info.id, unit=info.unit, units=(), withheld=why, **empty)


def _units(rows: Rows, known: Mask, small: int) -> tuple[UnitFigure, ...]:
    cluster = rows.cluster[known].astype(str)
    names, sizes = np.unique(cluster, return_counts=True)
    sized = dict(zip(names.tolist(), sizes.tolist(), strict=True))
    hidden = withheld(list(sized.items()), small)
    found = []
    for name, size in sized.items():
        if name in hidden:
            found.append(UnitFigure(unit=name or "not recorded", n=None, figure=None, withheld=hidden[name]))
            continue
        figure = weighted_mean(rows, known & (rows.cluster == name))
        found.append(UnitFigure(unit=name or "not recorded", n=size, figure=figure))
    return tuple(found)


def withheld(sizes: Sequence[tuple[str, int]], small: int) -> dict[str, str]:
    """Why which units are withheld: too small; or the next smallest, until two are and together they are not small."""
    order = sorted(sizes, key=lambda one: (one[1], one[0]))
    hidden = {name: f"fewer than {small} rows" for name, size in order if size < small}
    if not hidden:
        return {}
    size_of = dict(sizes)
    for name, _ in order:
        if len(hidden) > 1 and sum(size_of[one] for one in hidden) >= small:
            break
        hidden.setdefault(name, "withheld beside a smaller unit")
    return hidden
