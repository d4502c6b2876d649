"""The rows of one measure as its plan sees them: who had what arm when, and which rows are left out and why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf

import numpy as np
from numpy.typing import NDArray

from careplane.estimators import ClusterData, Floats, Ints
from careplane.evidence.rows import Rows, Texts
from careplane.evidence.windows import epoch
from careplane.records.evidence import Assignment, Plan

Mask = NDArray[np.bool_]
DAY = 86400


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """Eligible rows of the units of a plan, from the first day of the baseline to the end, also those without value.

    Attributes:
        plan: the plan.
        units: what has an arm, by name; ``strata``, ``ever`` (1: has the intervention at some time) and ``starts``
            (epoch seconds of the first exposure, infinite for never) are of each.
        key: of each row; ``patient``, ``clinician``, ``place`` (the unit of the event), ``at``, ``value`` and
            ``weight`` as in :class:`~careplane.evidence.rows.Rows`.
        unit: the place of the row's unit in ``units``.
        treated: 1 where the unit had the intervention when the event came.
        pilot: rows from the start of the plan on.
        baseline: the mean of each unit before the start; a unit without rows there gets the mean of the others.
        left_out: rows that no analysis uses, by reason.
    """

    plan: Plan
    units: tuple[str, ...]
    strata: Ints
    ever: Ints
    starts: Floats
    key: Texts
    patient: Texts
    clinician: Texts
    place: Texts
    at: Ints
    value: Floats
    weight: Floats
    unit: Ints
    treated: Ints
    pilot: Mask
    baseline: Floats
    left_out: Mapping[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.key)

    @property
    def measured(self) -> Mask:
        """Rows that have a value."""
        return ~np.isnan(self.value)

    @property
    def usable(self) -> Mask:
        """Rows of the pilot that have a value."""
        return self.measured & self.pilot

    def arm(self, treated: int) -> Mask:
        """Rows of the pilot in an arm."""
        return np.equal(self.treated, treated) & self.pilot

    def exposed(self, treated: int) -> Mask:
        """Rows, before the start too, with the intervention or without."""
        return np.equal(self.treated, treated)

    def of(self, rows: Mask) -> "Trial":
        """Some of the rows; the units stay."""
        columns = ("key", "patient", "clinician", "place", "at", "value", "weight", "unit", "treated", "pilot")
        return replace(self, **{name: getattr(self, name)[rows] for name in columns})

    def data(self, rows: Mask | None = None) -> ClusterData:
        """What an estimator of randomised clusters takes: the measured rows of the pilot (or some of them)."""
        keep = self.usable if rows is None else rows & self.usable
        unit = self.unit[keep]
        baseline = self.baseline if self.plan.adjust == "baseline" else np.zeros(len(self.units))
        return ClusterData(
            y=self.value[keep],
            cluster=unit,
            treated=self.treated[keep],
            baseline=baseline[unit],
            strata=self.strata[unit],
            alpha=self.plan.alpha,
            seed=self.plan.seed,
        )

    def within_variance(self) -> float:
        """The part of the variance of the effect that more rows per unit would shrink."""
        value, unit, treated = (column[self.usable] for column in (self.value, self.unit, self.treated))
        if not len(value):
            return 0.0
        codes, size = np.unique(unit, return_counts=True)
        means = np.bincount(unit, weights=value)[codes] / size
        residual = value - means[np.searchsorted(codes, unit)]
        pooled = float(residual @ residual) / max(1, len(value) - len(codes))
        arms = [int((treated == arm).sum()) for arm in (0, 1)]
        return sum(pooled / size for size in arms if size)


def trial_of(plan: Plan, assigned: Sequence[Assignment], rows: Rows) -> Trial:
    """Cut the windows of the plan out of the rows of a measure. What is left out is counted with the reason."""
    units = tuple(one.unit for one in assigned)
    place = _places(units)
    subject = {"patient": rows.patient, "clinician": rows.clinician}.get(plan.unit, rows.cluster)
    code = np.array([place.get(str(unit), -1) for unit in subject], dtype=np.int64)
    within = (rows.at >= epoch(plan, plan.baseline_start)) & (rows.at < epoch(plan, plan.end))
    washed = _washed_out(plan, rows.at)
    weightless = within & (code >= 0) & ~np.isnan(rows.value) & ~(rows.weight > 0)
    keep = within & (code >= 0) & ~washed & ~weightless
    left_out = {
        f"of a {plan.unit} without an arm in the plan": int((within & (code < 0)).sum()),
        "in the first days after a switch": int((within & (code >= 0) & washed).sum()),
        "with a denominator or weight of zero": int(weightless.sum()),
    }
    levels = sorted({one.stratum for one in assigned})
    starts = np.array([_start(plan, one) for one in assigned], dtype=np.float64)
    at, unit = rows.at[keep], code[keep]
    pilot = at >= epoch(plan, plan.start)
    return Trial(
        plan=plan,
        units=units,
        strata=np.array([levels.index(one.stratum) for one in assigned], dtype=np.int64),
        ever=np.array([np.isfinite(start) for start in starts], dtype=np.int64),
        starts=starts,
        key=rows.key[keep],
        patient=rows.patient[keep],
        clinician=rows.clinician[keep],
        place=rows.cluster[keep],
        at=at,
        value=rows.value[keep],
        weight=rows.weight[keep],
        unit=unit,
        treated=_treated(plan, assigned, starts, unit, at),
        pilot=pilot,
        baseline=_baseline(rows.value[keep], rows.weight[keep], unit, ~pilot, len(units)),
        left_out={reason: count for reason, count in left_out.items() if count},
    )


def _baseline(value: Floats, weight: Floats, unit: Ints, before: Mask, units: int) -> Floats:
    """The mean of each unit over its measured rows before the start, (units,)."""
    keep = before & ~np.isnan(value)
    weights = np.bincount(unit[keep], weights=weight[keep], minlength=units)
    sums = np.bincount(unit[keep], weights=value[keep] * weight[keep], minlength=units)
    known = weights > 0
    means = np.where(known, sums / np.where(known, weights, 1.0), 0.0)
    means[~known] = means[known].mean() if known.any() else 0.0
    return means


def _places(units: Sequence[str]) -> Mapping[str, int]:
    """The place of each unit, under its reference and under its bare id."""
    bare = {unit.rpartition("/")[2]: at for at, unit in enumerate(units)}
    return bare | {unit: at for at, unit in enumerate(units)}


def _start(plan: Plan, one: Assignment) -> float:
    """When a unit has the intervention first, epoch seconds; infinite for never, or not before the end."""
    if one.sequence:
        return float(epoch(plan, plan.start)) if "intervention" in one.sequence else inf
    first = one.starts if one.starts is not None else plan.start if one.arm == "intervention" else None
    return inf if first is None or first >= plan.end else float(epoch(plan, first))


def _treated(plan: Plan, assigned: Sequence[Assignment], starts: Floats, unit: Ints, at: Ints) -> Ints:
    if plan.switching is None:
        return (at >= starts[unit]).astype(np.int64)
    period = (at - epoch(plan, plan.start)) // (DAY * plan.switching.period_days)
    longest = max((len(one.sequence) for one in assigned), default=0)
    table = np.zeros((len(assigned), max(1, longest)), dtype=np.int64)
    for row, one in enumerate(assigned):
        table[row, : len(one.sequence)] = [arm == "intervention" for arm in one.sequence]
    inside = (period >= 0) & (period < table.shape[1])
    return np.where(inside, table[unit, np.clip(period, 0, table.shape[1] - 1)], 0).astype(np.int64)


def _washed_out(plan: Plan, at: Ints) -> Mask:
    """Rows in the first days of a period of a switchback, in which the one before carries over."""
    if plan.switching is None or not plan.switching.washout_days:
        return np.zeros(len(at), dtype=np.bool_)
    since = at - epoch(plan, plan.start)
    into = since % (DAY * plan.switching.period_days)
    return (since >= 0) & (into < DAY * plan.switching.washout_days)
