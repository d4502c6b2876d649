"""The analysis of a locked plan: what the plan says, nothing else, from rows that can be shown.

Reads the lake, the run record and the assignments. Intention to treat: every eligible event of every cluster counts,
whether or not the app spoke.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from careplane import __version__
from careplane.errors import Conflict, NotFound, Refused
from careplane.estimators import Estimate, Estimator
from careplane.evidence.arms import find_assignments
from careplane.evidence.equity import equity_rows
from careplane.evidence.plans import verify_lock
from careplane.evidence.rows import Extract, extract
from careplane.evidence.run_tables import read_record
from careplane.evidence.trial import Trial, trial_of
from careplane.evidence.uptake import uptake
from careplane.evidence.verdict import Spread, grade, judge, sentence
from careplane.evidence.windows import epoch
from careplane.measures import Measure
from careplane.records.evidence import Assignment, Effect, EquityRow, Plan, PlannedMeasure, Result
from careplane.records.run import Run
from careplane.store import Store, find, save, stamp
from careplane.store.tables import results

MIN_MODEL_CLUSTERS = 6
PRIMARY, EXACT = "cluster_itt", "exact_permutation"


@dataclass(frozen=True, slots=True)
class _Study:
    """What one analysis works with."""

    plan: Plan
    measures: Mapping[str, Measure]
    estimators: Mapping[str, Estimator]
    trials: Mapping[str, Trial]
    data_hash: str
    at: datetime

    @property
    def estimator(self) -> Estimator:
        """Model-based where the clusters allow it, else exact."""
        return self.estimators[PRIMARY if len(self.plan.clusters) >= MIN_MODEL_CLUSTERS else EXACT]


def analyse(
    store: Store,
    home: Path,
    plan: Plan,
    measures: Mapping[str, Measure],
    estimators: Mapping[str, Estimator],
    at: datetime,
) -> Result:
    """Analyse a locked plan and keep the result.

    Raises:
        Conflict: the plan is not locked, was changed after locking, or its arms are not those of its units.
        Refused: the primary measure has no values in both arms.
        NotFound: a measure of the plan is not on the shelf.
    """
    verify_lock(store, plan)
    assigned = _assigned(store, plan)
    planned = {one.id: _known(measures, one.id) for one in plan.measures}
    record = read_record(store, plan.app, plan.id)
    runs = list(record.runs)
    data = extract(home, planned, record)
    trials = {name: trial_of(plan, assigned, rows) for name, rows in data.rows.items()}
    study = _Study(plan, planned, estimators, trials, _data_hash(plan, assigned, data), at)
    result = _result(study, runs, data)
    with store.write() as connection:
        save(connection, results, result, plan=plan.id, computed_at=stamp(at))
    return result


def latest_result(store: Store, plan_id: str) -> Result | None:
    """The newest result of a plan, or ``None`` before its first analysis."""
    with store.read() as connection:
        found = find(
            connection,
            results,
            Result,
            results.c.plan == plan_id,
            order_by=(results.c.computed_at.desc(),),
            limit=1,
        )
    return found[0] if found else None


def _result(study: _Study, runs: list[Run], data: Extract) -> Result:
    plan = study.plan
    effects = tuple(effect for one in plan.measures if (effect := _effect(study, one)) is not None)
    primary = next(one for one in plan.measures if one.role == "primary")
    if primary.id not in {effect.measure for effect in effects}:
        raise Refused(
            [f"{primary.id} has no values in both arms, so nothing was computed. {_missing(study, primary.id)}"],
            "Load the outcome data of the pilot window (careplane load PATH), then analyse again.",
        )
    equity, unknown = _equity(study, data)
    eligible = int(study.trials[primary.id].arm(1).sum())
    return Result(
        plan=plan.id,
        plan_hash=plan.hash,
        effects=effects,
        equity=equity,
        uptake=uptake(plan, eligible, [run for run in runs if run.arm == "intervention"]),
        missing={one.id: _missing(study, one.id) for one in plan.measures} | unknown,
        computed_at=study.at,
        data_hash=study.data_hash,
        code_version=__version__,
    )


def _effect(study: _Study, measure: PlannedMeasure) -> Effect | None:
    plan, trial = study.plan, study.trials[measure.id]
    arms = [trial.measured & trial.arm(arm) for arm in (0, 1)]
    if not (arms[0].any() and arms[1].any()):
        return None
    data = trial.data(plan, trial.measured)
    found = study.estimator(data)
    title = study.measures[measure.id].info.title
    seen = min(study.at.timestamp(), epoch(plan, plan.end))
    spread = Spread(trial.within_variance(), max(0.0, seen - epoch(plan, plan.start)) / (7 * 86400))
    smallest = min(len(np.unique(data.cluster[data.treated == arm])) for arm in (0, 1))
    return Effect(
        plan=plan.id,
        measure=measure.id,
        role=measure.role,
        unit=measure.unit,
        direction=measure.direction,
        estimate=found.estimate,
        ci_low=found.ci_low,
        ci_high=found.ci_high,
        p_value=found.p_value,
        n=found.n,
        clusters=found.clusters,
        method=found.method,
        verdict=judge(measure, found),
        sentence=sentence(measure, title, plan.alpha, found, spread),
        grade=grade(plan, found.clusters, smallest, 1 - found.n / len(trial.value)),
        mcid=measure.mcid,
        mean_intervention=float(trial.value[arms[1]].mean()),
        mean_control=float(trial.value[arms[0]].mean()),
        n_intervention=int(arms[1].sum()),
        n_control=int(arms[0].sum()),
        df=found.df,
        comparison=_comparison(study, trial, found, measure.unit),
        data_hash=study.data_hash,
        computed_at=study.at,
    )


def _comparison(study: _Study, trial: Trial, found: Estimate, unit: str) -> str:
    """The second method in words: the exact test beside a model-based interval."""
    if found.df is None:
        return "The exact test is the method of this plan: too few clusters for a model."
    try:
        exact = study.estimators[EXACT](trial.data(study.plan, trial.measured))
    except Refused as refused:
        return f"Exact test: {refused}"
    return (
        f"{exact.method}, average over clusters: {exact.estimate:+.2f} {unit} ({exact.ci_low:+.2f} to "
        f"{exact.ci_high:+.2f}), p = {exact.p_value:.3g}"
    )


def _equity(study: _Study, data: Extract) -> tuple[tuple[EquityRow, ...], dict[str, str]]:
    """The rows of every primary and balancing measure by every planned dimension that is recorded here."""
    plan = study.plan
    rows: list[EquityRow] = []
    unknown = {}
    for dimension in plan.equity:
        group_of = data.groups.get(dimension)
        if not group_of:
            unknown[f"equity: {dimension}"] = f"Not measured: {dimension} is not recorded in the loaded Patient data."
            continue
        for one in plan.measures:
            rows += equity_rows(plan, one.id, dimension, group_of, study.trials[one.id], study.estimator)
    return tuple(rows), unknown


def _missing(study: _Study, name: str) -> str:
    """What has no value in a measure, by arm, in words; and how many rows were still open when it was computed."""
    trial, measure = study.trials[name], study.measures[name]
    parts = []
    for treated, arm in ((1, "intervention"), (0, "control")):
        rows = trial.arm(treated)
        total, absent = int(rows.sum()), int((rows & ~trial.measured).sum())
        share = f" ({100 * absent / total:.1f} %)" if total else ""
        parts.append(f"{absent:,} of {total:,} {arm} events{share}")
    text = f"{' and '.join(parts)} {measure.missing}; they are left out, not counted as zero."
    since = study.at.timestamp() - measure.follow_up_days * 86400
    late = int((trial.at > since).sum())
    if late:
        text += f" {late:,} events had less than {measure.follow_up_days} days to be followed up."
    return text


def _assigned(store: Store, plan: Plan) -> tuple[Assignment, ...]:
    assigned = find_assignments(store, plan.id)
    if {one.unit for one in assigned} != set(plan.clusters):
        raise Conflict(
            f"The arms of plan {plan.id} are not drawn for its {len(plan.clusters)} units; assign them first."
        )
    return assigned


def _known(measures: Mapping[str, Measure], name: str) -> Measure:
    if name not in measures:
        raise NotFound(f"The plan names the measure {name!r}, which is not on the shelf. Known: {', '.join(measures)}.")
    return measures[name]


def _data_hash(plan: Plan, assigned: tuple[Assignment, ...], data: Extract) -> str:
    """SHA-256 over plan, arms and every row in the order of its key: what the numbers were computed from."""
    digest = hashlib.sha256(plan.hash.encode())
    for one in assigned:
        digest.update(f"{one.unit}\t{one.arm}\n".encode())
    for name in sorted(data.rows):
        rows = data.rows[name]
        numbers = (rows.at.tolist(), rows.value.tolist(), rows.weight.tolist())
        columns = zip(rows.key, rows.cluster, rows.patient, *numbers, strict=True)
        digest.update(name.encode())
        digest.update("".join(f"{k}\t{c}\t{p}\t{a}\t{v.hex()}\t{w.hex()}\n" for k, c, p, a, v, w in columns).encode())
    return digest.hexdigest()
