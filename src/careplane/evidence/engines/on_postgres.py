"""Measures on PostgreSQL: the rows of views are copied into temporary tables of one session, which ends with them."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

import duckdb
import psycopg
import pyarrow.lib as pa
from psycopg import sql as pg

from careplane.errors import DataError, StoreError
from careplane.evidence.engines import Name
from careplane.measures import Dialect
from careplane.store.lake_views import Kept

_BATCH = 50_000
_TYPES = {pa.string(): "text", pa.int64(): "bigint", pa.float64(): "double precision", pa.bool_(): "boolean"}
_ARROW = {25: pa.string(), 20: pa.int64(), 701: pa.float64(), 16: pa.bool_()}
"""Arrow types by the type number (OID) of PostgreSQL's catalogue."""


class Postgres:
    """A session of a PostgreSQL server."""

    name: Name = "postgres"
    dialect: Dialect = "postgres"

    def __init__(self, connection: psycopg.Connection[tuple[object, ...]]) -> None:
        self.connection = connection

    def put(self, name: str, table: pa.Table) -> None:
        """See :class:`careplane.evidence.engines.Engine`."""
        self._copy(name, table.schema, iter(table.to_batches()))

    def put_kept(self, name: str, kept: Kept) -> None:
        """Copy the rows, some at a time."""
        with closing(duckdb.connect(config={"memory_limit": "512MB"})) as reading:
            self._copy(name, kept.schema, reading.execute(kept.sql).to_arrow_reader(_BATCH))

    def query(self, sql: str) -> pa.Table:
        """See :class:`careplane.evidence.engines.Engine`."""
        with self.connection.cursor() as cursor, _told():
            cursor.execute(sql.encode())
            columns = cursor.description or []
            kinds = [_ARROW.get(column.type_code, pa.string()) for column in columns]
            found = list(zip(*cursor.fetchall(), strict=True)) or [() for _ in columns]
        arrays = [pa.array(values, type=kind) for values, kind in zip(found, kinds, strict=True)]
        return pa.Table.from_arrays(arrays, names=[column.name for column in columns])

    def _copy(self, name: str, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> None:
        columns = [pg.SQL("{} {}").format(pg.Identifier(field.name), pg.SQL(_TYPES[field.type])) for field in schema]
        table = pg.Identifier("pg_temp", name)
        with self.connection.cursor() as cursor, _told():
            cursor.execute(pg.SQL("DROP TABLE IF EXISTS {}").format(table))
            cursor.execute(pg.SQL("CREATE TEMP TABLE {} ({})").format(pg.Identifier(name), pg.SQL(", ").join(columns)))
            with cursor.copy(pg.SQL("COPY {} FROM STDIN").format(table)) as copy:
                for batch in batches:
                    for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                        copy.write_row(row)
            cursor.execute(pg.SQL("ANALYZE {}").format(table))


@contextmanager
def open_postgres(url: str) -> Iterator[Postgres]:
    """An engine until the block ends; nothing of it stays in the database.

    Args:
        url: of the database, as ``postgresql://user:password@host/name``.

    Raises:
        StoreError: the server does not answer.
    """
    try:
        connection = psycopg.connect(url, autocommit=True, connect_timeout=10)
    except psycopg.Error as error:
        # not the text of the error, which may quote the URL with its password
        raise StoreError(f"The PostgreSQL of measures does not answer ({type(error).__name__}).") from None
    with closing(connection):
        connection.execute("SET TIME ZONE 'UTC'")
        yield Postgres(connection)


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except psycopg.DataError as error:
        raise DataError(f"PostgreSQL cannot take or answer this: {error.diag.message_primary or error}") from None
    except psycopg.OperationalError as error:
        raise StoreError(f"The PostgreSQL of measures ended the query ({type(error).__name__}).") from None
