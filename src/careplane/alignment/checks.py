"""The checks of the register, answered from what is recorded: path to scale, metrics, and which data are missing."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from careplane.alignment.funnel import sponsor_confirmed
from careplane.alignment.signals import Known
from careplane.records.evidence import Plan, Result
from careplane.records.portfolio import INTEGRATION_CHECKS, METRIC_CHECKS, PATH_CHECKS, DecisionItem, RegisterItem
from careplane.store import Store, find
from careplane.store.tables import plans, results

SCALE_GATES = ("G3", "G4")
BASELINE_DAYS = 56
"""Eight weekly points of baseline, or 30 rows; a default."""
CADENCE_DAYS = 30
FRESH_FACTOR = 1.5


@dataclass(frozen=True, slots=True)
class Study:
    """The newest locked plan of an app and its newest result, where there are any."""

    plan: Plan | None = None
    result: Result | None = None


def studies(store: Store) -> dict[str, Study]:
    """By app: its newest locked plan, with that plan's newest result."""
    with store.read() as connection:
        every = find(connection, plans, Plan, plans.c.locked_at.is_not(None), order_by=(plans.c.locked_at,))
        outcomes = find(connection, results, Result, order_by=(results.c.computed_at,))
    newest = {result.plan: result for result in outcomes}
    return {plan.app: Study(plan, newest.get(plan.id)) for plan in every}


def path_checks(item: RegisterItem, today: date, decisions: Iterable[DecisionItem]) -> dict[str, bool]:
    """The eight steps of the path to scale. What can be computed is: a confirmation by its age, the goal link by the
    goals, the decision date by an open decision at a scale gate; the others are as the register states them."""
    passed = {name: name in item.path for name in PATH_CHECKS}
    passed["sponsor_confirmed"] = sponsor_confirmed(item, today)
    passed["goal_linked"] = bool(item.goals)
    passed["decision_date"] |= any(
        decision.item == item.id and decision.decided_at is None and decision.gate in SCALE_GATES
        for decision in decisions
    )
    passed["costed_forecast_signed"] &= item.forecast_p50_usd is not None
    return passed


def metric_checks(item: RegisterItem, study: Study, today: date) -> dict[str, bool]:
    """The eight requirements on measurement. For an item with a locked plan they follow from plan and result; else
    they are as the register states them."""
    passed = {name: name in item.metrics for name in METRIC_CHECKS}
    plan, result = study.plan, study.result
    if plan is None or plan.locked_at is None:
        return passed
    roles = {measure.role for measure in plan.measures}
    passed["primary"] = "primary" in roles
    passed["balancing"] = "balancing" in roles
    passed["equity"] = bool(plan.equity)
    passed["baseline"] = (min(plan.start, today) - plan.baseline_start).days >= BASELINE_DAYS
    passed["target_and_horizon"] = any(m.role == "primary" and m.mcid > 0 for m in plan.measures)
    passed["plan_locked_before_start"] = plan.locked_at.date() <= plan.start
    if result is not None:
        age = today - result.computed_at.date()
        passed["data_fresh"] = age <= timedelta(days=FRESH_FACTOR * CADENCE_DAYS)
        passed["design_grade_c_or_better"] = any(e.role == "primary" and e.grade in "ABC" for e in result.effects)
    return passed


def known(names: Collection[str], item: RegisterItem, held: Collection[str]) -> Known:
    """How many of these checks somebody has looked at. A bought item without a single passing one was never checked;
    an app of the platform is checked by the platform."""
    never = item.kind != "platform_app" and not held
    there = 0 if never else sum(name not in item.unknown for name in names)
    return Known(there=there, needed=len(names))


def known_facts(facts: Mapping[str, bool]) -> Known:
    """How many of the named facts were recorded."""
    return Known(there=sum(facts.values()), needed=len(facts))


def path_known(item: RegisterItem) -> Known:
    return known(PATH_CHECKS, item, item.path)


def integration_known(item: RegisterItem) -> Known:
    return known(INTEGRATION_CHECKS, item, item.integration)


def metrics_known(item: RegisterItem) -> Known:
    return known(METRIC_CHECKS, item, item.metrics)
