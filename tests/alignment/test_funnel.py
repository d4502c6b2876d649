"""Moves of the funnel: legal ones only, with who and why."""

from datetime import UTC, date, datetime, timedelta

import pytest

from careplane.alignment import confirm_sponsor, find_moves, funnel, import_items, load_item, move_stage
from careplane.errors import Conflict, InputError, Refused
from careplane.ledger import Ledger
from careplane.store import Store

from .items import row

AT = datetime(2026, 6, 1, 9, tzinfo=UTC)


@pytest.fixture
def pilot(store: Store) -> Store:
    import_items(store, [row("a")])
    return store


def test_a_move_is_stamped(pilot: Store, ledger: Ledger) -> None:
    confirm_sponsor(pilot, ledger, "a", "Chief Medical Officer", AT)
    moved = move_stage(pilot, ledger, load_item(pilot, "a"), "limited_production", AT, "committee", "It works.")
    assert (moved.stage, moved.stage_since) == ("limited_production", AT.date())
    last = find_moves(pilot, "a")[-1]
    assert (last.from_stage, last.by, last.why) == ("pilot", "committee", "It works.")
    assert next(ledger.records(kind="stage.moved")).facts["to"] == "limited_production"


def test_a_jump_is_refused_with_a_way_out(pilot: Store, ledger: Ledger) -> None:
    with pytest.raises(Refused) as caught:
        move_stage(pilot, ledger, load_item(pilot, "a"), "sustained", AT, "x", "y")
    assert "limited_production" in caught.value.way_out
    assert load_item(pilot, "a").stage == "pilot"


def test_a_lapsed_sponsor_freezes_scaling(pilot: Store, ledger: Ledger) -> None:
    confirm_sponsor(pilot, ledger, "a", "Chief Medical Officer", AT - timedelta(days=181))
    with pytest.raises(Refused, match="has not confirmed"):
        move_stage(pilot, ledger, load_item(pilot, "a"), "limited_production", AT, "x", "y")
    assert move_stage(pilot, ledger, load_item(pilot, "a"), "stopped", AT, "x", "No sponsor.").stage == "stopped"


def test_a_reason_is_needed(pilot: Store, ledger: Ledger) -> None:
    with pytest.raises(InputError, match="why"):
        move_stage(pilot, ledger, load_item(pilot, "a"), "stopped", AT, "x", "  ")


def test_a_stale_row_is_a_conflict(pilot: Store, ledger: Ledger) -> None:
    stale = load_item(pilot, "a")
    move_stage(pilot, ledger, stale, "stopped", AT, "x", "y")
    with pytest.raises(Conflict):
        move_stage(pilot, ledger, stale, "shadow", AT, "x", "y")


def test_funnel_counts(pilot: Store, ledger: Ledger) -> None:
    move_stage(pilot, ledger, load_item(pilot, "a"), "stopped", AT, "x", "y")
    stages = {stage.stage: stage for stage in funnel(pilot, date(2026, 6, 2))}
    assert (stages["pilot"].now, stages["pilot"].entered, stages["pilot"].left) == (0, 1, 1)
    assert stages["pilot"].median_days == 31
    assert (stages["stopped"].now, stages["stopped"].median_days) == (1, None)
    later = {stage.stage: stage for stage in funnel(pilot, date(2027, 6, 2))}
    assert (later["pilot"].entered, later["pilot"].median_days) == (0, 31)
