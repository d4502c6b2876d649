"""The inbox: events that were acknowledged and wait to be processed, durable in the store."""

from datetime import datetime
from typing import Literal

from sqlalchemy import update

from careplane.records.run import Event
from careplane.store import Store, count, fetch, find, insert_new, stamp
from careplane.store.tables import events

State = Literal["received", "done", "failed"]


def receive(store: Store, event: Event, at: datetime) -> bool:
    """Keep an event; durable on return. Says whether it was new."""
    with store.write() as connection:
        return insert_new(
            connection, events, event, id=event.id, app=event.app, received_at=stamp(at), state="received"
        )


def load_event(store: Store, app: str, ident: str) -> Event | None:
    """One event, or ``None``."""
    with store.read() as connection:
        return fetch(connection, events, Event, events.c.app == app, events.c.id == ident)


def mark(store: Store, app: str, ident: str, state: State) -> None:
    """Record what became of an event."""
    with store.write() as connection:
        connection.execute(update(events).where(events.c.app == app, events.c.id == ident).values(state=state))


def waiting(store: Store) -> list[Event]:
    """Events that are not done, oldest first; those that failed are tried again after a restart."""
    with store.read() as connection:
        return find(connection, events, Event, events.c.state != "done", order_by=(events.c.received_at.asc(),))


def is_waiting(store: Store, event: Event) -> bool:
    """Whether an event that was taken has not been tried to its end."""
    here = (events.c.app == event.app, events.c.id == event.id, events.c.state == "received")
    with store.read() as connection:
        return count(connection, events, *here) > 0


def received_count(store: Store) -> int:
    """How many events have not been tried to their end."""
    with store.read() as connection:
        return count(connection, events, events.c.state == "received")
