"""The inbox: events that were acknowledged, durable in the store until each has been processed to its end.

An event is ``received`` until it is ``done``; ``waiting`` while it is put off until a time (a failure that is tried
again, a dependency that is away); ``dead`` when it failed too often, and then somebody has to look and replay it. What
is ``due`` is looked at again: an event whose process died before the engine knew of it is found that way. Times are the
database's.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, Row, func, select, update

from careplane.records import Record
from careplane.records.run import Event
from careplane.store import Store, count, insert_new, stamp
from careplane.store.clock import database_time
from careplane.store.rows import opened
from careplane.store.tables import events
from careplane.workflow.records import run_id

State = Literal["received", "waiting", "done", "dead"]
OPEN: tuple[State, ...] = ("received", "waiting")

FIRST_LOOK_SECONDS = 10.0
"""After this an event that was received is looked for in the engine: its process may have died in between."""
NEXT_LOOK_SECONDS = 30.0
MOST_FAILURES = 8
"""Then an event is dead."""
BACKOFF_SECONDS = 5.0
LONGEST_BACKOFF_SECONDS = 900.0


class Kept(Record, frozen=True):
    """An event in the inbox. ``key`` is the id of its run and all that the engine knows of it; ``attempt`` counts the
    times it was enqueued, ``failures`` those that failed; ``due`` is when it is looked at, in seconds since 1970."""

    key: str
    event: Event
    state: State
    received_at: str
    attempt: int
    failures: int
    due: float
    error: str | None = None


class Due(Record, frozen=True):
    """An event that is to be looked at."""

    key: str
    attempt: int
    failures: int
    state: State


def key_of(event: Event) -> str:
    """The key of an event: the id of the run that it causes, which says nothing about whom it concerns."""
    return run_id(event.app, event.id)


def receive(connection: Connection, event: Event, at: datetime) -> bool:
    """Keep an event; durable with the transaction. Says whether it was new."""
    due: Any = database_time(connection) + FIRST_LOOK_SECONDS
    return insert_new(
        connection,
        events,
        event,
        id=event.id,
        app=event.app,
        key=key_of(event),
        received_at=stamp(at),
        state="received",
        attempt=0,
        failures=0,
        due=due,
    )


def find_event(store: Store, key: str) -> Kept | None:
    """One event, or ``None``."""
    with store.read() as connection:
        row = connection.execute(select(events).where(events.c.key == key)).first()
        return None if row is None else _kept(connection, row)


def find_events(store: Store, *states: State, app: str | None = None, limit: int = 100) -> list[Kept]:
    """Events in these states, oldest first."""
    statement = select(events).where(events.c.state.in_(states)).order_by(events.c.received_at).limit(limit)
    if app is not None:
        statement = statement.where(events.c.app == app)
    with store.read() as connection:
        return [_kept(connection, row) for row in connection.execute(statement)]


def count_events(store: Store) -> dict[str, int]:
    """How many events there are in each state."""
    statement = select(events.c.state, func.count()).group_by(events.c.state)
    with store.read() as connection:
        found = {str(state): int(number) for state, number in connection.execute(statement)}
    return {state: found.get(state, 0) for state in ("received", "waiting", "done", "dead")}


def received_count(store: Store) -> int:
    """How many events are on their way; those that are put off are not counted."""
    with store.read() as connection:
        return count(connection, events, events.c.state == "received")


def settle(connection: Connection, key: str) -> None:
    """Record that an event was processed to its end."""
    connection.execute(update(events).where(events.c.key == key).values(state="done", error=None))


def postpone(connection: Connection, kept: Due | Kept, seconds: float, reason: str) -> bool:
    """Put an event off; that is no failure of it. Says whether it was still at this attempt."""
    due = database_time(connection) + seconds
    return _moved(connection, kept, state="waiting", attempt=kept.attempt + 1, due=due, error=reason)


def fail(connection: Connection, kept: Due | Kept, error: str) -> bool:
    """Record a failure: the event is tried again, later each time, until it is dead; ``error`` is a sentence of ours.
    Says whether it was still at this attempt."""
    failures = kept.failures + 1
    wait = min(BACKOFF_SECONDS * 2**kept.failures, LONGEST_BACKOFF_SECONDS)
    return _moved(
        connection,
        kept,
        state="dead" if failures >= MOST_FAILURES else "waiting",
        attempt=kept.attempt + 1,
        failures=failures,
        due=database_time(connection) + wait,
        error=error,
    )


def replay(connection: Connection, key: str) -> bool:
    """Have an event that is dead or put off tried at once, with all its tries again. Says whether it was one."""
    statement = (
        update(events)
        .where(events.c.key == key, events.c.state.in_(("dead", "waiting")))
        .values(state="waiting", failures=0, attempt=events.c.attempt + 1, due=0.0)
    )
    return connection.execute(statement).rowcount == 1


def take_due(store: Store, limit: int = 200) -> Sequence[Due]:
    """Events that are due, those that wait first; each is taken by one process, which looks at it, and is due again
    some time later unless it was settled."""
    with store.read() as connection:
        now = database_time(connection)
        here = (events.c.state.in_(OPEN), events.c.due <= now)
        if connection.execute(select(events.c.key).where(*here).limit(1)).first() is None:
            return ()
    chosen = select(events.c.key).where(*here).order_by(events.c.due).limit(limit).with_for_update(skip_locked=True)
    taken = (
        update(events)
        .where(events.c.key.in_(chosen.scalar_subquery()), *here)
        .values(due=now + NEXT_LOOK_SECONDS)
        .returning(events.c.key, events.c.attempt, events.c.failures, events.c.state)
    )
    with store.write() as connection:
        return [Due(*row) for row in connection.execute(taken)]


def resume(connection: Connection, key: str) -> None:
    """An event that was put off is on its way again."""
    connection.execute(update(events).where(events.c.key == key, events.c.state == "waiting").values(state="received"))


def _moved(connection: Connection, kept: Due | Kept, **values: Any) -> bool:
    here = (events.c.key == kept.key, events.c.attempt == kept.attempt, events.c.state.in_(OPEN))
    return connection.execute(update(events).where(*here).values(**values)).rowcount == 1


def _kept(connection: Connection, row: Row[Any]) -> Kept:
    return Kept(
        key=row.key,
        event=opened(connection, events, row, Event),
        state=row.state,
        received_at=row.received_at,
        attempt=row.attempt,
        failures=row.failures,
        due=row.due,
        error=row.error,
    )
