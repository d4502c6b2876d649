"""The signs built from rows of the store, and the headline."""

from datetime import UTC, date, datetime

import pytest

from careplane.alignment import (
    confirm_sponsor,
    decide,
    headline,
    import_decisions,
    import_items,
    open_decision,
    record_signals,
    signal_history,
    signals,
)
from careplane.ledger import Ledger
from careplane.records.money import CostLine
from careplane.records.portfolio import INTEGRATION_CHECKS, METRIC_CHECKS, DecisionItem, Signal
from careplane.store import Store
from careplane.value import import_costs

from .items import TODAY, row

AT = datetime(2026, 5, 2, 9, tzinfo=UTC)


def by_id(store: Store, today: date = TODAY) -> dict[str, Signal]:
    return {signal.id: signal for signal in signals(store, today).signals}


def test_one_pilot_by_hand(store: Store) -> None:
    import_items(store, [row("a", stage_since=date(2025, 10, 1), path=("stop_rule",))])
    found = by_id(store)
    assert found["s1"].value == pytest.approx(100 * (0.6 * 6 / 8 + 0.4))  # goal and stop rule only; past 180 days
    assert found["s2"].value == pytest.approx(100 * (0.5 + 0.2))
    assert found["s3"].value == pytest.approx(100)
    assert found["s4"].value == pytest.approx(100)
    assert found["s6"].value == pytest.approx(100)
    assert found["s1"].rows == ("a",)


def test_missing_data_hides_the_index(store: Store) -> None:
    import_items(store, [row("a", departments=())])
    found = signals(store, TODAY)
    assert found.complete < 0.7
    assert found.index is None
    assert "hidden" in headline(store, TODAY)


def test_a_full_pilot_shows_the_index(store: Store, ledger: Ledger) -> None:
    full = row(
        "a", kind="platform_app", integration=INTEGRATION_CHECKS, metrics=METRIC_CHECKS, path=("stop_rule",),
        active_departments=("Cardiology", "Nursing"), reused_components=("gateway",),
    )  # fmt: skip
    import_items(store, [full])
    confirm_sponsor(store, ledger, "a", "Chief Medical Officer", AT)
    open_decision(store, ledger, "a", "Scale?", "CMO", AT, gate="G3")
    found = signals(store, date(2026, 5, 5))
    assert found.complete == pytest.approx(1)
    assert found.index is not None
    assert found.low is not None
    assert found.high is not None
    assert found.low <= found.index <= found.high
    assert by_id(store, date(2026, 5, 5))["s4"].value == 0
    assert by_id(store, date(2026, 5, 5))["s1"].parts["path_gap"] == pytest.approx(1 - 4 / 8)


def test_a_decision_at_a_scale_gate_ends_the_ageing(store: Store, ledger: Ledger) -> None:
    import_items(store, [row("a", stage_since=date(2025, 10, 1))])
    opened = open_decision(store, ledger, "a", "Scale?", "CMO", AT, gate="G3")
    assert by_id(store)["s1"].parts["aged"] == 1
    decide(store, ledger, opened.id, "re_review", "Not yet.", "committee", AT)
    assert by_id(store)["s1"].parts["aged"] == 1
    again = open_decision(store, ledger, "a", "Scale?", "CMO", AT, gate="G3")
    decide(store, ledger, again.id, "approve", "Yes.", "committee", AT)
    assert by_id(store)["s1"].parts["aged"] == 0


def test_hard_triggers(store: Store) -> None:
    import_items(
        store,
        [row("old", stage_since=date(2025, 1, 1)), row("risky", tier=3), row("broke", annual_cost_usd=36_500.0)],
    )
    line = CostLine(id="1", item="unseen", category="licence", usd=5.0, on=TODAY, cost_centre="1", source="costs.csv:2")
    import_costs(store, [line])
    text = " ".join(signals(store, TODAY).triggers)
    for expected in ("Old has been a pilot for 516 days", "Risky is a tier 3", "Broke has used up its fund", "unseen"):
        assert expected in text


def test_history_keeps_one_row_a_day(store: Store) -> None:
    import_items(store, [row("a")])
    record_signals(store, TODAY)
    record_signals(store, TODAY)
    assert signal_history(store) == [signals(store, TODAY)]


def test_headline_counts_what_is_overdue(store: Store) -> None:
    import_items(store, [row("a")])
    late = DecisionItem(
        id="d", item="a", question="Scale?", owner="CMO", opened_at=AT, due_on=date(2026, 5, 2), tier=2,
        deferrals=2, net_benefit_per_year_usd=36_500,
    )  # fmt: skip
    import_decisions(store, [late])
    text = headline(store, TODAY)
    assert text.startswith("1 decision is overdue, at about $3,000; 1 pilot should stop enrolling")
