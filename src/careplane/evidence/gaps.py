"""Gaps between groups of patients, of the rows of any measure: differences with an interval, and the ratio of parity.

The measures ``effect_gap`` and ``interpreter_parity`` say what the numbers mean. Where the rows of a group come from
two clusters or more, its variance is that of the totals of clusters, because patients of one clinic are alike. The
interval of a gap takes the groups as independent; groups of one clinic are alike too, so it is rather too wide than too
narrow.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc, ndtri

from careplane.errors import InputError, Refused
from careplane.evidence.equity import withheld
from careplane.evidence.patients import UNKNOWN
from careplane.evidence.rows import Rows

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Gap:
    """A group beside the reference group. ``n`` and the numbers are ``None`` when the group is withheld; the interval
    keeps its level over all groups of the dimension."""

    group: str
    n: int | None
    figure: float | None = None
    gap: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    withheld: str = ""


@dataclass(frozen=True, slots=True)
class Gaps:
    """The groups of a dimension: the ``reference`` (the largest shown group) and the others. ``worst`` is the group
    whose interval reaches farthest from 0, and ``bound`` how far; empty and ``None`` with nothing to compare."""

    dimension: str
    reference: str
    groups: tuple[Gap, ...]
    worst: str = ""
    bound: float | None = None


@dataclass(frozen=True, slots=True)
class Parity:
    """A ratio of shares, ``n`` of both sides. The interval is Katz's, on the log scale."""

    ratio: float
    ci_low: float
    ci_high: float
    n_other: int
    n_english: int
    share_other: float
    share_english: float


def group_gaps(rows: Rows, dimension: str, group_of: Mapping[str, str], small: int = 11, alpha: float = 0.05) -> Gaps:
    """The figure of each group minus that of the largest one.

    Args:
        rows: of one measure; those without a value or a patient are left out.
        dimension: its name, for the record.
        group_of: the group of each patient; a patient who is not there is ``not recorded``, a group of its own.
        small: groups with fewer rows are withheld, and further ones so that none can be derived from a total.
        alpha: one minus the level that the intervals of all groups keep together (Bonferroni).

    Raises:
        Refused: no group is large enough to show.
    """
    keep = ~np.isnan(rows.value) & (rows.patient != "") & (rows.weight > 0)
    group = np.array([group_of.get(patient, UNKNOWN) for patient in rows.patient[keep]], dtype=object)
    value, weight, cluster = rows.value[keep], rows.weight[keep], rows.cluster[keep]
    masks = {str(name): group == name for name in sorted(set(group))}
    sizes = {name: (int(mask.sum()), int(mask.sum())) for name, mask in masks.items()}
    hidden = withheld(sizes, small)
    shown = sorted((name for name in masks if name not in hidden), key=lambda name: (-sizes[name][0], name))
    if not shown:
        raise Refused(
            [f"No group of {dimension} has {small} rows."], "Wait for more data, or look at another dimension."
        )
    figures = {name: _figure(value[masks[name]], weight[masks[name]], cluster[masks[name]]) for name in shown}
    reference, others = shown[0], shown[1:]
    z = float(-ndtri(alpha / 2 / max(1, len(others))))
    told = [Gap(reference, sizes[reference][0], figures[reference][0])]
    for name in others:
        gap = figures[name][0] - figures[reference][0]
        half = z * float(np.hypot(figures[name][1], figures[reference][1]))
        told.append(Gap(name, sizes[name][0], figures[name][0], gap, gap - half, gap + half))
    told += [Gap(name, None, withheld=why) for name, why in sorted(hidden.items())]
    reach = {
        one.group: max(abs(one.ci_low), abs(one.ci_high))
        for one in told
        if one.ci_low is not None and one.ci_high is not None
    }
    worst = max(reach, key=lambda name: (reach[name], name), default="")
    return Gaps(dimension, reference, tuple(told), worst, reach.get(worst))


def interaction(effects: Mapping[str, tuple[float, float]]) -> tuple[float, float]:
    """Whether effects differ between groups: Cochran's Q (Biometrics 10:101, 1954) and its p-value.

    Args:
        effects: effect and standard error of each group; at least two, errors above 0.

    Raises:
        InputError: fewer than two effects, or an error that is not above 0.
    """
    if len(effects) < 2 or any(not error > 0 for _, error in effects.values()):
        raise InputError("needs two effects or more with standard errors above 0", field="effects")
    effect, error = np.array(list(effects.values())).T
    weight = 1 / error**2
    q = float((weight * (effect - (weight @ effect) / weight.sum()) ** 2).sum())
    return q, float(chdtrc(len(effects) - 1, q))


def parity(rows: Rows, language_of: Mapping[str, str], small: int = 11, alpha: float = 0.05) -> Parity:
    """The share among patients who prefer another language over the share among those who prefer English.

    Args:
        rows: of a measure whose values are 0 or 1.
        language_of: the language of each patient (``en``); patients who are not there do not count.
        small: the least rows of each side.
        alpha: one minus the level of the interval.

    Raises:
        InputError: a value that is neither 0 nor 1.
        Refused: a side with fewer rows than ``small``, or with no 1 at all, for which there is no ratio.
    """
    known = ~np.isnan(rows.value) & np.array([patient in language_of for patient in rows.patient], dtype=bool)
    value = rows.value[known]
    if not np.isin(value, (0.0, 1.0)).all():
        raise InputError("must be 0 or 1 in every row", field="value")
    english = np.array([language_of[patient] == "en" for patient in rows.patient[known]], dtype=bool)
    n = [int((~english).sum()), int(english.sum())]
    if min(n) < small:
        raise Refused([f"A side has fewer than {small} rows, so no ratio is shown."], "Wait for more data.")
    hits = [float(value[~english].sum()), float(value[english].sum())]
    if min(hits) == 0:
        raise Refused(
            ["A side has no row that counts, so there is no ratio."], "Show the two shares with their intervals."
        )
    share = [hit / size for hit, size in zip(hits, n, strict=True)]
    ratio = share[0] / share[1]
    error = float(np.sqrt(sum(1 / hit - 1 / size for hit, size in zip(hits, n, strict=True))))
    factor = float(np.exp(-ndtri(alpha / 2) * error))
    return Parity(ratio, ratio / factor, ratio * factor, n[0], n[1], share[0], share[1])


def _figure(value: Floats, weight: Floats, cluster: NDArray[np.object_]) -> tuple[float, float]:
    """The weighted mean of a group and its standard error, linearised, by cluster where there are two or more."""
    mean = float(weight @ value / weight.sum())
    residual = weight * (value - mean)
    names, code = np.unique(cluster.astype(str), return_inverse=True)
    units = np.bincount(code, weights=residual) if len(names) > 1 else residual
    count = len(units)
    return mean, float(np.sqrt(count / (count - 1) * (units @ units)) / weight.sum()) if count > 1 else float("inf")
