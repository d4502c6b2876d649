"""Opening the database: SQLite in WAL mode or PostgreSQL, the same tables and migrations."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from threading import Lock
from typing import Any

from sqlalchemy import Connection, Engine, ExceptionContext, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, OperationalError

from careplane.errors import SettingsError, StoreError
from careplane.store.migrate import upgrade
from careplane.store.plain import seal_plain
from careplane.store.rows import SEAL
from careplane.store.sealing import Seal, open_key

_PATIENCE = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}
"""libpq's, unless the URL says otherwise: a server that is cut off is noticed in seconds, not when TCP gives up."""


class Store:
    """The operational database. Transactions are short; nothing holds one over a network call."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        # SQLite has one writer: threads of this process queue here, in turn, rather than poll its lock.
        self._turn: AbstractContextManager[object] = Lock() if engine.dialect.name == "sqlite" else nullcontext()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection for reading."""
        with self.engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that takes the write lock at once (``BEGIN IMMEDIATE``), so it cannot fail half-way."""
        with (
            self._turn,
            self.engine.connect().execution_options(careplane_write=True) as connection,
            connection.begin(),
        ):
            yield connection

    def close(self) -> None:
        """Give all connections back."""
        self.engine.dispose()


def open_store(url: str, home: Path | None = None) -> Store:
    """Open (and bring to the newest migration) the database at a SQLAlchemy URL.

    Args:
        url: of SQLite or PostgreSQL.
        home: the folder of the installation, where the key is that seals what tells of patients
            (``secrets/store.key``, made on first use); by default the folder of an SQLite file. Without one nothing is
            sealed.

    Raises:
        SettingsError: the URL is not one, or its database is neither SQLite nor PostgreSQL.
        StoreError: the database did not answer; every later use of the store may raise it too.
    """
    engine = open_engine(url)
    upgrade(engine)
    home = home or _folder(engine)
    if home is None:
        return Store(engine)
    engine.update_execution_options(**{SEAL: Seal(open_key(home / "secrets" / "store.key"), "careplane store")})
    store = Store(engine)
    seal_plain(store.write)
    return store


def _folder(engine: Engine) -> Path | None:
    file = engine.url.database if engine.dialect.name == "sqlite" else None
    return None if not file or file == ":memory:" else Path(file).parent


def open_engine(url: str) -> Engine:
    """An engine with the pragmas and transaction rules that this project relies on, without migrating."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise SettingsError("is not a database URL", field="database_url") from error
    backend = parsed.get_backend_name()
    if backend == "sqlite":
        if parsed.database and parsed.database != ":memory:":
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        engine = create_engine(parsed, connect_args={"timeout": 30})
        event.listen(engine, "connect", _sqlite_connect)
        event.listen(engine, "begin", _sqlite_begin)
    elif backend == "postgresql":
        patience = {name: value for name, value in _PATIENCE.items() if name not in parsed.query}
        engine = create_engine(parsed.set(drivername="postgresql+psycopg"), pool_pre_ping=True, connect_args=patience)
    else:
        raise SettingsError("must be a SQLite or PostgreSQL URL", field="database_url")
    event.listen(engine, "handle_error", _store_error)
    return engine


def _store_error(context: ExceptionContext) -> None:
    """Raise what is the fault of the database, rather than of a statement, as an error of ours."""
    if type(context.sqlalchemy_exception) in (OperationalError, DatabaseError):
        url = context.engine.url if context.engine else None
        place = f" {url.render_as_string()}" if url else ""
        told = " ".join(str(context.original_exception).split())
        raise StoreError(f"The database{place} did not answer: {told}.") from context.original_exception


def _sqlite_connect(connection: Any, _record: object) -> None:
    # The driver would commit DDL silently; we emit BEGIN ourselves, so a failed migration rolls back.
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=30000"):
        connection.execute(f"PRAGMA {pragma}")


def _sqlite_begin(connection: Connection) -> None:
    immediate = connection.get_execution_options().get("careplane_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")
