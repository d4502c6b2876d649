"""The effect in each group of patients, how far it lies from that in the others, and the worst group; small groups are
withheld so that they cannot be derived either.

A group's own effect comes from the plan's method on its rows. The gap is the interaction of arm and group in a linear
model of cell means (unit and group), its variance CR2 over the units: the groups share clinics, so two separate
intervals would not tell.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from msgspec.structs import replace
from scipy.special import ndtri, stdtrit

from careplane.estimators import Floats
from careplane.estimators._frame import Column
from careplane.evidence import methods
from careplane.evidence.methods import Choice, Found
from careplane.evidence.patients import UNKNOWN
from careplane.evidence.study import Study, compared
from careplane.evidence.tables import steps
from careplane.evidence.trial import Mask, Trial
from careplane.evidence.verdict import margin_of, turned
from careplane.records.evidence import EquityRow, PlannedMeasure, WorstGroup

Sizes = Mapping[str, tuple[int, int]]
_NO_GROUPS = frozenset({"sdid", "synthetic_control"})
"""Designs of so few units that a group has no panel of its own."""
_GAPS = frozenset({"individually_randomised", "cluster_randomised", "stepped_wedge"})
"""Designs in which the interaction of arm and group is estimated."""


@dataclass(frozen=True, slots=True)
class Groups:
    """What one measure shows by one dimension."""

    rows: tuple[EquityRow, ...]
    worst: WorstGroup | None


def by_group(
    study: Study, measure: PlannedMeasure, dimension: str, group_of: Mapping[str, str], choice: Choice | None
) -> Groups:
    """One row per group of a dimension, the largest first, and the worst of those that are shown."""
    trial = study.trials[measure.id]
    group = np.array([group_of.get(patient, UNKNOWN) for patient in trial.patient], dtype=object)
    masks: dict[str, Mask] = {str(name): np.equal(group, name) for name in np.unique(group.astype(str))}
    shown = trial.measured
    arms = [shown & compared(trial, arm) for arm in (0, 1)]
    sizes = {name: (int((mask & arms[0]).sum()), int((mask & arms[1]).sum())) for name, mask in masks.items()}
    masks = {name: mask for name, mask in masks.items() if sum(sizes[name])}
    sizes = {name: sizes[name] for name in masks}
    hidden = withheld(sizes, study.plan.small_cell)
    rows, found = [], {}
    for name in sorted(masks, key=lambda name: (-sum(sizes[name]), name)):
        row = _empty(study, measure, dimension, name, hidden.get(name, ""))
        if name not in hidden:
            row, own = _filled(study, row, masks[name], sum(sizes[name]), choice)
            if own is not None:
                found[name] = own
            if own is not None and len(masks) > 1:
                row = _with_gap(study, row, masks[name])
        rows.append(row)
    return Groups(tuple(rows), _worst(study, measure, dimension, found))


def _empty(study: Study, measure: PlannedMeasure, dimension: str, group: str, why: str) -> EquityRow:
    return EquityRow(
        plan=study.plan.id,
        measure=measure.id,
        dimension=dimension,
        group=group,
        n=None,
        estimate=None,
        ci_low=None,
        ci_high=None,
        withheld=why,
    )


def withheld(sizes: Sizes, small: int) -> dict[str, str]:
    """Why which groups are withheld.

    A group with fewer than ``small`` rows in an arm is withheld; then further groups, the smallest first, until at
    least two are and together they have ``small`` rows in each arm, so that no difference from a total reveals one.

    Args:
        sizes: rows of each group by arm.
        small: the small cell.
    """
    order = sorted(sizes, key=lambda name: (min(sizes[name]), name))
    hidden = {name: f"fewer than {small} in an arm" for name in order if min(sizes[name]) < small}
    if not hidden:
        return {}
    for name in order:
        together = [sum(sizes[one][arm] for one in hidden) for arm in (0, 1)]
        if len(hidden) > 1 and min(together) >= small:
            break
        hidden.setdefault(name, "withheld so that a smaller group cannot be derived")
    return hidden


def _filled(study: Study, row: EquityRow, mask: Mask, n: int, choice: Choice | None) -> tuple[EquityRow, Found | None]:
    if choice is None or study.plan.design in _NO_GROUPS:
        return replace(row, n=n, withheld="not estimated by group in this design"), None
    try:
        found = methods.estimate(study.items, study.trials[row.measure].of(mask), choice)
    except methods.MISTAKES:
        return replace(row, n=n, withheld="too few clusters for an interval"), None
    return replace(row, n=n, estimate=found.estimate, ci_low=found.ci_low, ci_high=found.ci_high), found


def _with_gap(study: Study, row: EquityRow, mask: Mask) -> EquityRow:
    """The row with its gap to all others, where the design has one and the units bear it."""
    trial = study.trials[row.measure]
    if study.plan.design not in _GAPS:
        return row
    try:
        found = study.items["cluster_ols"].run(
            _cells(trial, mask),
            outcome="y",
            treatment="both",
            cluster="unit",
            covariates=["arm", "inside", *_more(trial)],
            weights="rows",
            alpha=trial.plan.alpha,
        )
    except methods.MISTAKES:
        return row
    return replace(row, gap=found.estimate, gap_low=found.ci_low, gap_high=found.ci_high, gap_p=found.p)


def _more(trial: Trial) -> list[str]:
    if trial.plan.design == "stepped_wedge":
        return ["period"]
    more = ["stratum"] if len(np.unique(trial.strata)) > 1 else []
    return [*more, "before"] if trial.plan.adjust == "baseline" and np.ptp(trial.baseline) > 0 else more


def _cells(trial: Trial, mask: Mask) -> dict[str, Column]:
    """Means of unit, arm, period and group, with the weight behind each: the coefficients are those of the rows."""
    wedge = trial.plan.design == "stepped_wedge"
    keep = trial.measured if wedge else trial.usable
    period = steps(trial)[0][keep] if wedge else np.zeros(int(keep.sum()), dtype=np.int64)
    inside = mask[keep].astype(np.int64)
    columns = np.column_stack([trial.unit[keep], trial.treated[keep], period, inside])
    cells, inverse = np.unique(columns, axis=0, return_inverse=True)
    inverse = inverse.ravel()
    weight: Floats = np.bincount(inverse, weights=trial.weight[keep]).astype(np.float64)
    arm, of_group, unit = (cells[:, at].astype(np.float64) for at in (1, 3, 0))
    return {
        "y": np.bincount(inverse, weights=trial.value[keep] * trial.weight[keep]) / weight,
        "arm": arm,
        "inside": of_group,
        "both": arm * of_group,
        "unit": unit,
        "period": np.array([f"p{one}" for one in cells[:, 2]], dtype=object),
        "stratum": np.array([f"s{one}" for one in trial.strata[cells[:, 0]]], dtype=object),
        "before": trial.baseline[cells[:, 0]],
        "rows": weight,
    }


def _worst(study: Study, measure: PlannedMeasure, dimension: str, found: Mapping[str, Found]) -> WorstGroup | None:
    """The group whose simultaneous interval reaches farthest to the bad side."""
    usual = study.trials[measure.id]
    rows = compared(usual, 0) & usual.measured
    better = turned(measure, float(usual.value[rows].mean()) if rows.any() else 0.0)
    ends = {name: _bad_end(one, better, study.plan.alpha, len(found)) for name, one in found.items() if one.se}
    if better is None or len(ends) < 2:
        return None
    name = min(ends, key=lambda one: ends[one])
    bound, margin = ends[name], margin_of(measure)
    harmed = any(_bad_end(one, better, study.plan.alpha, 1, near=True) < 0 for one in found.values() if one.se)
    shown = -bound if better == "lower" else bound
    worse = (
        f"could be worse by up to {-bound:.2f} {measure.unit}"
        if bound < 0
        else f"gains at least {bound:.2f} {measure.unit}"
    )
    ruled_out = bound > -margin
    text = (
        f"{dimension}: in the worst of {len(ends)} groups, {name}, it {worse} (all groups looked at together); "
        f"a worsening by {margin:g} {measure.unit} is {'ruled out in each' if ruled_out else 'not ruled out'}."
    )
    return WorstGroup(
        measure=measure.id, dimension=dimension, group=name, bound=shown, groups=len(ends),
        harmed=harmed, ruled_out=ruled_out, text=text,
    )  # fmt: skip


def _bad_end(found: Found, better: str | None, alpha: float, groups: int, *, near: bool = False) -> float:
    """The end of the interval on the bad side (or the good one), turned so that positive is good."""
    tail = 1 - alpha / (2 * max(1, groups))
    reach = float(ndtri(tail)) if found.df is None else float(stdtrit(found.df, tail))
    good = -found.estimate if better == "lower" else found.estimate
    return good + (1 if near else -1) * reach * (found.se or 0.0)
