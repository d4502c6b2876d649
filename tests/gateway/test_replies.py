"""Replies that a repeated call gets again: the same, sealed at rest, and only for the very same call."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace
from sqlalchemy import select, update

from careplane.errors import StoreError
from careplane.gateway.replies import KEPT, KeptReplies, repeatable
from careplane.ledger import Ledger
from careplane.records.model import ModelCall, ModelReply, ModelRequest, Usage
from careplane.shield.vault import installation_secret
from careplane.store import Store
from careplane.store.grouping import GroupedWrites
from careplane.store.tables import model_replies

AT = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
REQUEST = ModelRequest(id="run-1-draft", app="portal_reply", route="default", body={"messages": []}, run="run-1")
CALL = ModelCall(
    id="run-1-draft",
    route="default",
    provider="scripted",
    model="scripted-1",
    usage=Usage(input_tokens=10, output_tokens=10, cost_usd=0.001),
    latency_ms=1.0,
    surrogates=2,
    at=AT,
)
REPLY = ModelReply(text="Dear Maria Quill, your next visit is on 12 March.", call=CALL)


@pytest.fixture
def writes(store: Store) -> Iterator[GroupedWrites]:
    """What writes of a moment share."""
    grouped = GroupedWrites(store)
    yield grouped
    grouped.close()


@pytest.fixture
def replies(store: Store, home: Path, writes: GroupedWrites) -> KeptReplies:
    """The replies of an installation on either database."""
    return KeptReplies(store, installation_secret(home), lambda: AT, writes)


def test_the_same_call_gets_the_same_reply(
    replies: KeptReplies, store: Store, home: Path, writes: GroupedWrites
) -> None:
    assert replies.find(REQUEST) is None
    asyncio.run(replies.keep(REQUEST, REPLY))
    asyncio.run(replies.keep(REQUEST, replace(REPLY, text="A second one.")))
    assert replies.find(REQUEST) == REPLY
    again = KeptReplies(store, installation_secret(home), lambda: AT, writes)
    assert again.find(REQUEST) == REPLY


@pytest.mark.parametrize(
    "other",
    [
        replace(REQUEST, id="run-2-draft"),
        replace(REQUEST, body={"messages": [], "temperature": 1}),
        replace(REQUEST, version="2.0.0"),
        replace(REQUEST, route="large"),
    ],
)
def test_another_call_gets_none(replies: KeptReplies, other: ModelRequest) -> None:
    asyncio.run(replies.keep(REQUEST, REPLY))
    assert replies.find(other) is None


def test_nothing_at_rest_can_be_read_moved_or_given_more_time(replies: KeptReplies, store: Store) -> None:
    asyncio.run(replies.keep(REQUEST, REPLY))
    with store.read() as connection:
        row = connection.execute(select(model_replies)).one()
    assert "Quill" not in str(row)
    assert "run-1" not in str(row)
    later = (AT + 2 * KEPT).isoformat(timespec="microseconds")
    with store.write() as connection:
        connection.execute(update(model_replies).values(expires_at=later))
    assert replies.find(REQUEST) is None
    with store.write() as connection:
        connection.execute(update(model_replies).values(expires_at=row.expires_at, sealed="no base64"))
    assert replies.find(REQUEST) is None


def test_what_expired_is_not_given_and_deleted(store: Store, home: Path, writes: GroupedWrites) -> None:
    now = [AT]
    replies = KeptReplies(store, installation_secret(home), lambda: now[0], writes)
    asyncio.run(replies.keep(REQUEST, REPLY))
    assert replies.purge() == 0
    now[0] = AT + KEPT + timedelta(seconds=1)
    assert replies.find(REQUEST) is None
    assert replies.purge() == 1


def test_a_repeat_asks_no_model_and_is_on_record(replies: KeptReplies, ledger: Ledger) -> None:
    asked = []

    async def complete(request: ModelRequest) -> ModelReply:
        asked.append(request.id)
        return REPLY

    async def ask() -> ModelReply:
        return await repeatable(complete, replies, ledger, lambda: AT)(REQUEST)

    first, second = asyncio.run(ask()), asyncio.run(ask())
    assert first == second == REPLY
    assert asked == ["run-1-draft"]
    (record,) = ledger.records(kind="model_call_repeated")
    assert record.run == "run-1"


def test_while_the_database_is_away_no_model_is_asked(home: Path, ledger: Ledger, sqlite_store: Store) -> None:
    writes = GroupedWrites(sqlite_store)
    replies = KeptReplies(sqlite_store, installation_secret(home), lambda: AT, writes)
    with sqlite_store.write() as connection:
        connection.exec_driver_sql("DROP TABLE model_replies")

    async def complete(_request: ModelRequest) -> ModelReply:
        raise AssertionError

    async def ask() -> ModelReply:
        return await repeatable(complete, replies, ledger, lambda: AT)(REQUEST)

    with pytest.raises(StoreError):
        asyncio.run(ask())
    asyncio.run(replies.keep(REQUEST, REPLY))
    writes.close()
