"""Arms at run time: waves by date, periods, persons who arrive, who moves, who joins; and every one derived again."""

import threading
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace
from sqlalchemy import update

from careplane.errors import Conflict
from careplane.evidence import amend_plan, assign, find_assignments, lock_plan, placement, save_draft
from careplane.evidence.audit import check_allocations
from careplane.ledger import Ledger, open_ledger
from careplane.records.evidence import Plan
from careplane.records.run import Event
from careplane.store import Store, open_store
from careplane.store.rows import encode
from careplane.store.tables import assignments

from .synthetic_trial import START, UNITS, plan
from .test_allocation import DESIGNS, STEPS

BEFORE = datetime(2026, 2, 20, 12, tzinfo=UTC)
ARRIVING: dict[str, object] = {
    "design": "individually_randomised",
    "unit": "patient",
    "enrol": "first_contact",
    "allocation": "blocked",
    "block_sizes": (4, 6),
}
FIRST, SECOND = "Location/clinic-01", "Location/clinic-02"


def event(patient: int = 0, unit: str | None = FIRST, day: float = 1, user: str | None = None) -> Event:
    at = datetime(START.year, START.month, START.day, 12, tzinfo=UTC) + timedelta(days=day)
    return Event(
        id=f"e{patient}-{unit}-{day}", app="portal_reply", kind="x", at=at, patient=f"Patient/{patient}", unit=unit,
        site="Organization/1", user=user,
    )  # fmt: skip


def locked(store: Store, ledger: Ledger, **changes: object) -> Plan:
    return lock_plan(store, ledger, plan(**changes), "Practitioner/p001", BEFORE)


def arm(store: Store, ledger: Ledger, told: Event) -> str | None:
    placed = placement(store, ledger, told, told.at)
    assert placed is not None
    return placed.arm


def test_a_unit_of_a_stepped_wedge_is_a_control_until_its_day(store: Store, ledger: Ledger) -> None:
    given = assign(store, ledger, locked(store, ledger, **DESIGNS["stepped_wedge"]), BEFORE)
    for one in given:
        assert one.starts is not None
        begins = (one.starts - START).days
        assert arm(store, ledger, event(unit=one.unit, day=begins - 0.51)) == "control"
        assert arm(store, ledger, event(unit=one.unit, day=begins - 0.49)) == "intervention"
    assert {one.starts for one in given} == set(STEPS)


def test_a_switchback_follows_its_periods_to_the_last_day(sqlite_store: Store, ledger: Ledger) -> None:
    given = assign(sqlite_store, ledger, locked(sqlite_store, ledger, **DESIGNS["switchback"]), BEFORE)
    for day in range(28):
        assert arm(sqlite_store, ledger, event(unit=FIRST, day=day)) == given[0].sequence[day // 3]


def test_a_patient_who_moves_keeps_the_arm_and_is_told_to_have_moved(store: Store, ledger: Ledger) -> None:
    locked(store, ledger, **ARRIVING)
    for number in range(12):
        first = placement(store, ledger, event(number, FIRST), BEFORE)
        later = placement(store, ledger, event(number, SECOND, day=5), BEFORE)
        gone = placement(store, ledger, event(number, "Location/elsewhere", day=6), BEFORE)
        assert first is not None
        assert later is not None
        assert gone is not None
        assert first.arm == later.arm == gone.arm
        assert (first.moved, later.moved, gone.moved) == (False, True, True)
    held = find_assignments(store, "trial")
    assert {one.place for one in held} == {FIRST}
    assert [one.position for one in sorted(held, key=lambda one: one.position or 0)] == list(range(12))


def test_who_arrives_where_the_plan_does_not_run_gets_no_arm(sqlite_store: Store, ledger: Ledger) -> None:
    locked(sqlite_store, ledger, **ARRIVING)
    for told in (event(1, "Location/elsewhere"), event(2, None), replace(event(3), patient=None)):
        placed = placement(sqlite_store, ledger, told, BEFORE)
        assert placed is not None
        assert placed.arm is None
        assert placed.reason
    assert find_assignments(sqlite_store, "trial") == ()


@pytest.mark.parametrize("allocation", ["blocked", "minimised"])
@pytest.mark.parametrize("unit", ["patient", "clinician"])
def test_those_who_arrive_are_balanced_and_derived_again(
    sqlite_store: Store, ledger: Ledger, allocation: str, unit: str
) -> None:
    held = locked(sqlite_store, ledger, **{**ARRIVING, "allocation": allocation, "unit": unit})
    clinics = sorted(UNITS)
    for number in range(60):
        told = event(number, clinics[number * 7 % 12], user=f"Practitioner/{number}")
        placement(sqlite_store, ledger, told, told.at)
    counts = Counter(one.arm for one in find_assignments(sqlite_store, "trial"))
    assert abs(counts["intervention"] - counts["control"]) <= 8
    check = check_allocations(sqlite_store, ledger, held)
    assert (check.held, check.arrived, check.on_ledger, check.differences) == (60, 60, 60, ())
    facts = [record.facts for record in ledger.records(kind="plan.allocated")]
    assert not any("P" in str(fact["unit"]) for fact in facts), "people are on the ledger by pseudonym"


def test_an_arm_that_somebody_changed_is_found(sqlite_store: Store, ledger: Ledger) -> None:
    held = locked(sqlite_store, ledger)
    one = assign(sqlite_store, ledger, held, BEFORE)[0]
    assert check_allocations(sqlite_store, ledger, held).holds
    other = replace(one, arm="control" if one.arm == "intervention" else "intervention")
    with sqlite_store.write() as connection:
        connection.execute(
            update(assignments).where(assignments.c.unit == one.unit).values(arm=other.arm, body=encode(other))
        )
    check = check_allocations(sqlite_store, ledger, held)
    assert not check.holds
    assert [one.unit in told for told in check.differences] == [True, True]
    assert "seed says" in check.differences[0]
    assert "ledger says" in check.differences[1]


def test_who_has_read_the_plan_cannot_tell_the_arms_of_those_who_arrive(
    sqlite_store: Store, ledger: Ledger, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The same plan on another installation gives other arms, because its key is another."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    other, notes = open_store(f"sqlite:///{elsewhere / 'careplane.db'}"), open_ledger(elsewhere / "ledger")
    sequences = []
    for store, book in ((sqlite_store, ledger), (other, notes)):
        locked(store, book, **ARRIVING)
        sequences.append([arm(store, book, event(number)) for number in range(40)])
    other.close()
    assert sequences[0] != sequences[1]


def test_workers_that_see_a_person_at_once_give_one_arm(store: Store, ledger: Ledger) -> None:
    held = locked(store, ledger, **ARRIVING)
    seen: list[tuple[int, str | None]] = []
    gate = threading.Barrier(6)

    def work() -> None:
        gate.wait()
        for number in range(8):
            seen.append((number, arm(store, ledger, event(number))))

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 48
    assert len(set(seen)) == 8
    check = check_allocations(store, ledger, held)
    assert (check.held, check.differences) == (8, ())
    assert len(list(ledger.records(kind="plan.allocated"))) == 8


def test_units_are_drawn_once_by_workers_that_assign_at_once(store: Store, ledger: Ledger) -> None:
    held = locked(store, ledger)
    gate = threading.Barrier(4)
    drawn: list[object] = []

    def work() -> None:
        gate.wait()
        drawn.append(assign(store, ledger, held, BEFORE))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(one == drawn[0] for one in drawn)
    assert len(list(ledger.records(kind="plan.assigned"))) == 1


def test_a_plan_of_many_units_with_long_names_is_on_the_ledger(sqlite_store: Store, ledger: Ledger) -> None:
    units = {f"Location/{'a-long-name-' * 12}{number}": "s" for number in range(60)}
    held = locked(sqlite_store, ledger, clusters=tuple(units), strata=units)
    assert len(assign(sqlite_store, ledger, held, BEFORE)) == 60
    assert check_allocations(sqlite_store, ledger, held).holds


@pytest.mark.parametrize("rule", ["refuse", "allocate", "ignore"])
def test_a_clinic_that_joins_later_is_never_taken_in_silently(sqlite_store: Store, ledger: Ledger, rule: str) -> None:
    held = locked(sqlite_store, ledger, joiners=rule)
    assign(sqlite_store, ledger, held, BEFORE)
    placed = placement(sqlite_store, ledger, event(unit="Location/new"), BEFORE)
    if rule == "ignore":
        assert placed is None
    else:
        assert placed is not None
        assert (placed.arm is None) == (rule == "refuse")
    joined = [one for one in find_assignments(sqlite_store, "trial") if one.unit == "Location/new"]
    assert [one.stratum for one in joined] == (["joined"] if rule == "allocate" else [])
    assert check_allocations(sqlite_store, ledger, held).holds


def test_a_draft_of_an_amendment_does_not_stop_the_plan_that_runs(sqlite_store: Store, ledger: Ledger) -> None:
    held = locked(sqlite_store, ledger)
    assign(sqlite_store, ledger, held, BEFORE)
    before = arm(sqlite_store, ledger, event(unit=FIRST))
    save_draft(sqlite_store, amend_plan(held, alpha=0.1))
    assert arm(sqlite_store, ledger, event(unit=FIRST)) == before


def test_before_the_arms_are_drawn_nobody_is_exposed(sqlite_store: Store, ledger: Ledger) -> None:
    locked(sqlite_store, ledger)
    assert arm(sqlite_store, ledger, event(unit=FIRST)) is None


def test_two_plans_of_an_app_may_not_share_a_unit_at_a_time(sqlite_store: Store, ledger: Ledger) -> None:
    locked(sqlite_store, ledger)
    with pytest.raises(Conflict, match="Location/clinic-01"):
        locked(sqlite_store, ledger, id="second")
    after = {"baseline_start": START, "start": plan().end, "end": plan().end + timedelta(days=28)}
    locked(sqlite_store, ledger, id="second", **after)
    others = {f"Location/other-{number}": "s" for number in range(4)}
    locked(sqlite_store, ledger, id="third", clusters=tuple(others), strata=others)
    with pytest.raises(Conflict, match="third"):
        locked(sqlite_store, ledger, id="fourth", clusters=tuple(others), strata=others)
