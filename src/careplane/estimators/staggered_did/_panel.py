"""Rows of units and periods as a panel with a cohort for each unit: who is treated first when."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

import numpy as np

from careplane.errors import InputError, Refused
from careplane.estimators import Floats, Ints
from careplane.estimators._frame import Frame, duplicated, varies
from careplane.estimators._linear import design, finite
from careplane.estimators._spec import Spec


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """One row for each unit and period, sorted by unit, then time.

    Attributes:
        y: outcome, (n,).
        unit: code of each row's unit, (n,); ``units`` are their names.
        time: period of each row, (n,), as given.
        first: period in which the row's unit is treated first, infinite for never, (n,).
        cluster: code of the cluster that errors may be shared in, (n,); the unit's if none was named.
        x: covariates, (n, p), without an intercept.
        frame: the rows, for other columns and for what was left out.
    """

    y: Floats
    unit: Ints
    units: tuple[str, ...]
    time: Floats
    first: Floats
    cluster: Ints
    x: Floats
    frame: Frame

    @property
    def treated(self) -> Floats:
        """1 from the first treated period on, (n,)."""
        return (self.time >= self.first).astype(np.float64)

    @property
    def balanced(self) -> bool:
        """Whether each unit has a row in each period."""
        return len(self.y) == len(self.units) * len(np.unique(self.time))


def read_panel(frame: Frame, spec: Spec, more: Sequence[str] = (), *, keep_always: bool = False) -> Panel:
    """The panel. Units that are treated in every period tell nothing of an effect and are left out and counted, unless
    ``keep_always``.

    Raises:
        InputError: a column does not fit, a unit has two rows in a period or changes its cohort; names the line.
        Refused: nobody is treated, or nobody is not.
    """
    named = [spec["outcome"], spec["unit"], spec["time"], *spec["covariates"], *more]
    if "cluster" in spec:
        named.append(spec["cluster"])
    used = frame.complete(named)
    duplicated(used, spec["unit"], spec["time"])
    first = _cohort(used, spec["first_treated"])
    time = finite(used, spec["time"])
    _constant(used, spec, first)
    always = first <= time.min()
    if not keep_always and always.any():
        used = used.where(~always, "the unit is treated in every period")
        first, time = first[~always], time[~always]
    _both(spec, first, time)
    varies(used.numbers(spec["outcome"]), spec["outcome"])
    order = np.lexsort((time, used.labels(spec["unit"])[0]))
    used = Frame({name: column[order] for name, column in used.columns.items()}, used.line[order], used.left_out)
    unit, units = used.labels(spec["unit"])
    return Panel(
        y=finite(used, spec["outcome"]),
        unit=unit,
        units=units,
        time=time[order],
        first=first[order],
        cluster=used.labels(spec["cluster"])[0] if "cluster" in spec else unit,
        x=design(used, spec["covariates"], intercept=False).x if spec["covariates"] else np.empty((len(used), 0)),
        frame=used,
    )


def _cohort(frame: Frame, name: str) -> Floats:
    """The first treated period of each row; 0 and empty mean never."""
    given = frame.numbers(name)
    return np.where(np.isnan(given) | (given == 0), inf, given)


def _constant(frame: Frame, spec: Spec, first: Floats) -> None:
    codes, names = frame.labels(spec["unit"])
    _, where = np.unique(codes, return_index=True)
    wrong = first != first[where][codes]
    if wrong.any():
        at = int(np.argmax(wrong))
        raise InputError(
            f"changes within unit {names[codes[at]]} (line {frame.line[at]}); a unit starts once and stays treated, "
            "so give its first treated period in each of its rows",
            field=spec["first_treated"],
        )


def _both(spec: Spec, first: Floats, time: Floats) -> None:
    if not len(time) or not (time >= first).any():
        raise Refused(
            ["No unit is treated within the periods of the data, having been untreated before."],
            f"Check {spec['first_treated']}: it holds the first treated period of a unit, 0 or nothing for never.",
        )
    if len(np.unique(first)) < 2:
        raise Refused(
            ["All units are treated first in the same period, so nobody shows what would have been."],
            "Add units that are treated later or never, or use its (an interrupted time series).",
        )


def need_balanced(panel: Panel, method: str) -> None:
    """Refuse a panel with holes.

    Raises:
        Refused: a unit has no row in some period; names the first.
    """
    if panel.balanced:
        return
    periods = np.unique(panel.time)
    counts = np.bincount(panel.unit)
    short = int(np.argmax(counts < len(periods)))
    raise Refused(
        [f"{method} needs each unit in each period; unit {panel.units[short]} has {counts[short]} of {len(periods)}."],
        "Complete the panel, or use imputation.",
    )
