"""The rows of messages: kept when a person signs, claimed by whoever sends, changed by one process at a time."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, select, update

from careplane.records.app import App
from careplane.records.message import Message, MessageState
from careplane.records.run import Run
from careplane.store import Store, fetch, find, insert_new, stamp
from careplane.store.rows import opened, row_values
from careplane.store.tables import messages as table
from careplane.workflow.messaging.composing import to_patient


def queue(connection: Connection, app: App, run: Run, at: datetime) -> bool:
    """Keep the message of a run that a person has signed, in the transaction that keeps the signature.

    Says whether there is one: nothing is kept for a text that is not for the patient, or that was rejected.
    """
    review = run.review
    if review is None or review.final_text is None or not to_patient(app, run):
        return False
    message = Message(
        run=run.id,
        app=run.app,
        patient=run.event.patient or "",
        state="signed",
        signed_by=review.by,
        signed_at=review.at,
        due_at=at,
        synthetic=run.synthetic,
    )
    return insert_new(connection, table, message, run=run.id, **_columns(message))


def find_message(store: Store, run: str) -> Message | None:
    """The message of a run."""
    with store.read() as connection:
        return fetch(connection, table, Message, table.c.run == run)


def find_by_reference(store: Store, reference: str) -> Message | None:
    """The message that a provider knows by a reference."""
    with store.read() as connection:
        return fetch(connection, table, Message, table.c.reference == reference)


def find_messages(
    store: Store, states: Sequence[MessageState] = (), limit: int | None = 100, due: datetime | None = None
) -> list[Message]:
    """Messages, the longest due first; ``states`` restricts, and ``due`` to those whose time has come."""
    where: list[ColumnElement[bool]] = [table.c.state.in_(states)] if states else []
    if due is not None:
        where.append(table.c.due_at <= stamp(due))
    with store.read() as connection:
        return find(connection, table, Message, *where, order_by=(table.c.due_at.asc(),), limit=limit)


def change(store: Store, before: Message, after: Message) -> bool:
    """Replace a row if it still is what it was; says whether it was. Of several processes one succeeds."""
    mine = table.c.run == before.run
    with store.write() as connection:
        row = connection.execute(select(table.c.run, table.c.body).where(mine).with_for_update()).first()
        if row is None or opened(connection, table, row, Message) != before:
            return False
        values = row_values(connection, table, after, {"run": after.run, **_columns(after)})
        connection.execute(update(table).where(mine).values(**values))
        return True


def _columns(message: Message) -> dict[str, str | None]:
    return {
        "app": message.app,
        "state": message.state,
        "due_at": stamp(message.due_at),
        "reference": message.reference or None,
    }
