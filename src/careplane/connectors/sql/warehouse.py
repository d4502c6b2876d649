"""Queries over one connection pool: read-only session, time and rows bounded, values as parameters only."""

import asyncio
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import QueuePool

from careplane.connectors.sql.reading import check_select
from careplane.errors import InputError, MissingExtra, UpstreamError, UpstreamTimeout

Value = str | int | float | bool | Decimal | date | datetime | None
CANCELLED = frozenset({"57014", "25P03"})
"""PostgreSQL: query_canceled (the statement's time is over), idle_in_transaction_session_timeout."""


class Warehouse:
    """A database that is read and never written."""

    def __init__(self, url: URL, row_limit: int, timeout: float) -> None:
        self._url = url
        self._limit = row_limit
        self._timeout = timeout
        self._backend = url.get_backend_name()
        self._engine: Engine | None = None
        self._lock = threading.Lock()

    async def select(self, query: str, values: Mapping[str, Value] | None = None) -> Sequence[Mapping[str, Any]]:
        """The rows of a SELECT, each by column name.

        Args:
            query: one SELECT; values are named in it as ``:name``.
            values: the values by name.

        Raises:
            InputError: it is no single SELECT, a value is missing or not used, or there are more rows than the limit.
            UpstreamTimeout: it took longer than the time-out.
            UpstreamError: the database does not answer, or does not take the query.
        """
        check_select(query, self._backend)
        return await asyncio.to_thread(self._select, query, dict(values or {}))

    async def aclose(self) -> None:
        """Give the connections back."""
        with self._lock:
            engine, self._engine = self._engine, None
        if engine is not None:
            engine.dispose()

    def _select(self, query: str, values: dict[str, Value]) -> list[Mapping[str, Any]]:
        statement = text(query)
        named = set(statement.compile().params)
        if named != set(values):
            wrong = sorted(named ^ set(values))
            raise InputError("has a parameter without a value, or a value without a parameter", field=wrong[0])
        try:
            with self._reading() as connection:
                rows = connection.execute(statement, values).mappings().fetchmany(self._limit + 1)
        except SQLAlchemyError as error:
            raise _told(error) from error
        if len(rows) > self._limit:
            raise InputError(f"gives more than {self._limit} rows; narrow it or raise row_limit", field="query")
        return [dict(row) for row in rows]

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with self._opened().connect() as connection:
            if self._backend == "postgresql":
                connection.exec_driver_sql("SET TRANSACTION READ ONLY")
                connection.exec_driver_sql(f"SET LOCAL statement_timeout = {int(self._timeout * 1000)}")
                yield connection
            elif self._backend == "sqlite":
                with self._timed(connection):
                    yield connection
            else:
                yield connection
            connection.rollback()

    @contextmanager
    def _timed(self, connection: Connection) -> Iterator[None]:
        raw: Any = connection.connection.dbapi_connection
        timer = threading.Timer(self._timeout, raw.interrupt)
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _opened(self) -> Engine:
        with self._lock:
            if self._engine is None:
                self._engine = self._open()
            return self._engine

    def _open(self) -> Engine:
        try:
            if self._backend == "sqlite":
                return create_engine(
                    "sqlite://", creator=self._sqlite, poolclass=QueuePool, pool_size=2, max_overflow=2
                )
            given: dict[str, Any] = {"connect_timeout": max(1, int(self._timeout))}
            arguments = given if self._backend == "postgresql" else {}
            return create_engine(self._url, connect_args=arguments, pool_size=2, max_overflow=2, pool_pre_ping=True)
        except ModuleNotFoundError as error:
            raise MissingExtra(f"The driver of {self._backend} ({error.name})", "the driver's package") from error

    def _sqlite(self) -> sqlite3.Connection:
        # mode=ro: SQLite itself refuses to write, whatever the text of a query.
        path = self._url.database or ""
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=self._timeout, check_same_thread=False)
        connection.execute("PRAGMA query_only = ON")
        return connection


def _told(error: SQLAlchemyError) -> UpstreamError:
    """What failed, by the database's code: its words may quote a value."""
    original = error.orig if isinstance(error, DBAPIError) else None
    code = getattr(original, "sqlstate", None) or getattr(original, "sqlite_errorname", None) or type(error).__name__
    if code in CANCELLED or code == "SQLITE_INTERRUPT":
        return UpstreamTimeout("The warehouse took longer than timeout_seconds allows. Narrow the query or raise it.")
    if isinstance(error, DBAPIError) and (
        error.connection_invalidated or code in ("OperationalError", "SQLITE_CANTOPEN")
    ):
        return UpstreamError(f"No connection to the warehouse ({code}). Check url, password and the network.")
    return UpstreamError(f"The warehouse did not take the query ({code}). Check names of tables and columns.")
