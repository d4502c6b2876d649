"""Migrations: bring a database to the newest tables.

Opening a database that is current costs one query; Alembic is imported only when there is something to migrate.
"""

import logging
import os
import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

from careplane.errors import Conflict
from careplane.store.migrations import HEAD, REVISIONS

log = logging.getLogger("careplane.store")

_VERSION_TABLE = "alembic_version"
_LOCK = 0x6361726570  # PostgreSQL advisory lock number: "carep"


def current_revision(connection: Connection) -> str | None:
    """The revision of a database; ``None`` when no migration has run on it."""
    if not inspect(connection).has_table(_VERSION_TABLE):
        return None
    found = connection.execute(text(f"SELECT version_num FROM {_VERSION_TABLE}")).scalar_one_or_none()  # noqa: S608
    return None if found is None else str(found)


def upgrade(engine: Engine) -> None:
    """Bring the database to the newest migration, in one transaction; an existing SQLite file is copied first.

    Raises:
        Conflict: the database was migrated by a newer Careplane, or holds tables that are not ours.
    """
    with engine.connect() as connection:
        found = current_revision(connection)
    if found == HEAD:
        return
    _check_known(found)
    if found is not None:
        _back_up(engine, found)
    _migrate(engine)


def _check_known(found: str | None) -> None:
    if found is not None and found not in REVISIONS:
        raise Conflict(
            f"The database is at migration {found}, which this version of Careplane does not know (it knows up to "
            f"{HEAD}). Install the version that wrote it, or restore the backup made before its migration."
        )


def _back_up(engine: Engine, found: str) -> Path | None:
    """Copy an SQLite database beside itself, consistently and while others read; PostgreSQL has its own backups."""
    if engine.dialect.name != "sqlite" or not engine.url.database or engine.url.database == ":memory:":
        return None
    path = Path(engine.url.database)
    copy = path.with_name(f"{path.name}.before-{HEAD}-from-{found}")
    copy.unlink(missing_ok=True)
    os.close(os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    log.warning("database backed up to %s before migrating it from %s to %s", copy, found, HEAD)
    return copy


def _migrate(engine: Engine) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    config.set_main_option("path_separator", "os")
    with engine.connect().execution_options(careplane_write=True) as connection, connection.begin():
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        if current_revision(connection) == HEAD:
            return  # another process was quicker
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
