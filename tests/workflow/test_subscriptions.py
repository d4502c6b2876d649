"""Where our Subscriptions were heard to is never lost, and one process makes each; on SQLite and PostgreSQL."""

import pytest
from sqlalchemy import update

from careplane.store import Store
from careplane.store.tables import subscriptions as table
from careplane.workflow import subscriptions
from careplane.workflow.subscriptions import Subscribed, advance, claim, confirm, find_subscribed, instant, restart

BEGUN, LATER = "2026-03-01T00:00:00.000000+00:00", "2026-03-02T00:00:00.000000+00:00"


def only(store: Store) -> Subscribed:
    (one,) = find_subscribed(store)
    return one


def test_one_process_makes_it(store: Store) -> None:
    assert claim(store, "Task", "a", "token", "")
    assert not claim(store, "Task", "b", "token", "")
    assert not claim(store, "Task", "b", "token", "", only(store))  # the other is still at it
    confirm(store, "a", "Subscription/1", BEGUN)
    assert not claim(store, "Task", "b", "token", "")
    assert (only(store).id, only(store).remote, only(store).since) == ("a", "Subscription/1", BEGUN)


def test_a_claim_whose_process_died_is_taken_over(store: Store) -> None:
    claim(store, "Task", "a", "token", "")
    with store.write() as connection:
        connection.execute(update(table).values(claimed_at=table.c.claimed_at - subscriptions.CLAIM_SECONDS - 1))
    assert claim(store, "Task", "b", "other", "", only(store))
    assert only(store).id == "b"


def test_what_follows_goes_on_from_where_it_was_heard(store: Store) -> None:
    claim(store, "Task", "a", "token", "")
    confirm(store, "a", "Subscription/1", BEGUN)
    advance(store, "a", 7, LATER)
    assert claim(store, "Task", "b", "other", "", only(store))
    assert (only(store).since, only(store).seen, only(store).remote) == (LATER, 0, "")
    with store.write() as connection:  # it could not be made; the next one still knows
        connection.execute(update(table).values(claimed_at=0))
    assert claim(store, "Task", "c", "third", "", only(store))
    confirm(store, "c", "Subscription/2", "2026-03-03T00:00:00.000000+00:00")
    assert only(store).since == LATER


def test_it_never_goes_back_whatever_order_notifications_come_in(store: Store) -> None:
    claim(store, "Task", "a", "token", "")
    confirm(store, "a", "Subscription/1", BEGUN)
    for seen, since in ((5, LATER), (3, BEGUN), (None, None)):
        advance(store, "a", seen, since)
        assert (only(store).seen, only(store).since) == (5, LATER)
    restart(store, "a", 0)
    assert (only(store).seen, only(store).since) == (0, LATER)


def test_a_token_is_known_by_its_hash(store: Store) -> None:
    claim(store, "Task", "a", "token", "")
    one = only(store)
    assert one.carries("token")
    assert not any(one.carries(wrong) for wrong in ("", "Token", "token ", one.secret))
    assert "token" not in repr(one)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("2026-03-01T01:00:00+01:00", BEGUN),
        ("2026-03-01T00:00:00Z", BEGUN),
        ("2026-03-01T00:00:00.123456789Z", "2026-03-01T00:00:00.123456+00:00"),
        ("2026-03-01", None),
        ("2026-03-01T00:00:00", None),
        ("soon", None),
        (5, None),
    ],
)
def test_an_instant_is_kept_in_utc(text: object, kept: str | None) -> None:
    assert instant(text) == kept
