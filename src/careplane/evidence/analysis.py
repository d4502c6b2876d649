"""The analysis of a locked plan: what the plan says, nothing else, from rows that can be shown and are kept.

Reads the lake, the run record and the assignments. Intention to treat: every eligible event of every unit counts,
whether or not the app spoke. :func:`compute` reads nothing: the same study gives the same result, on any number of
threads, which is what a replay rests on.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from threadpoolctl import threadpool_limits

from careplane.errors import Conflict, Refused
from careplane.estimators._item import Item
from careplane.evidence import extracts
from careplane.evidence.arms import find_assignments
from careplane.evidence.code_version import code_version, libraries
from careplane.evidence.dose import dose
from careplane.evidence.effects import effect_of
from careplane.evidence.equity import by_group
from careplane.evidence.missing import missing_rows
from careplane.evidence.plans import verify_lock
from careplane.evidence.results import earlier_looks
from careplane.evidence.rows import extract
from careplane.evidence.run_tables import read_record
from careplane.evidence.study import Study, known
from careplane.evidence.uptake import access, uptake
from careplane.evidence.uses import uses_of
from careplane.measures import Measure
from careplane.records.evidence import AccessRow, Assignment, Effect, EquityRow, Plan, Result, WorstGroup
from careplane.store import Store, save, stamp
from careplane.store.tables import results


def analyse(
    store: Store,
    home: Path,
    plan: Plan,
    measures: Mapping[str, Measure],
    items: Mapping[str, Item],
    at: datetime,
) -> Result:
    """Analyse a locked plan, and keep the result with what it was computed from.

    Raises:
        Conflict: the plan is not locked, was changed after locking, or its arms are not those of its units.
        Refused: the primary measure has no values in both arms, or its method is not valid on these rows.
        NotFound: a measure of the plan is not on the shelf.
    """
    study = read_study(store, home, plan, measures, items, at)
    result = compute(study)
    extracts.keep(home, study.data_hash, study.data, study.uses)
    with store.write() as connection:
        save(connection, results, result, plan=plan.id, computed_at=stamp(at))
    return result


def read_study(
    store: Store,
    home: Path,
    plan: Plan,
    measures: Mapping[str, Measure],
    items: Mapping[str, Item],
    at: datetime,
) -> Study:
    """Read all that an analysis needs.

    Raises:
        Conflict, NotFound: as :func:`analyse`.
    """
    verify_lock(store, plan)
    assigned = _assigned(store, plan)
    planned = known(measures, plan)
    record = read_record(store, plan.app, plan.id)
    data, uses = extracts.needed(extract(home, planned, record, on=plan.start), plan.equity), uses_of(record.runs)
    name = extracts.data_hash(plan, assigned, data, uses)
    return Study(plan, assigned, planned, items, data, uses, at, earlier_looks(store, plan, at), name)


def compute(study: Study) -> Result:
    """The result of a study, from nothing but the study.

    Raises:
        Refused: as :func:`analyse`.
    """
    with threadpool_limits(limits=1):  # type: ignore[no-untyped-call]
        return _computed(study)


def _computed(study: Study) -> Result:
    plan, primary = study.plan, study.primary
    answers = {one.id: effect_of(study, one) for one in plan.measures}
    effects = tuple(answer for answer in answers.values() if isinstance(answer, Effect))
    told = {name: answer for name, answer in answers.items() if not isinstance(answer, Effect)}
    if primary.id in told:
        raise _nothing(study, primary.id, told[primary.id])
    rows, worst, reached, unknown = _equity(study)
    main = next(effect for effect in effects if effect.measure == primary.id)
    missing = {name: missing_rows(study, name) for name in answers}
    missing |= {name: f"Not estimated: {why}. {missing[name]}" for name, why in told.items()}
    shown = sum(row.estimate is not None for row in rows)
    return Result(
        plan=plan.id,
        plan_hash=plan.hash,
        effects=effects,
        equity=rows,
        uptake=uptake(plan, int(study.trials[primary.id].arm(1).sum()), study.uses),
        missing=missing | unknown,
        computed_at=study.at,
        data_hash=study.data_hash,
        code_version=code_version(),
        id=_ident(study),
        version=plan.version,
        worst=worst,
        access=reached,
        dose=dose(study, primary, main),
        earlier=tuple(study.earlier),
        looked_at=len(effects) + shown,
        libraries=libraries(),
    )


def _nothing(study: Study, name: str, why: str) -> Refused:
    if why == "no values in both arms":
        return Refused(
            [f"{name} has {why}, so nothing was computed. {missing_rows(study, name)}"],
            "Load the outcome data of the pilot window (careplane load PATH), then analyse again.",
        )
    return Refused([f"{name} cannot be estimated: {why}"], "Amend the plan, or load what is missing.")


def _ident(study: Study) -> str:
    """The name of a result: a digest of what it was computed from and when, the same for the same."""
    parts = (study.plan.id, study.plan.hash, study.data_hash, code_version(), stamp(study.at))
    return f"r-{hashlib.sha256(chr(10).join(parts).encode()).hexdigest()[:12]}"


def _equity(
    study: Study,
) -> tuple[tuple[EquityRow, ...], tuple[WorstGroup, ...], tuple[AccessRow, ...], dict[str, str]]:
    """The rows of every measure by every planned dimension that is recorded here, and access by it."""
    rows: list[EquityRow] = []
    worst: list[WorstGroup] = []
    reached: list[AccessRow] = []
    unknown = {}
    choices = {one.id: study.first(one) for one in study.plan.measures}
    for dimension in study.plan.equity:
        group_of = study.data.groups.get(dimension)
        if not group_of:
            unknown[f"equity: {dimension}"] = f"Not measured: {dimension} is not recorded in the loaded Patient data."
            continue
        reached += access(study.trials[study.primary.id], study.uses, dimension, group_of)
        for one in study.plan.measures:
            found = by_group(study, one, dimension, group_of, choices[one.id])
            rows += found.rows
            worst += [found.worst] if found.worst else []
    return tuple(rows), tuple(worst), tuple(reached), unknown


def _assigned(store: Store, plan: Plan) -> tuple[Assignment, ...]:
    """The arms of the units, by unit.

    Raises:
        Conflict: units of the plan have none yet.
    """
    assigned = find_assignments(store, plan.id)
    listed = plan.enrol == "listed"
    if not assigned or (listed and not set(plan.clusters) <= {one.unit for one in assigned}):
        raise Conflict(
            f"The arms of plan {plan.id} are not drawn for its {len(plan.clusters)} units; assign them first."
        )
    return tuple(sorted(assigned, key=lambda one: one.unit))
