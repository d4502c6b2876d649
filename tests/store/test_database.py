"""How the database is opened."""

from pathlib import Path

import pytest
from sqlalchemy import text

from careplane.errors import SettingsError, StoreError
from careplane.store import Store, open_store
from careplane.store.database import open_engine


@pytest.mark.parametrize("url", ["not a url", "mysql://localhost/x", "://"])
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="database_url"):
        open_store(url)


def test_sqlite_is_durable_and_concurrent(sqlite_store: Store) -> None:
    with sqlite_store.read() as connection:
        assert connection.execute(text("PRAGMA journal_mode")).scalar_one() == "wal"
        assert connection.execute(text("PRAGMA synchronous")).scalar_one() == 2
        assert connection.execute(text("PRAGMA foreign_keys")).scalar_one() == 1


def test_writer_takes_the_lock_at_once_and_readers_go_on(sqlite_store: Store, home: Path) -> None:
    other = open_engine(f"sqlite:///{home / 'careplane.db'}")
    with sqlite_store.write(), other.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM goals")).scalar_one() == 0
        connection.rollback()
        connection.execute(text("PRAGMA busy_timeout = 0"))
        connection.rollback()
        with pytest.raises(StoreError, match="locked"):
            connection.execution_options(careplane_write=True).execute(text("SELECT 1"))
    other.dispose()


def test_home_folder_is_made_private(tmp_path: Path) -> None:
    open_store(f"sqlite:///{tmp_path / 'new' / 'careplane.db'}").close()
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700
