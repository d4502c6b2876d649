"""A whole study on synthetic FHIR with known effects: plan, lock, arms, analysis."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace
from sqlalchemy import update

from careplane._shelf import items, load
from careplane.errors import Conflict, NotFound, Refused
from careplane.estimators._item import Item, item
from careplane.evidence import analyse, assign, latest_result, lock_plan
from careplane.ledger import Ledger
from careplane.measures import Measure
from careplane.records.evidence import Plan, PlannedMeasure, Result
from careplane.store import Store
from careplane.store.tables import plans

from .synthetic_trial import START, load_trial, plan

BEFORE = datetime(2026, 2, 20, 12, tzinfo=UTC)
AFTER = datetime(2026, 4, 20, 12, tzinfo=UTC)
MEASURES: Mapping[str, Measure] = {name: load("measures", name).MEASURE for name in items("measures")}
ESTIMATORS: Mapping[str, Item] = {name: item(load("estimators", name)) for name in items("estimators")}


def study(store: Store, ledger: Ledger, home: Path, *, hours: float, minutes: float) -> Plan:
    locked = lock_plan(store, ledger, plan(), "Practitioner/p001", BEFORE)
    load_trial(home, assign(store, ledger, locked, BEFORE), hours=hours, minutes=minutes)
    return locked


def run(store: Store, home: Path, locked: Plan) -> Result:
    return analyse(store, home, locked, MEASURES, ESTIMATORS, AFTER)


def test_known_effects_are_recovered_with_verdicts(store: Store, ledger: Ledger, home: Path) -> None:
    locked = study(store, ledger, home, hours=-1.5, minutes=0.0)
    result = run(store, home, locked)
    turnaround, minutes = result.effects
    assert turnaround.ci_low < -1.5 < turnaround.ci_high
    assert minutes.ci_low < 0.0 < minutes.ci_high
    assert (turnaround.verdict, minutes.verdict) == ("benefit", "no worthwhile effect")
    assert (turnaround.grade, turnaround.clusters, turnaround.n) == ("A", 12, 12 * 55)
    assert "exact randomisation test, 400 allocations" in turnaround.comparison
    assert "benefit that reaches the smallest worthwhile change of 1 h" in turnaround.sentence
    assert latest_result(store, locked.id) == result


def test_missing_outcomes_are_told_by_arm(store: Store, ledger: Ledger, home: Path) -> None:
    locked = study(store, ledger, home, hours=0.0, minutes=0.0)
    told = run(store, home, locked).missing
    expected = "30 of 360 intervention events (8.3 %) and 30 of 360 control events (8.3 %) had no reply"
    assert told["msg_turnaround"].startswith(expected)
    assert "payer is not recorded" in told["equity: payer"]
    soon = analyse(store, home, locked, MEASURES, ESTIMATORS, datetime(2026, 3, 27, tzinfo=UTC))
    assert "had less than 7 days to be followed up" in soon.missing["msg_turnaround"]


def test_small_groups_are_withheld_and_cannot_be_derived(store: Store, ledger: Ledger, home: Path) -> None:
    locked = study(store, ledger, home, hours=-1.5, minutes=0.0)
    rows = {row.group: row for row in run(store, home, locked).equity if row.measure == "msg_turnaround"}
    assert set(rows) == {"en", "es", "hmn"}
    assert rows["en"].estimate == pytest.approx(-1.5, abs=0.5)
    assert (rows["hmn"].n, rows["hmn"].estimate) == (None, None)
    assert "fewer than 11" in rows["hmn"].withheld
    assert rows["es"].n is None
    assert "derived" in rows["es"].withheld


def test_the_same_data_give_the_same_result_and_hash(store: Store, ledger: Ledger, home: Path) -> None:
    locked = study(store, ledger, home, hours=-1.5, minutes=0.0)
    first = run(store, home, locked)
    assert run(store, home, locked) == first
    more = home / "more"
    load_trial(more, assign(store, ledger, locked, BEFORE), hours=-1.5, minutes=0.0, seed=4)
    assert run(store, more, locked).data_hash != first.data_hash


@pytest.mark.parametrize("change", [{"alpha": 0.2}, {"end": START + timedelta(days=7)}, {"small_cell": 1}])
def test_a_plan_changed_after_its_lock_is_not_computed(
    store: Store, ledger: Ledger, home: Path, change: dict[str, object]
) -> None:
    locked = study(store, ledger, home, hours=0.0, minutes=0.0)
    with pytest.raises(Conflict, match="changed after it was locked"):
        run(store, home, replace(locked, **change))


def test_a_plan_changed_in_the_database_is_not_computed(store: Store, ledger: Ledger, home: Path) -> None:
    locked = study(store, ledger, home, hours=0.0, minutes=0.0)
    with store.write() as connection:
        body = connection.execute(plans.select()).one().body
        connection.execute(update(plans).values(body=body.replace('"alpha":0.05', '"alpha":0.5')))
    with pytest.raises(Conflict, match="changed after it was locked"):
        run(store, home, locked)


def test_without_outcomes_the_analysis_refuses(store: Store, ledger: Ledger, home: Path) -> None:
    locked = lock_plan(store, ledger, plan(), "Practitioner/p001", BEFORE)
    with pytest.raises(Conflict, match="not drawn"):
        run(store, home, locked)
    assign(store, ledger, locked, BEFORE)
    with pytest.raises(Refused, match="no values in both arms"):
        run(store, home, locked)
    assert latest_result(store, locked.id) is None


def test_a_measure_that_is_not_on_the_shelf_is_named(store: Store, ledger: Ledger, home: Path) -> None:
    gone = PlannedMeasure(id="gone", role="primary", unit="h", direction="lower", mcid=1.0)
    locked = lock_plan(store, ledger, plan(measures=(gone,)), "Practitioner/p001", BEFORE)
    assign(store, ledger, locked, BEFORE)
    with pytest.raises(NotFound, match="'gone'"):
        run(store, home, locked)


def test_a_measure_of_outputs_alone_is_told_and_stops_nothing(store: Store, ledger: Ledger, home: Path) -> None:
    """Without runs nothing was put out: edits and harm have no rows in either arm, and the rest is estimated."""
    more = (
        PlannedMeasure(id="edit_distance", role="balancing", unit="0-1", direction="lower", mcid=0.05),
        PlannedMeasure(id="harm_flag", role="balancing", unit="per 1000", direction="lower", mcid=1.0),
        PlannedMeasure(id="utilisation", role="secondary", unit="proportion", direction="context", mcid=0.0),
    )
    draft = plan(measures=(*plan().measures, *more))
    locked = lock_plan(store, ledger, draft, "Practitioner/p001", BEFORE)
    load_trial(home, assign(store, ledger, locked, BEFORE), hours=-1.5, minutes=0.0)
    result = run(store, home, locked)
    assert [effect.measure for effect in result.effects] == ["msg_turnaround", "message_minutes"]
    assert all("Not estimated" in result.missing[one.id] for one in more)
