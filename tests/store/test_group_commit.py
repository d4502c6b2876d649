"""Group commit of one file: what is answered is on disk, and a failure is of its own caller only."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from careplane.errors import NotFound, StoreError
from careplane.store.group_commit import GroupCommit

SCHEMA = "CREATE TABLE IF NOT EXISTS t (n INTEGER UNIQUE)"


@pytest.fixture
def file(tmp_path: Path) -> Iterator[GroupCommit]:
    opened = GroupCommit(tmp_path / "one.db", SCHEMA)
    yield opened
    opened.close()


def put(n: int, then: BaseException | None = None) -> Callable[[sqlite3.Connection], int]:
    def work(connection: sqlite3.Connection) -> int:
        connection.execute("INSERT INTO t VALUES (?)", (n,))
        if then is not None:
            raise then
        return n

    return work


def held(path: Path) -> list[int]:
    with sqlite3.connect(path) as connection:
        return [row[0] for row in connection.execute("SELECT n FROM t ORDER BY n")]


def test_writers_of_one_loop_and_of_threads_share_commits(file: GroupCommit, tmp_path: Path) -> None:
    async def loop() -> list[int]:
        return await asyncio.gather(*(file.write_async(put(n)) for n in range(500)))

    with ThreadPoolExecutor(4) as threads:
        others = threads.map(lambda n: file.write(put(n)), range(500, 600))
        assert asyncio.run(loop()) == list(range(500))
        assert list(others) == list(range(500, 600))
    assert held(tmp_path / "one.db") == list(range(600))


def test_who_fails_takes_nothing_of_the_others(file: GroupCommit, tmp_path: Path) -> None:
    async def loop() -> list[object]:
        works = [put(1), put(2, NotFound("no")), put(1), put(3)]
        return await asyncio.gather(*(file.write_async(work) for work in works), return_exceptions=True)

    first, second, third, fourth = asyncio.run(loop())
    assert (first, fourth) == (1, 3)
    assert isinstance(second, NotFound)
    assert isinstance(third, sqlite3.IntegrityError)
    assert held(tmp_path / "one.db") == [1, 3]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_fault_of_ours_leaves_nobody_waiting(file: GroupCommit, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="has ended"):
        file.write(put(1, MemoryError()))
    file._thread.join()
    with pytest.raises(StoreError):
        file.write(put(2))
    assert held(tmp_path / "one.db") == []


def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.db").write_bytes(b"this is no database" * 100)
    with pytest.raises(StoreError, match=r"broken\.db did not answer"):
        GroupCommit(tmp_path / "broken.db", SCHEMA)


def test_closing_writes_what_waits_and_can_be_done_twice(tmp_path: Path) -> None:
    opened = GroupCommit(tmp_path / "one.db", SCHEMA)
    opened.write(put(1))
    opened.close()
    opened.close()
    with pytest.raises(StoreError):
        opened.write(put(2))
    assert (tmp_path / "one.db").stat().st_mode & 0o077 == 0
