"""The effect in each group of patients, with small groups withheld so that they cannot be derived either."""

from collections.abc import Mapping

import numpy as np
from msgspec.structs import replace

from careplane.errors import InputError, Refused
from careplane.estimators import ClusterData, Estimator
from careplane.evidence.patients import UNKNOWN
from careplane.evidence.trial import Mask, Trial
from careplane.records.evidence import EquityRow, Plan

Sizes = Mapping[str, tuple[int, int]]


def equity_rows(
    plan: Plan, measure: str, dimension: str, group_of: Mapping[str, str], trial: Trial, estimator: Estimator
) -> tuple[EquityRow, ...]:
    """One row per group of a dimension, the largest first."""
    group = np.array([group_of.get(patient, UNKNOWN) for patient in trial.patient], dtype=object)
    masks: dict[str, Mask] = {str(name): (group == name) & trial.measured for name in np.unique(group)}
    sizes = {name: (int((mask & trial.arm(0)).sum()), int((mask & trial.arm(1)).sum())) for name, mask in masks.items()}
    hidden = withheld(sizes, plan.small_cell)
    rows = []
    for name in sorted(masks, key=lambda name: (-sum(sizes[name]), name)):
        empty = EquityRow(
            plan=plan.id,
            measure=measure,
            dimension=dimension,
            group=name,
            n=None,
            estimate=None,
            ci_low=None,
            ci_high=None,
            withheld=hidden.get(name, ""),
        )
        rows.append(empty if name in hidden else _filled(empty, trial.data(plan, masks[name]), estimator))
    return tuple(rows)


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


def _filled(row: EquityRow, data: ClusterData, estimator: Estimator) -> EquityRow:
    try:
        found = estimator(data)
    except (Refused, InputError):
        return replace(row, n=len(data.y), withheld="too few clusters for an interval")
    return replace(row, n=found.n, estimate=found.estimate, ci_low=found.ci_low, ci_high=found.ci_high)
