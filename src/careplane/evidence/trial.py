"""The trial data of one measure: pilot rows by arm with the baseline of their cluster, and what is missing."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from careplane.estimators import ClusterData, Floats, Ints
from careplane.evidence.rows import Rows, Texts
from careplane.evidence.windows import epoch
from careplane.records.evidence import Assignment, Plan

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """Eligible rows of the pilot window, also those without a value.

    ``cluster`` is the place of the row's cluster in the plan; ``baseline`` the baseline mean of that cluster.
    """

    patient: Texts
    at: Ints
    value: Floats
    cluster: Ints
    treated: Ints
    baseline: Floats
    strata: Ints

    @property
    def measured(self) -> Mask:
        """Rows that have a value."""
        return ~np.isnan(self.value)

    def arm(self, treated: int) -> Mask:
        """Rows of an arm."""
        return np.equal(self.treated, treated)

    def data(self, plan: Plan, rows: Mask) -> ClusterData:
        """What an estimator takes: some of the measured rows."""
        keep = rows & self.measured
        return ClusterData(
            y=self.value[keep],
            cluster=self.cluster[keep],
            treated=self.treated[keep],
            baseline=self.baseline[keep],
            strata=self.strata[keep],
            alpha=plan.alpha,
            seed=plan.seed,
        )

    def within_variance(self) -> float:
        """The part of the variance of the effect that more rows per cluster would shrink."""
        value, cluster, treated = (a[self.measured] for a in (self.value, self.cluster, self.treated))
        codes, first, size = np.unique(cluster, return_index=True, return_counts=True)
        means = np.bincount(cluster, weights=value)[codes] / size
        residual = value - means[np.searchsorted(codes, cluster)]
        pooled = float(residual @ residual) / max(1, len(value) - len(codes))
        arms = [size[treated[first] == arm] for arm in (0, 1)]
        return float(sum(pooled / sizes.sum() for sizes in arms if len(sizes)))


def trial_of(plan: Plan, assigned: tuple[Assignment, ...], rows: Rows) -> Trial:
    """Cut the windows of the plan out of the rows of a measure. Rows of clusters outside the plan are left out."""
    place = {unit: code for code, unit in enumerate(plan.clusters)}
    code = np.array([place.get(unit, -1) for unit in rows.cluster], dtype=np.int64)
    baseline = _baseline(plan, code, rows)
    pilot = (code >= 0) & _between(rows.at, plan, plan.start, plan.end)
    cluster = code[pilot]
    arms: Mapping[str, Assignment] = {one.unit: one for one in assigned}
    levels = sorted(set(plan.strata.values()))
    treated = np.array([arms[unit].arm == "intervention" for unit in plan.clusters], dtype=np.int64)
    strata = np.array([levels.index(plan.strata[unit]) for unit in plan.clusters], dtype=np.int64)
    return Trial(
        patient=rows.patient[pilot],
        at=rows.at[pilot],
        value=rows.value[pilot],
        cluster=cluster,
        treated=treated[cluster],
        baseline=baseline[cluster],
        strata=strata[cluster],
    )


def _baseline(plan: Plan, code: Ints, rows: Rows) -> Floats:
    """Mean of each cluster before the start; a cluster without baseline rows gets the mean of the others."""
    before = (code >= 0) & _between(rows.at, plan, plan.baseline_start, plan.start) & ~np.isnan(rows.value)
    sizes = np.bincount(code[before], minlength=len(plan.clusters))
    sums = np.bincount(code[before], weights=rows.value[before], minlength=len(plan.clusters))
    means = sums / np.maximum(sizes, 1)
    known = sizes > 0
    means[~known] = means[known].mean() if known.any() else 0.0
    return means


def _between(at: Ints, plan: Plan, first: date, end: date) -> Mask:
    """From the first day up to, not including, the end."""
    return (at >= epoch(plan, first)) & (at < epoch(plan, end))
