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
from typing import Any, TypeVar

from careplane.errors import CareplaneError, StoreError

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]

MAX_BATCH = 256
MAX_WAITING = 5_000
PATIENCE_SECONDS = 30.0


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
        self._queue: SimpleQueue[tuple[Work[Any], Future[Any]] | None] = SimpleQueue()
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
        return self._submit(work).result()

    async def write_async(self, work: Work[T]) -> T:
        """The same, from an event loop."""
        return await asyncio.wrap_future(self._submit(work))

    def close(self) -> None:
        """Write what waits and give the file back."""
        if not self._closed:
            self._closed = True
            self._queue.put(None)
            self._thread.join()
            self._writer.close()
            self._reader.close()

    def _submit(self, work: Work[T]) -> "Future[T]":
        future: Future[T] = Future()
        if self._closed or self._queue.qsize() > MAX_WAITING:
            raise StoreError(f"{self._path.name} cannot keep up or is closed; send it again in a moment.")
        self._queue.put((work, future))
        return future

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path, timeout=PATIENCE_SECONDS, isolation_level=None, check_same_thread=False
        )
        for pragma in ("journal_mode=WAL", "synchronous=FULL"):
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

    def _batch(self) -> tuple[list[tuple[Work[Any], Future[Any]]], bool]:
        """Wait for work, and take all that is there."""
        found: list[tuple[Work[Any], Future[Any]]] = []
        one = self._queue.get()
        while one is not None:
            if one[1].set_running_or_notify_cancel():
                found.append(one)
            if len(found) >= MAX_BATCH:
                return found, False
            try:
                one = self._queue.get_nowait()
            except Empty:
                return found, False
        return found, True

    def _commit(self, batch: list[tuple[Work[Any], Future[Any]]]) -> None:
        answers: list[tuple[Future[Any], Any, BaseException | None]] = []
        try:
            self._writer.execute("BEGIN IMMEDIATE")
            answers = [self._done(work, future) for work, future in batch]
            self._writer.execute("COMMIT")
        except sqlite3.Error as error:
            answers = [(future, None, self._failure(error)) for _, future in batch]
        finally:
            if self._writer.in_transaction:
                with suppress(sqlite3.Error):
                    self._writer.execute("ROLLBACK")
            # a fault of ours ends this thread; who waits must not wait for ever
            told = {future for future, _, _ in answers}
            answers += [(future, None, self._ended()) for _, future in batch if future not in told]
            self._answer(answers)

    def _answer(self, answers: list[tuple[Future[Any], Any, BaseException | None]]) -> None:
        for future, result, failure in answers:
            if failure is None:
                future.set_result(result)
            else:
                future.set_exception(failure)

    def _done(self, work: Work[Any], future: Future[Any]) -> tuple[Future[Any], Any, BaseException | None]:
        """One piece of work in its savepoint; only a file that fails as a whole fails the batch."""
        self._writer.execute("SAVEPOINT one")
        try:
            result = work(self._writer)
        except sqlite3.OperationalError:
            raise
        except (sqlite3.Error, CareplaneError, LookupError, TypeError, ValueError) as error:
            self._writer.execute("ROLLBACK TO one")
            self._writer.execute("RELEASE one")
            return future, None, error
        self._writer.execute("RELEASE one")
        return future, result, None

    def _ended(self) -> StoreError:
        return StoreError(f"The writer of {self._path.name} has ended; start the process again.")

    def _failure(self, error: sqlite3.Error) -> StoreError:
        return StoreError(f"{self._path.name} did not answer: {error}. Free the disk or the lock, and send it again.")
