"""What was signed and is not in the chart yet: one row per run, kept in the transaction that signs, taken away in the
one that records what was written. Whoever claims a row writes it; a killed process leaves it to the next."""

import random
from datetime import datetime, timedelta

from msgspec.structs import replace
from sqlalchemy import Connection, delete, update

from careplane.records.downtime import WriteBack
from careplane.store import Store, fetch, find, save, stamp
from careplane.store.rows import encode
from careplane.store.tables import write_backs as table

IN_HAND = timedelta(seconds=60)
"""How long whoever signed has to write it in line, or whoever claimed it, before another may."""

FIRST_PAUSE = 5.0
LONGEST_PAUSE = 600.0


def owe(connection: Connection, run: str, app: str, at: datetime) -> None:
    """Note that something of a run has to reach the chart."""
    row = WriteBack(run=run, app=app, since=at, next_at=at + IN_HAND)
    save(connection, table, row, run=run, next_at=stamp(row.next_at))


def paid(connection: Connection, run: str) -> None:
    """It is in the chart."""
    connection.execute(delete(table).where(table.c.run == run))


def pending_write_backs(store: Store, due: datetime | None = None) -> list[WriteBack]:
    """What waits, the next first; with ``due`` those whose pause is over and that no person holds."""
    where = () if due is None else (table.c.next_at <= stamp(due),)
    with store.read() as connection:
        found = find(connection, table, WriteBack, *where, order_by=(table.c.next_at.asc(),))
    return [row for row in found if due is None or not row.held]


def pending_write_back(store: Store, run: str) -> WriteBack | None:
    """What waits of a run."""
    with store.read() as connection:
        return fetch(connection, table, WriteBack, table.c.run == run)


def claim(store: Store, row: WriteBack, at: datetime) -> bool:
    """Take a row for this process; one of several that try gets it."""
    until = at + IN_HAND
    mine = (table.c.run == row.run, table.c.next_at == stamp(row.next_at))
    taken = encode(replace(row, next_at=until))
    with store.write() as connection:
        return bool(connection.execute(update(table).where(*mine).values(next_at=stamp(until), body=taken)).rowcount)


def postpone(store: Store, run: str, error: str, at: datetime, *, held: str = "") -> None:
    """It did not work: try again after a pause, or (``held``) once a person has looked."""
    with store.write() as connection:
        row = fetch(connection, table, WriteBack, table.c.run == run)
        if row is None:
            return
        attempts = row.attempts + 1
        pause = min(FIRST_PAUSE * 2.0 ** min(attempts - 1, 10), LONGEST_PAUSE) * random.uniform(0.8, 1.2)  # noqa: S311
        later = replace(row, attempts=attempts, error=error, held=held, next_at=at + timedelta(seconds=pause))
        save(connection, table, later, run=run, next_at=stamp(later.next_at))


def let_go(store: Store, run: str, confirmed: str) -> None:
    """A person has seen what held it: it may be written, over those changes and no others."""
    with store.write() as connection:
        row = fetch(connection, table, WriteBack, table.c.run == run)
        if row is not None:
            save(connection, table, replace(row, held="", confirmed=confirmed), run=run, next_at=stamp(row.next_at))
