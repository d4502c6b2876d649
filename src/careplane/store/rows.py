"""Records in and out of tables: the whole record is JSON in ``body``, searchable columns stand beside it."""

from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec
from sqlalchemy import ColumnElement, Connection, Table, func, select
from sqlalchemy.dialects import postgresql, sqlite

from careplane.records import Record

R = TypeVar("R", bound=Record)


def encode(record: Record) -> str:
    """A record as JSON text, keys in the order of its fields."""
    return msgspec.json.encode(record).decode()


def save(connection: Connection, table: Table, record: Record, **columns: Any) -> None:
    """Insert or replace the row of a record; ``columns`` hold the key and what is searched."""
    values = {**columns, "body": encode(record)}
    keys = [column.name for column in table.primary_key.columns]
    statement = _insert(connection, table).values(**values)
    changes = {name: value for name, value in values.items() if name not in keys}
    connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=changes))


def insert_new(connection: Connection, table: Table, record: Record, **columns: Any) -> bool:
    """Insert a record unless its key (or a unique column) is there already; says whether it was new."""
    key = table.primary_key.columns[0]
    statement = _insert(connection, table).values(**columns, body=encode(record)).on_conflict_do_nothing()
    # The row count of a PostgreSQL insert is not reported for every driver, what it returns is.
    return connection.execute(statement.returning(key)).first() is not None


def insert_row(connection: Connection, table: Table, **columns: Any) -> bool:
    """Insert a row that is no record unless its key is there already; says whether it was new."""
    statement = _insert(connection, table).values(**columns).on_conflict_do_nothing()
    return connection.execute(statement.returning(table.primary_key.columns[0])).first() is not None


def fetch(connection: Connection, table: Table, kind: type[R], *where: ColumnElement[bool]) -> R | None:
    """The one record that meets the conditions, or ``None``."""
    row = connection.execute(select(table.c.body).where(*where).limit(1)).first()
    return None if row is None else msgspec.json.decode(row[0], type=kind)


def find(
    connection: Connection,
    table: Table,
    kind: type[R],
    *where: ColumnElement[bool],
    order_by: tuple[ColumnElement[Any], ...] = (),
    limit: int | None = None,
    offset: int = 0,
) -> list[R]:
    """The records that meet the conditions."""
    statement = select(table.c.body).where(*where).order_by(*order_by).offset(offset)
    if limit is not None:
        statement = statement.limit(limit)
    decoder = msgspec.json.Decoder(kind)
    return [decoder.decode(row[0]) for row in connection.execute(statement)]


def count(connection: Connection, table: Table, *where: ColumnElement[bool]) -> int:
    """How many rows meet the conditions."""
    return int(connection.execute(select(func.count()).select_from(table).where(*where)).scalar_one())


def _insert(connection: Connection, table: Table) -> Any:
    return sqlite.insert(table) if connection.dialect.name == "sqlite" else postgresql.insert(table)


def stamp(at: datetime) -> str:
    """A time as the tables hold it: ISO 8601 in UTC, microseconds kept, so that text order is time order."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")
