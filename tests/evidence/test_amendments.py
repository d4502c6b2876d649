"""Amendments are versions with a diff; what decides after results were seen is told for good."""

from datetime import timedelta

import pytest

from careplane.errors import Conflict, InputError, NotFound
from careplane.evidence import assign, load_plan, lock_plan
from careplane.evidence.amendments import amend, differences, history, version_of
from careplane.evidence.plans import find_versions
from careplane.ledger import Ledger
from careplane.records.evidence import Plan, Result, Uptake
from careplane.store import Store, save, stamp
from careplane.store.tables import results

from .synthetic_trial import plan
from .test_arms import BEFORE

WHY = "Two clinics were closed for a week"
LATER = BEFORE + timedelta(days=30)


def locked(store: Store, ledger: Ledger) -> Plan:
    return lock_plan(store, ledger, plan(), "p.lee", BEFORE)


def amended(store: Store, ledger: Ledger, **changes: str) -> Plan:
    named = {name.replace("__", "."): value for name, value in changes.items()}
    return amend(store, ledger, "trial", named, WHY, "p.lee", LATER)


def seen(store: Store, held: Plan) -> None:
    """A result of the plan is kept."""
    use = Uptake(plan=held.id, eligible=0, offered=0, used=0, accepted=0, edited=0, rejected=0, refused=0, share=0.0,
                 ci_low=0.0, ci_high=1.0)  # fmt: skip
    result = Result(plan=held.id, plan_hash=held.hash, effects=(), equity=(), uptake=use, missing={},
                    computed_at=LATER, data_hash="", code_version="test")  # fmt: skip
    with store.write() as connection:
        save(connection, results, result, plan=held.id, computed_at=stamp(LATER))


def test_an_amendment_is_a_version_with_its_reason_and_a_diff(store: Store, ledger: Ledger) -> None:
    first = locked(store, ledger)
    second = amended(store, ledger, end="2026-04-27", measures__msg_turnaround__mcid="0.75")
    assert (second.version, second.locked, second.post_hoc) == (2, False, ())
    assert second.change is not None
    assert (second.change.reason, second.change.from_hash) == (WHY, first.hash)
    assert [(one.field, one.before, one.after) for one in differences(first, second)] == [
        ("end", "2026-03-30", "2026-04-27"),
        ("measures.msg_turnaround.mcid", "1.0", "0.75"),
    ]
    assert history(find_versions(store, "trial")) == "Locked 20 Feb 2026, 0 amendments, and a draft of another"
    lock_plan(store, ledger, second, "p.lee", LATER)
    assert history(find_versions(store, "trial")) == "Locked 20 Feb 2026, 1 amendment"
    assert version_of(store, "trial", 1) == first
    with pytest.raises(InputError, match="versions 1, 2"):
        version_of(store, "trial", 3)
    (record,) = ledger.records(kind="plan.amended")
    assert record.facts["reason"] == WHY


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"measures__msg_turnaround__mcid": "2.0"}, ("measures.msg_turnaround.mcid",)),
        ({"measures__message_minutes__margin": "0.2"}, ("measures.message_minutes.margin",)),
        ({"design": "individually_randomised", "unit": "clinician"}, ("design",)),
        ({"end": "2026-04-27"}, ()),
        ({"equity": '["language"]'}, ()),
    ],
    ids=str,
)
def test_what_decides_is_post_hoc_for_good_once_results_were_seen(
    sqlite_store: Store, ledger: Ledger, changes: dict[str, str], told: tuple[str, ...]
) -> None:
    seen(sqlite_store, locked(sqlite_store, ledger))
    second = amended(sqlite_store, ledger, **changes)
    assert second.post_hoc == told
    lock_plan(sqlite_store, ledger, second, "p.lee", LATER)
    third = amended(sqlite_store, ledger, small_cell="20")
    assert third.post_hoc == told, "a later version says so still"


def test_what_arms_were_drawn_from_cannot_be_amended(sqlite_store: Store, ledger: Ledger) -> None:
    held = locked(sqlite_store, ledger)
    assert amended(sqlite_store, ledger, seed="8").seed == 8
    assign(sqlite_store, ledger, held, BEFORE)
    lock_plan(sqlite_store, ledger, load_plan(sqlite_store, "trial"), "p.lee", LATER)
    for changes in ({"seed": "9"}, {"start": "2026-03-03"}, {"unit": "ward"}):
        with pytest.raises(Conflict, match="drawn from"):
            amended(sqlite_store, ledger, **changes)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"hash": "x"}, "cannot be amended"),
        ({"nothing": "x"}, "cannot be amended"),
        ({"measures__none__mcid": "1"}, "no field of a measure"),
        ({"measures__msg_turnaround__id": "other"}, "no field of a measure"),
        ({"alpha": "much"}, "alpha"),
        ({"alpha": "2"}, "between 0 and 1"),
        ({"end": "2026-01-01"}, "not before the end"),
        ({"small_cell": "11"}, "nothing differs"),
    ],
    ids=str,
)
def test_an_amendment_that_is_none_is_refused_and_nothing_kept(
    sqlite_store: Store, ledger: Ledger, changes: dict[str, str], told: str
) -> None:
    locked(sqlite_store, ledger)
    with pytest.raises(InputError, match=told):
        amended(sqlite_store, ledger, **changes)
    assert len(find_versions(sqlite_store, "trial")) == 1


def test_an_amendment_needs_a_reason_a_lock_and_a_plan(sqlite_store: Store, ledger: Ledger) -> None:
    with pytest.raises(NotFound):
        amended(sqlite_store, ledger, end="2026-04-27")
    locked(sqlite_store, ledger)
    with pytest.raises(InputError, match="say why"):
        amend(sqlite_store, ledger, "trial", {"end": "2026-04-27"}, "  ", "p.lee", LATER)
    amended(sqlite_store, ledger, end="2026-04-27")
    with pytest.raises(Conflict, match="draft"):
        amended(sqlite_store, ledger, end="2026-05-04")
