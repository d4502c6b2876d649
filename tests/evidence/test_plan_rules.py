"""Bad input to a plan is named by its field, with the way out, and nothing is kept."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from careplane.errors import InputError, NotFound
from careplane.evidence import load_plan, save_draft
from careplane.evidence.plan_rules import check_plan
from careplane.records.design import Looks, Minimisation, Switching
from careplane.store import Store

from .synthetic_trial import START, UNITS, plan
from .test_allocation import DESIGNS

DAY = timedelta(days=1)
ONE: dict[str, object] = {"clusters": ("Location/clinic-01",), "strata": {"Location/clinic-01": "s"}}
FEW = {"Location/clinic-01": "s", "Location/clinic-02": "s"}
SHORT = Switching(period_days=7)
ARRIVING: dict[str, object] = {"design": "individually_randomised", "unit": "patient", "enrol": "first_contact"}

BAD: list[tuple[str, str, dict[str, object]]] = [
    ("clusters", "no unit takes part", {"clusters": (), "strata": {}}),
    ("clusters", "one unit cannot be compared", ONE),
    ("clusters", "named twice: Location/clinic-01", {"clusters": (*UNITS, "Location/clinic-01")}),
    ("strata", "no stratum for Location/clinic-99", {"clusters": (*UNITS, "Location/clinic-99")}),
    ("strata", "Location/x does not take part", {"strata": {**UNITS, "Location/x": "hospital-1"}}),
    ("units", "two units or more: alone", {"strata": {**UNITS, "Location/clinic-01": "alone"}}),
    ("start", "not before the end", {"end": START}),
    ("baseline_start", "after the start", {"baseline_start": START + DAY}),
    ("alpha", "between 0 and 1", {"alpha": 1.0}),
    ("measures", "primary", {"measures": ()}),
    ("unit", "patients are no clusters", {"unit": "patient"}),
    ("unit", "individuals are patients", {"design": "individually_randomised"}),
    ("enrol", "only patients or clinicians", {"enrol": "first_contact"}),
    ("allocation", "blocked or minimised", ARRIVING),
    ("block_sizes", "even", {"allocation": "blocked", "block_sizes": (3,)}),
    ("minimisation", "belongs to the allocation", {"minimisation": Minimisation()}),
    ("minimisation.levels", "does not take part",
     {"allocation": "minimised", "minimisation": Minimisation(levels={"Location/x": {"size": "big"}})}),
    ("minimisation.levels", "every unit needs",
     {"allocation": "minimised", "minimisation": Minimisation(levels={"Location/clinic-01": {"size": "big"}})}),
    ("minimisation.weights", "size is no factor",
     {"allocation": "minimised", "minimisation": Minimisation(weights={"size": 2.0})}),
    ("minimisation.weights", "positive",
     {"allocation": "minimised", "minimisation": Minimisation(weights={"stratum": 0.0})}),
    ("steps", "belong to a stepped wedge", {"steps": (START + DAY,)}),
    ("steps", "two or more", {"design": "stepped_wedge", "steps": (START + DAY,)}),
    ("steps", "put them in order", {"design": "stepped_wedge", "steps": (START + 2 * DAY, START + DAY)}),
    ("steps", "not before the end", {"design": "stepped_wedge", "steps": (START + DAY, START + 99 * DAY)}),
    ("steps", "after the start", {"design": "stepped_wedge", "steps": (START, START + DAY)}),
    ("steps", "need as many units", {"design": "stepped_wedge", "steps": tuple(START + n * DAY for n in range(1, 6)),
                                     "clusters": tuple(FEW), "strata": FEW}),
    ("waves", "where chance decides", {"waves": {"Location/clinic-01": START}}),
    ("waves", "does not take part", {"design": "staggered_did", "waves": {"Location/x": START}}),
    ("waves", "begins on", {"design": "staggered_did", "waves": {"Location/clinic-01": START - DAY}}),
    ("waves", "first day of each unit", {"design": "sdid"}),
    ("waves", "all begin at once", {"design": "staggered_did", "waves": dict.fromkeys(UNITS, START)}),
    ("switching", "how many days", {"design": "switchback"}),
    ("switching", "belongs to a switchback", {"switching": SHORT}),
    ("switching.washout_days", "leaves nothing",
     {"design": "switchback", "switching": Switching(period_days=2, washout_days=2)}),
    ("switching.period_days", "only one period", {"design": "switchback", "switching": Switching(period_days=28)}),
    ("unit", "do not switch back", {"design": "switchback", "switching": SHORT, "unit": "patient"}),
    ("looks.days", "name the days", {"looks": Looks(kind="group_sequential")}),
    ("looks.days", "belong to group", {"looks": Looks(kind="always_valid", days=(START + DAY,))}),
    ("looks.days", "not inside", {"looks": Looks(kind="group_sequential", days=(START,))}),
    ("looks.days", "put them in order",
     {"looks": Looks(kind="group_sequential", days=(START + 2 * DAY, START + DAY))}),
]  # fmt: skip


@pytest.mark.parametrize(("field", "told", "changes"), BAD, ids=[f"{field}-{told}" for field, told, _ in BAD])
def test_bad_input_is_named(field: str, told: str, changes: dict[str, object]) -> None:
    with pytest.raises(InputError, match=told) as caught:
        check_plan(plan(**changes))
    assert caught.value.field == field


def test_nothing_of_a_bad_plan_is_kept(sqlite_store: Store) -> None:
    with pytest.raises(InputError):
        save_draft(sqlite_store, plan(alpha=2.0))
    with pytest.raises(NotFound):
        load_plan(sqlite_store, "trial")


@pytest.mark.parametrize("name", DESIGNS)
def test_every_design_passes(name: str) -> None:
    check_plan(plan(**DESIGNS[name]))


def test_a_margin_that_is_no_number_is_named() -> None:
    first, *others = plan().measures
    with pytest.raises(InputError, match="positive") as caught:
        check_plan(plan(measures=(replace(first, margin=float("nan")), *others)))
    assert caught.value.field == "measures.msg_turnaround.margin"
