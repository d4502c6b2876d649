"""Migrations agree with the tables, on SQLite and on PostgreSQL, and fail without harm."""

import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from careplane.errors import Conflict
from careplane.store import Store, open_store
from careplane.store import migrations as shipped
from careplane.store.database import open_engine
from careplane.store.migrate import current_revision, upgrade
from careplane.store.tables import metadata


def test_migrated_tables_are_the_declared_tables(store: Store) -> None:
    with store.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_revisions_listed_are_the_files() -> None:
    folder = Path(shipped.__file__).parent / "versions"
    files = sorted(path.name.partition("_")[0] for path in folder.glob("[0-9]*.py"))
    assert files == sorted(shipped.REVISIONS)


def test_revisions_listed_follow_each_other() -> None:
    """A number is taken when work begins, the place in the chain when it ends, so numbers need not be in order."""
    scripts = ScriptDirectory(str(Path(shipped.__file__).parent))
    chain = [script.revision for script in scripts.walk_revisions()]
    assert chain[::-1] == list(shipped.REVISIONS)


def test_opening_again_changes_nothing(store: Store) -> None:
    upgrade(store.engine)
    with store.read() as connection:
        assert current_revision(connection) == shipped.HEAD


@pytest.mark.postgres
def test_empty_postgresql_is_migrated(empty_postgres_url: str) -> None:
    store = open_store(empty_postgres_url)
    with store.read() as connection:
        assert set(metadata.tables) <= set(inspect(connection).get_table_names())
    store.close()


def test_opening_a_current_database_loads_no_alembic(sqlite_store: Store) -> None:
    url = sqlite_store.engine.url.render_as_string()
    code = (
        "import sys; from careplane.store import open_store; "
        f"open_store({url!r}).close(); print('alembic' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_database_newer_than_the_code_is_refused_with_a_way_out(store: Store) -> None:
    with store.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(Conflict, match=r"9999.*Install the version that wrote it"):
        upgrade(store.engine)


def test_failed_migration_rolls_back_whole(home: Path) -> None:
    engine = open_engine(f"sqlite:///{home / 'careplane.db'}")
    with engine.connect() as connection, connection.begin():
        connection.execute(text("CREATE TABLE sessions (x INTEGER)"))  # stands where the last tables come
    with pytest.raises(Exception, match="sessions"):
        upgrade(engine)
    with engine.connect() as connection:
        assert inspect(connection).get_table_names() == ["sessions"]
    engine.dispose()


def test_existing_file_is_backed_up_before_it_is_migrated(
    sqlite_store: Store, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("careplane.store.migrate.HEAD", "next")
    monkeypatch.setattr("careplane.store.migrate._migrate", lambda engine: None)
    with sqlite_store.write() as connection:
        connection.execute(text("INSERT INTO goals (id, year, body) VALUES ('g', 2026, '{}')"))
    upgrade(sqlite_store.engine)
    (copy,) = home.glob(f"careplane.db.before-next-from-{shipped.HEAD}")
    assert copy.stat().st_mode & 0o777 == 0o600
    saved = open_engine(f"sqlite:///{copy}")
    with saved.connect() as connection:
        assert connection.execute(text("SELECT id FROM goals")).scalar_one() == "g"
    saved.dispose()
