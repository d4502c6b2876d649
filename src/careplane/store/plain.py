"""Rows from before bodies were sealed: found when a database is opened, and sealed where they are."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from sqlalchemy import Connection, Table, and_, select, update

from careplane.store.rows import digest, sealed
from careplane.store.tables import metadata

BATCH = 500


def seal_plain(write: Callable[[], AbstractContextManager[Connection]]) -> int:
    """Seal every plain body of the sealed tables, and digest what is to be digested with it; says how many there were.

    Stopped half-way it goes on the next time; several processes may do it at once.
    """
    return sum(_seal_table(write, table) for table in metadata.sorted_tables if table.info.get("sealed"))


def _seal_table(write: Callable[[], AbstractContextManager[Connection]], table: Table) -> int:
    total = 0
    key = tuple(table.primary_key.columns)
    digested = tuple(table.c[name] for name in table.info.get("digested", ()))
    plain = select(table.c.body, *key, *digested).where(table.c.body.startswith("{")).limit(BATCH)
    while True:
        with write() as connection:
            rows = connection.execute(plain).mappings().all()
            for row in rows:
                mine = and_(*(column == row[column.name] for column in key), table.c.body == row["body"])
                values: dict[str, Any] = {column.name: digest(connection, row[column.name]) for column in digested}
                values["body"] = sealed(connection, table, row["body"], dict(row))
                connection.execute(update(table).where(mine).values(**values))
        total += len(rows)
        if len(rows) < BATCH:
            return total
