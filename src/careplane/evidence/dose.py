"""The outcome by how much the app was used. Nobody drew who would use it: it stands beside the effect, never for it."""

from collections.abc import Sequence

import numpy as np

from careplane.estimators import Floats, Ints
from careplane.estimators._frame import Column
from careplane.evidence import methods
from careplane.evidence.study import Study
from careplane.evidence.trial import Mask, Trial
from careplane.evidence.uptake import of_rows
from careplane.records.evidence import DoseRow, Effect, PlannedMeasure

WARNING = "Who used it most was not drawn: those who did may differ in other ways, so this is no effect of use."
FEWEST_PEOPLE = 5
"""A band of fewer people is withheld: their outcomes would be theirs to see."""
BANDS: Sequence[tuple[str, float, float]] = (
    ("used in under 20 % of events", 0.0, 0.2),
    ("used in 20 to 50 %", 0.2, 0.5),
    ("used in 50 % or more", 0.5, 1.01),
)


def dose(study: Study, measure: PlannedMeasure, effect: Effect) -> tuple[DoseRow, ...]:
    """The bands of use against the control arm, the trend within the intervention arm, and the effect per draft used.

    Empty where the runs cannot be joined to the events of the measure, or the design has no control arm beside it.
    """
    trial = study.trials[measure.id]
    joined = of_rows(trial, study.uses)
    if joined is None or study.plan.design not in ("cluster_randomised", "individually_randomised"):
        return ()
    used = joined[1]
    person, share = _shares(trial, used)
    rows = [_band(study, measure, person, share, one) for one in BANDS]
    return (
        *(row for row in rows if row.people != 0),
        _trend(study, measure, person, share),
        _per_use(trial, used, effect),
    )


def _shares(trial: Trial, used: Ints) -> tuple[Ints, Floats]:
    """The clinician of each row (or its unit, where few rows name one) as a code, and that one's share of use."""
    named = float((trial.clinician != "").mean()) if len(trial) else 0.0
    who = trial.clinician if named >= 0.8 else trial.place
    code = np.unique(who.astype(str), return_inverse=True)[1].astype(np.int64)
    mine = trial.arm(1)
    most = int(code.max()) + 1 if len(code) else 1
    eligible = np.bincount(code[mine], minlength=most)
    signed = np.bincount(code[mine], weights=used[mine], minlength=most)
    return code, (signed / np.maximum(eligible, 1))[code]


def _band(
    study: Study, measure: PlannedMeasure, person: Ints, share: Floats, band: tuple[str, float, float]
) -> DoseRow:
    trial = study.trials[measure.id]
    title, low, high = band
    inside = trial.arm(1) & trial.measured & (share >= low) & (share < high)
    people = len(np.unique(person[inside]))
    shown = float(share[inside].mean()) if people else None
    row = DoseRow(measure.id, title, people, int(inside.sum()), shown, None, None, None)
    if 0 < people < FEWEST_PEOPLE or 0 < int(inside.sum()) < study.plan.small_cell:
        return DoseRow(measure.id, title, None, None, None, None, None, None, f"fewer than {FEWEST_PEOPLE} people")
    control = trial.arm(0) & trial.measured
    return _fitted(study, row, trial, inside | control, trial.treated.astype(np.float64))


def _trend(study: Study, measure: PlannedMeasure, person: Ints, share: Floats) -> DoseRow:
    """Within the intervention arm: the difference that goes with ten more points of use."""
    trial = study.trials[measure.id]
    rows = trial.usable & trial.arm(1)
    people = len(np.unique(person[rows]))
    row = DoseRow(
        measure.id, "each 10 points more use, within the arm", people, int(rows.sum()), None, None, None, None
    )
    return _fitted(study, row, trial, rows, share * 10)


def _per_use(trial: Trial, used: Ints, effect: Effect) -> DoseRow:
    """The effect over the share of use: that of a used draft, if drafts act through their use alone (Wald's ratio).

    The interval takes the share as known.
    """
    mine = trial.arm(1)
    share = float(used[mine].mean()) if mine.any() else 0.0
    title = "per draft used, if only use acts"
    if share <= 0:
        return DoseRow(effect.measure, title, None, int(mine.sum()), share, None, None, None, "nothing was used")
    ends = (effect.ci_low / share, effect.ci_high / share)
    return DoseRow(effect.measure, title, None, int(mine.sum()), share, effect.estimate / share, *ends)


def _fitted(study: Study, row: DoseRow, trial: Trial, rows: Mask, dose_of: Floats) -> DoseRow:
    try:
        found = study.items["cluster_ols"].run(
            _cells(trial, rows, dose_of),
            outcome="y",
            treatment="dose",
            cluster="unit",
            covariates=["before"] if np.ptp(trial.baseline) > 0 else [],
            weights="rows",
            alpha=trial.plan.alpha,
        )
    except methods.MISTAKES as error:
        return DoseRow(row.measure, row.band, row.people, row.n, row.share, None, None, None, methods.told(error))
    return DoseRow(row.measure, row.band, row.people, row.n, row.share, found.estimate, found.ci_low, found.ci_high)


def _cells(trial: Trial, rows: Mask, dose_of: Floats) -> dict[str, Column]:
    """Means of unit and dose, with the weight behind each."""
    levels, dose = np.unique(dose_of[rows], return_inverse=True)
    cells, inverse = np.unique(np.column_stack([trial.unit[rows], dose]), axis=0, return_inverse=True)
    inverse = inverse.ravel()
    weight = np.bincount(inverse, weights=trial.weight[rows])
    return {
        "y": np.bincount(inverse, weights=trial.value[rows] * trial.weight[rows]) / weight,
        "dose": levels[cells[:, 1]],
        "unit": cells[:, 0].astype(np.float64),
        "before": trial.baseline[cells[:, 0]],
        "rows": weight,
    }
