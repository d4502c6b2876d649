"""What must hold of a plan before anybody keeps or locks it: bad input is named, with the way out."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date
from itertools import pairwise
from math import isfinite

from careplane.errors import InputError
from careplane.evidence.allocation import periods
from careplane.records.design import RANDOMISED
from careplane.records.evidence import Plan

PERSONS = ("patient", "clinician")
ARMS_SIDE_BY_SIDE = ("individually_randomised", "cluster_randomised")
FROM_STEPS = ("stepped_wedge", "randomised_rollout")
WITH_CONTROLS = ("staggered_did", "controlled_its", "synthetic_control", "sdid")


def check_plan(plan: Plan) -> None:
    """Refuse a plan that cannot be carried out as it says.

    Raises:
        InputError: names the field.
    """
    for rule in _RULES:
        rule(plan)


def _units(plan: Plan) -> None:
    _need("clusters", bool(plan.clusters), "no unit takes part; name the units")
    doubled = sorted(unit for unit, times in Counter(plan.clusters).items() if times > 1)
    _need("clusters", not doubled, f"named twice: {_list(doubled)}; a unit belongs to one stratum only")
    without = sorted(set(plan.clusters) - set(plan.strata))
    _need("strata", not without, f"no stratum for {_list(without)}")
    unknown = sorted(set(plan.strata) - set(plan.clusters))
    _need("strata", not unknown, f"{_list(unknown)} does not take part in the plan; take it out, or add the unit")


def _days(plan: Plan) -> None:
    _need("start", plan.start < plan.end, f"{plan.start} is not before the end {plan.end}; turn the days round")
    ordered = plan.baseline_start <= plan.start
    _need("baseline_start", ordered, f"{plan.baseline_start} is after the start {plan.start}; begin earlier")


def _numbers(plan: Plan) -> None:
    _need("alpha", 0 < plan.alpha < 1, "must lie between 0 and 1, such as 0.05")
    _need("measures", any(one.role == "primary" for one in plan.measures), "name one primary measure")
    doubled = [name for name, times in Counter(one.id for one in plan.measures).items() if times > 1]
    _need("measures", not doubled, f"named twice: {_list(doubled)}")
    for one in plan.measures:
        for name, value in (("mcid", one.mcid), ("margin", one.margin)):
            none = name == "mcid" and value == 0 and not one.judged
            fits = value is None or none or (isfinite(value) and value > 0)
            _need(f"measures.{one.id}.{name}", fits, "must be a positive number in the measure's unit")


def _two_arms(plan: Plan) -> None:
    if plan.design not in ARMS_SIDE_BY_SIDE or plan.enrol == "first_contact":
        return
    _need("clusters", len(plan.clusters) > 1, "one unit cannot be compared with another: name two or more, or plan a "
          "switchback, or an interrupted time series")  # fmt: skip
    if plan.allocation == "stratified":
        sizes = Counter(plan.strata.values())
        alone = sorted(stratum for stratum, size in sizes.items() if size < 2)
        _need("units", not alone, f"each stratum needs two units or more: {_list(alone)}; join it with another")


def _person_or_place(plan: Plan) -> None:
    if plan.design == "cluster_randomised":
        _need("unit", plan.unit != "patient", "patients are no clusters; use individually_randomised")
    if plan.design == "individually_randomised":
        _need("unit", plan.unit in PERSONS, "individuals are patients or clinicians; else use cluster_randomised")
    if plan.enrol == "first_contact":
        fits = plan.unit in PERSONS and plan.design in ARMS_SIDE_BY_SIDE
        _need("enrol", fits, "only patients or clinicians with arms side by side are allocated at their first event")
        _need("allocation", plan.allocation != "stratified", "who arrives one by one is allocated blocked or minimised")


def _allocation(plan: Plan) -> None:
    good = bool(plan.block_sizes) and all(size > 0 and size % 2 == 0 for size in plan.block_sizes)
    _need("block_sizes", good, "must be even numbers, such as 4 and 6")
    rule = plan.minimisation
    if rule is None:
        return
    _need("minimisation", plan.allocation == "minimised", "belongs to the allocation minimised")
    unknown = sorted(set(rule.levels) - set(plan.clusters))
    _need("minimisation.levels", not unknown, f"{_list(unknown)} does not take part in the plan")
    named = {tuple(sorted(levels)) for levels in rule.levels.values()}
    complete = not rule.levels or (len(named) == 1 and set(rule.levels) == set(plan.clusters))
    _need("minimisation.levels", complete, "every unit needs a level of every factor")
    factors = {"stratum", *(("unit", "site") if plan.enrol == "first_contact" else ()), *(f for n in named for f in n)}
    strange = sorted(set(rule.weights) - factors)
    _need("minimisation.weights", not strange, f"{_list(strange)} is no factor; factors: {_list(sorted(factors))}")
    fits = all(isfinite(weight) and weight > 0 for weight in rule.weights.values())
    _need("minimisation.weights", fits, "must be positive")


def _steps(plan: Plan) -> None:
    if plan.design not in FROM_STEPS:
        _need("steps", not plan.steps, f"belong to a stepped wedge or a randomised roll-out, not to {plan.design}")
        return
    _need("steps", len(plan.steps) > 1, "name the days on which groups begin, two or more")
    _rising("steps", plan.steps)
    _need("steps", plan.steps[-1] < plan.end, f"{plan.steps[-1]} is not before the end {plan.end}")
    before = "must be after the start, so that all are observed without the app first"
    _need("steps", plan.steps[0] > plan.start, f"{plan.steps[0]} {before}")
    enough = len(plan.clusters) >= len(plan.steps)
    _need("steps", enough, f"{len(plan.steps)} steps need as many units; there are {len(plan.clusters)}")


def _waves(plan: Plan) -> None:
    if plan.design in RANDOMISED:
        _need("waves", not plan.waves, "are chosen by somebody; where chance decides, give steps")
        return
    unknown = sorted(set(plan.waves) - set(plan.clusters))
    _need("waves", not unknown, f"{_list(unknown)} does not take part in the plan; add the unit, or take its wave out")
    for unit, day in sorted(plan.waves.items()):
        _need("waves", plan.start <= day < plan.end, f"{unit} begins on {day}, outside {plan.start} to {plan.end}")
    if plan.design in WITH_CONTROLS:
        _need("waves", bool(plan.waves), "name the first day of each unit that gets the app")
        later = len(plan.waves) < len(plan.clusters) or len(set(plan.waves.values())) > 1
        _need("waves", later, "all begin at once: leave a unit without a wave as control, or begin one later")


def _switching(plan: Plan) -> None:
    rule = plan.switching
    if plan.design != "switchback":
        _need("switching", rule is None, f"belongs to a switchback, not to {plan.design}")
        return
    _need("switching", rule is not None, "say how many days a period has")
    assert rule is not None  # noqa: S101 - the line above
    _need("switching.washout_days", rule.washout_days < rule.period_days, "leaves nothing of a period to measure")
    _need("switching.period_days", periods(plan) >= 2, "only one period fits: shorten it, or end later")
    _need("unit", plan.unit != "patient", "patients do not switch back; use individually_randomised")


def _looks(plan: Plan) -> None:
    looks = plan.looks
    sequential = looks.kind == "group_sequential"
    told = "name the days of the looks" if sequential else "belong to group sequential looks"
    _need("looks.days", bool(looks.days) == sequential, told)
    _rising("looks.days", looks.days)
    for day in looks.days:
        _need("looks.days", plan.start < day < plan.end, f"{day} is not inside the pilot; the end is the last look")


_RULES: tuple[Callable[[Plan], None], ...] = (
    _units,
    _days,
    _numbers,
    _person_or_place,
    _two_arms,
    _allocation,
    _steps,
    _waves,
    _switching,
    _looks,
)


def _rising(field: str, days: Sequence[date]) -> None:
    for earlier, later in pairwise(days):
        _need(field, earlier < later, f"{later} comes after {earlier} in the list but not in time; put them in order")


def _need(field: str, holds: bool, told: str) -> None:
    if not holds:
        raise InputError(told, field=field)


def _list(names: Sequence[str]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more
