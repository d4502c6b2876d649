"""One SQLite file, one writing thread: everything that arrived while the last sync ran is one transaction.

There is no timer, so a lone caller waits for one sync and many callers share it. A piece of work is a function of the
connection; it runs in a savepoint of its own, so that one which fails takes nothing of the others with it. Work is
answered only after the commit is on disk (WAL, ``synchronous=FULL``). Callers are of an event loop, by the thousand a
second; :class:`careplane.store.grouping.GroupedWrites` does the like for threads and the operational database.
"""

import asyncio
import os
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple, TypeVar

from careplane.errors import CareplaneError, StoreError

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]


class _Loop(NamedTuple):
    """A caller in an event loop."""

    loop: asyncio.AbstractEventLoop
    future: "asyncio.Future[Any]"


Caller = Future[Any] | _Loop
Answer = tuple[Caller, Any, BaseException | None]

MAX_BATCH = 256
MAX_WAITING = 5_000
PATIENCE_SECONDS = 30.0
PAGE_BYTES = 16_384
"""Rows hold contents of some kilobytes: larger pages are fewer writes of the log."""


class GroupCommit:
    """The writer of a file, and a second connection to read from.

    Args:
        path: the file; made with mode 600.
        schema: statements that make what is not there yet.
    """

    def __init__(self, path: Path, schema: str) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        self._queue: SimpleQueue[tuple[Work[Any], Caller] | None] = SimpleQueue()
        self._reading = threading.Lock()
        self._closed = False
        try:
            self._reader = self._connect()
            self._reader.executescript(schema)
            self._writer = self._connect()
        except sqlite3.Error as error:
            raise self._failure(error) from error
        self._thread = threading.Thread(target=self._run, name=f"careplane-{path.stem}", daemon=True)
        self._thread.start()

    def read(self, work: Work[T]) -> T:
        """Do something that only reads."""
        with self._reading:
            try:
                return work(self._reader)
            except sqlite3.Error as error:
                raise self._failure(error) from error

    def write(self, work: Work[T]) -> T:
        """Do something that writes; durable on return.

        Raises:
            StoreError: the file cannot be written, or too much waits for it.
        """
        future: Future[T] = Future()
        self._put(work, future)
        return future.result()

    async def write_async(self, work: Work[T]) -> T:
        """The same, from an event loop, which hears of a batch once however many of its callers are in it."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._put(work, _Loop(loop, future))
        return await future

    def close(self) -> None:
        """Write what waits and give the file back."""
        if not self._closed:
            self._closed = True
            self._queue.put(None)
            self._thread.join()
            self._writer.close()
            self._reader.close()

    def _put(self, work: Work[T], caller: "Caller") -> None:
        if self._closed or self._queue.qsize() > MAX_WAITING:
            raise StoreError(f"{self._path.name} cannot keep up or is closed; send it again in a moment.")
        self._queue.put((work, caller))

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path, timeout=PATIENCE_SECONDS, isolation_level=None, check_same_thread=False
        )
        for pragma in (f"page_size={PAGE_BYTES}", "journal_mode=WAL", "synchronous=FULL"):
            connection.execute(f"PRAGMA {pragma}")
        return connection

    def _run(self) -> None:
        ended = False
        try:
            while not ended:
                batch, ended = self._batch()
                if batch:
                    self._commit(batch)
        finally:
            self._closed = True

    def _batch(self) -> tuple[list[tuple[Work[Any], Caller]], bool]:
        """Wait for work, and take all that is there."""
        found: list[tuple[Work[Any], Caller]] = []
        one = self._queue.get()
        while one is not None:
            found.append(one)
            if len(found) >= MAX_BATCH:
                return found, False
            try:
                one = self._queue.get_nowait()
            except Empty:
                return found, False
        return found, True

    def _commit(self, batch: list[tuple[Work[Any], Caller]]) -> None:
        answers: list[Answer] = []
        try:
            self._writer.execute("BEGIN IMMEDIATE")
            answers = [self._done(work, caller) for work, caller in batch]
            self._writer.execute("COMMIT")
        except sqlite3.Error as error:
            answers = [(caller, None, self._failure(error)) for _, caller in batch]
        finally:
            if self._writer.in_transaction:
                with suppress(sqlite3.Error):
                    self._writer.execute("ROLLBACK")
            # a fault of ours ends this thread; who waits must not wait for ever
            told = {id(caller) for caller, _, _ in answers}
            answers += [(caller, None, self._ended()) for _, caller in batch if id(caller) not in told]
            _tell(answers)

    def _done(self, work: Work[Any], caller: Caller) -> Answer:
        """One piece of work in its savepoint; only a file that fails as a whole fails the batch."""
        self._writer.execute("SAVEPOINT one")
        try:
            result = work(self._writer)
        except sqlite3.OperationalError:
            raise
        except (sqlite3.Error, CareplaneError, LookupError, TypeError, ValueError) as error:
            self._writer.execute("ROLLBACK TO one")
            self._writer.execute("RELEASE one")
            return caller, None, error
        self._writer.execute("RELEASE one")
        return caller, result, None

    def _ended(self) -> StoreError:
        return StoreError(f"The writer of {self._path.name} has ended; start the process again.")

    def _failure(self, error: sqlite3.Error) -> StoreError:
        return StoreError(f"{self._path.name} did not answer: {error}. Free the disk or the lock, and send it again.")


def _tell(answers: list[Answer]) -> None:
    """Give each caller its answer; those of an event loop together, in its own thread."""
    loops: dict[asyncio.AbstractEventLoop, list[Answer]] = {}
    for answer in answers:
        caller = answer[0]
        if isinstance(caller, _Loop):
            loops.setdefault(caller.loop, []).append(answer)
        else:
            _settle(caller, answer)
    for loop, theirs in loops.items():
        with suppress(RuntimeError):  # the loop has ended meanwhile, and its callers with it
            loop.call_soon_threadsafe(_settle_all, theirs)


def _settle_all(answers: list[Answer]) -> None:
    for answer in answers:
        caller = answer[0]
        if isinstance(caller, _Loop) and not caller.future.done():
            _settle(caller.future, answer)


def _settle(future: "Future[Any] | asyncio.Future[Any]", answer: Answer) -> None:
    _, result, failure = answer
    if failure is None:
        future.set_result(result)
    else:
        future.set_exception(failure)
