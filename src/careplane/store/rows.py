"""Records in and out of tables: the whole record is JSON in ``body``, searchable columns stand beside it.

Where a table says ``sealed``, the body is sealed under the key of the installation, bound to the key of its row, and
the columns that it names as ``digested`` hold keyed digests: who has the database without the key reads nothing of a
patient. A database without a home has no key, and holds both as they are.
"""

import base64
import binascii
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec
from sqlalchemy import Column, ColumnElement, Connection, Row, RowMapping, Table, func, select
from sqlalchemy.dialects import postgresql, sqlite

from careplane.errors import StoreError
from careplane.records import Record
from careplane.store.sealing import Seal

R = TypeVar("R", bound=Record)

SEAL = "careplane_seal"
"""The execution option of a connection that holds the seal of its bodies."""
_SEALED = "sealed:"


def encode(record: Record) -> str:
    """A record as JSON text, keys in the order of its fields."""
    return msgspec.json.encode(record).decode()


def row_values(connection: Connection, table: Table, record: Record, columns: Mapping[str, Any]) -> dict[str, Any]:
    """What the row of a record holds; ``columns`` hold its whole key and what is searched."""
    digested = {name: digest(connection, columns[name]) for name in table.info.get("digested", ()) if name in columns}
    return {**columns, **digested, "body": sealed(connection, table, encode(record), columns)}


def sealed(connection: Connection, table: Table, body: str, key: Mapping[str, Any]) -> str:
    """A body as its table holds it."""
    seal = _seal(connection, table)
    if seal is None:
        return body
    return _SEALED + base64.b64encode(seal.seal(body.encode(), _place(table, key))).decode()


def unsealed(connection: Connection, table: Table, body: str, key: Mapping[str, Any] | RowMapping) -> str:
    """A body as it was before it was sealed.

    Raises:
        StoreError: it does not open.
    """
    if not body.startswith(_SEALED):
        return body
    seal = _seal(connection, table)
    if seal is None:
        raise StoreError(f"The rows of {table.name} are sealed, and this database was opened without its home's key.")
    try:
        content = base64.b64decode(body.removeprefix(_SEALED), validate=True)
    except binascii.Error:
        content = b""
    return seal.open(content, _place(table, key)).decode()


def digest(connection: Connection, value: str | None) -> str | None:
    """What a digested column holds for a value, to compare with."""
    seal: Seal | None = connection.get_execution_options().get(SEAL)
    return value if seal is None or value is None else seal.digest(value.encode())


def opened(connection: Connection, table: Table, row: Row[*tuple[Any, ...]], kind: type[R]) -> R:
    """The record of a row that has its body and its key."""
    return msgspec.json.decode(unsealed(connection, table, row.body, row._mapping), type=kind)


def _seal(connection: Connection, table: Table) -> Seal | None:
    return connection.get_execution_options().get(SEAL) if table.info.get("sealed") else None


def _place(table: Table, key: Mapping[str, Any] | RowMapping) -> str:
    return "\n".join((table.name, *(str(key[column.name]) for column in table.primary_key.columns)))


def save(connection: Connection, table: Table, record: Record, **columns: Any) -> None:
    """Insert or replace the row of a record; ``columns`` hold the key and what is searched."""
    values = row_values(connection, table, record, columns)
    keys = [column.name for column in table.primary_key.columns]
    statement = _insert(connection, table).values(**values)
    changes = {name: value for name, value in values.items() if name not in keys}
    connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=changes))


def insert_new(connection: Connection, table: Table, record: Record, **columns: Any) -> bool:
    """Insert a record unless its key (or a unique column) is there already; says whether it was new."""
    key = table.primary_key.columns[0]
    values = row_values(connection, table, record, columns)
    statement = _insert(connection, table).values(**values).on_conflict_do_nothing()
    # The row count of a PostgreSQL insert is not reported for every driver, what it returns is.
    return connection.execute(statement.returning(key)).first() is not None


def insert_row(connection: Connection, table: Table, **columns: Any) -> bool:
    """Insert a row that is no record unless its key is there already; says whether it was new."""
    statement = _insert(connection, table).values(**columns).on_conflict_do_nothing()
    return connection.execute(statement.returning(table.primary_key.columns[0])).first() is not None


def fetch(connection: Connection, table: Table, kind: type[R], *where: ColumnElement[bool]) -> R | None:
    """The one record that meets the conditions, or ``None``."""
    row = connection.execute(select(*_body_and_key(table)).where(*where).limit(1)).first()
    return None if row is None else opened(connection, table, row, kind)


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
    statement = select(*_body_and_key(table)).where(*where).order_by(*order_by).offset(offset)
    if limit is not None:
        statement = statement.limit(limit)
    decoder = msgspec.json.Decoder(kind)
    return [decoder.decode(unsealed(connection, table, row[0], row._mapping)) for row in connection.execute(statement)]


def _body_and_key(table: Table) -> tuple[Column[Any], ...]:
    return (table.c.body, *table.primary_key.columns)


def count(connection: Connection, table: Table, *where: ColumnElement[bool]) -> int:
    """How many rows meet the conditions."""
    return int(connection.execute(select(func.count()).select_from(table).where(*where)).scalar_one())


def _insert(connection: Connection, table: Table) -> Any:
    return sqlite.insert(table) if connection.dialect.name == "sqlite" else postgresql.insert(table)


def stamp(at: datetime) -> str:
    """A time as the tables hold it: ISO 8601 in UTC, microseconds kept, so that text order is time order."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")
