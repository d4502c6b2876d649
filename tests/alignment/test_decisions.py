"""Decisions: due dates by tier, separation of duties, the cost of delay."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from careplane.alignment import (
    cost_of_delay,
    decide,
    decisions,
    defer,
    import_decisions,
    import_items,
    must_pause,
    open_decision,
)
from careplane.errors import Conflict, InputError, Refused
from careplane.ledger import Ledger
from careplane.records.portfolio import DecisionItem
from careplane.store import Store

from .items import row

AT = datetime(2026, 6, 5, 9, tzinfo=UTC)  # a Friday


@pytest.fixture
def asked(store: Store, ledger: Ledger) -> DecisionItem:
    import_items(store, [row("a", tier=1)])
    return open_decision(
        store, ledger, "a", "Scale it?", "CMO", AT, requested_by="owner", gate="G3", net_benefit_per_year_usd=730_000
    )


def test_due_in_business_days_of_the_tier(asked: DecisionItem) -> None:
    assert asked.due_on == date(2026, 6, 12)


def test_cost_of_delay_is_the_worked_figure(asked: DecisionItem, shared: Path) -> None:
    cost = cost_of_delay(asked, asked.due_on + timedelta(days=45))
    assert cost == 90_000
    vectors = json.loads((shared / "design" / "vectors.json").read_text())
    assert vectors["cost of delay: 45 d late, $730k/yr net benefit"] == cost
    assert cost_of_delay(replace(asked, net_benefit_per_year_usd=None), asked.due_on) is None
    assert cost_of_delay(asked, asked.due_on) == 0


def test_deciding(store: Store, ledger: Ledger, asked: DecisionItem) -> None:
    made = decide(store, ledger, asked.id, "approve", "It works.", "committee", AT)
    assert (made.outcome, made.decided_by) == ("approve", "committee")
    assert decisions(store, AT.date()) == []
    assert decisions(store, AT.date(), open_only=False) == [made]
    with pytest.raises(Conflict):
        decide(store, ledger, asked.id, "stop", "No.", "committee", AT)


def test_who_asks_does_not_decide(store: Store, ledger: Ledger, asked: DecisionItem) -> None:
    with pytest.raises(Refused, match="Another person"):
        decide(store, ledger, asked.id, "approve", "Mine.", "owner", AT)
    assert list(ledger.records(kind="decision.made")) == []


def test_contingencies_and_reasons_are_named(store: Store, ledger: Ledger, asked: DecisionItem) -> None:
    with pytest.raises(InputError, match="contingencies"):
        decide(store, ledger, asked.id, "approve_with_contingencies", "Yes, if.", "committee", AT)
    with pytest.raises(InputError, match="rationale"):
        decide(store, ledger, asked.id, "approve", " ", "committee", AT)


def test_silence_after_two_deferrals_pauses(store: Store, ledger: Ledger, asked: DecisionItem) -> None:
    for _ in range(2):
        deferred = defer(store, ledger, asked.id, date(2026, 7, 1), "CMO", AT, sponsor_absent=True)
    assert (deferred.deferrals, deferred.sponsor_absent, deferred.due_on) == (2, 2, asked.due_on)
    assert not must_pause(deferred, asked.due_on)
    assert must_pause(deferred, asked.due_on + timedelta(days=1))


def test_import_is_idempotent_and_the_costliest_delay_comes_first(
    store: Store, ledger: Ledger, asked: DecisionItem
) -> None:
    cheap = replace(asked, id="cheap", net_benefit_per_year_usd=None, due_on=date(2026, 1, 1))
    assert import_decisions(store, [cheap, cheap]) == 1
    assert import_decisions(store, [cheap]) == 0
    assert [one.id for one in decisions(store, date(2026, 7, 1))] == [asked.id, "cheap"]
