"""Plans are locked once, and arms are drawn from a locked plan only."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from careplane._shelf import folder, items, load
from careplane.apps import read_app
from careplane.errors import Conflict, InputError, NotFound
from careplane.evidence import (
    amend_plan,
    assign,
    draft_plan,
    find_plans,
    load_plan,
    lock_plan,
    placement,
    plan_hash,
    save_draft,
)
from careplane.evidence.allocation import draw
from careplane.evidence.plan_rules import check_plan
from careplane.ledger import Ledger
from careplane.records.design import Placement
from careplane.records.run import Event
from careplane.store import Store

from .synthetic_trial import START, UNITS, plan

BEFORE = datetime(2026, 2, 20, 12, tzinfo=UTC)
DURING = datetime(2026, 3, 5, 12, tzinfo=UTC)


def event(unit: str | None, at: datetime, app: str = "portal_reply") -> Event:
    return Event(id=f"{unit}-{at}", app=app, kind="Communication.created", at=at, unit=unit)


INFOS = [load("measures", name).MEASURE.info for name in items("measures")]


def test_a_draft_comes_from_the_app_and_says_what_it_lacks() -> None:
    app = read_app(folder("apps", "portal_reply"))
    drafted = draft_plan(app, INFOS, UNITS, START, seed=7)
    assert [(one.id, one.role) for one in drafted.measures] == [
        ("msg_turnaround", "primary"),
        ("message_minutes", "balancing"),
        ("edit_distance", "balancing"),
        ("harm_flag", "balancing"),
    ]
    assert "not in the library" not in drafted.analysis
    fewer = draft_plan(app, [info for info in INFOS if info.id != "edit_distance"], UNITS, START, seed=7)
    assert "not in the library: edit_distance" in fewer.analysis
    assert drafted.power.startswith("Not computed")
    assert drafted.baseline_start < drafted.start < drafted.end


def test_a_stratum_of_one_cannot_be_randomised() -> None:
    app = read_app(folder("apps", "portal_reply"))
    with pytest.raises(InputError, match="lonely"):
        draft_plan(app, INFOS, {**UNITS, "Location/x": "lonely"}, START, seed=7)


def test_an_app_whose_measures_nobody_wrote_cannot_be_planned() -> None:
    app = read_app(folder("apps", "trial_prescreen"))
    with pytest.raises(InputError, match="library of measures"):
        draft_plan(app, INFOS, UNITS, START, seed=7)


def test_a_flag_needs_no_worthwhile_change_to_be_planned() -> None:
    app = read_app(folder("apps", "ambient_note"))
    flag = draft_plan(app, INFOS, UNITS, START, seed=7).measures[-1]
    assert (flag.id, flag.mcid, flag.judged) == ("coding_intensity", 0.0, False)
    with pytest.raises(InputError, match="positive number"):
        check_plan(replace(plan(), measures=(replace(plan().measures[0], mcid=0.0),)))


def test_a_lock_holds_and_an_amendment_is_a_new_version(store: Store, ledger: Ledger) -> None:
    save_draft(store, plan(seed=1))
    locked = lock_plan(store, ledger, save_draft(store, plan()), "Practitioner/p001", BEFORE)
    assert lock_plan(store, ledger, plan(), "Practitioner/p002", DURING) == locked
    for change in (plan(alpha=0.1), replace(locked, end=date(2026, 12, 1))):
        with pytest.raises(Conflict, match="locked"):
            lock_plan(store, ledger, change, "Practitioner/p001", DURING)
    with pytest.raises(Conflict):
        save_draft(store, plan(alpha=0.1))
    amended = amend_plan(locked, end=date(2026, 5, 4))
    assert (amended.version, amended.locked, amended.hash) == (2, False, "")
    save_draft(store, amended)
    assert load_plan(store, "trial") == amended
    assert find_plans(store, "portal_reply") == [amended]
    with pytest.raises(NotFound, match="trial"):
        load_plan(store, "tril")


def test_lock_and_arms_are_on_the_ledger_without_names(store: Store, ledger: Ledger) -> None:
    locked = lock_plan(store, ledger, plan(), "Practitioner/p001", BEFORE)
    assign(store, ledger, locked, BEFORE)
    assign(store, ledger, locked, BEFORE)
    records = {record.kind: record for record in ledger.records()}
    assert records["plan.locked"].facts["hash"] == locked.hash == plan_hash(locked)
    assert records["plan.locked"].actor != "Practitioner/p001"
    assert len(list(ledger.records(kind="plan.assigned"))) == 1


def test_arms_need_a_lock_and_hold_from_start_to_end(store: Store, ledger: Ledger) -> None:
    with pytest.raises(Conflict, match="not locked"):
        assign(store, ledger, plan(), BEFORE)
    locked = lock_plan(store, ledger, plan(), "Practitioner/p001", BEFORE)
    for one in assign(store, ledger, locked, BEFORE):
        placed = placement(store, ledger, event(one.unit, DURING), DURING)
        assert placed == Placement(plan="trial", arm=one.arm, subject=one.unit)
        assert placement(store, ledger, event(one.unit, BEFORE), DURING) is None
        assert placement(store, ledger, event(one.unit, DURING + timedelta(days=28)), DURING) is None
    for unit in ("Location/elsewhere", None):
        placed = placement(store, ledger, event(unit, DURING), DURING)
        assert placed is not None
        assert placed.arm is None
        assert placed.reason
    assert placement(store, ledger, event("Location/clinic-01", DURING, app="bed_huddle"), DURING) is None


@given(seed=st.integers(0, 10**9), order=st.permutations(sorted(UNITS)))
def test_half_of_each_stratum_is_treated_whatever_the_order(seed: int, order: list[str]) -> None:
    drawn = draw(plan(seed=seed, clusters=tuple(order)))
    assert drawn == draw(plan(seed=seed))
    for stratum in set(UNITS.values()):
        arms = [one.arm for one in drawn if one.stratum == stratum]
        assert arms.count("intervention") == arms.count("control") == 3


def test_every_unit_is_treated_about_half_the_time() -> None:
    """1,000 seeds; five binomial standard deviations around 500."""
    counts = dict.fromkeys(UNITS, 0)
    for seed in range(1000):
        for one in draw(plan(seed=seed)):
            counts[one.unit] += one.arm == "intervention"
    assert all(abs(count - 500) < 5 * 15.8 for count in counts.values())
