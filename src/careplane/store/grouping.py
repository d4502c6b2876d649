"""Group commit: what several callers write at a time is one transaction, so that they share one wait for the disk."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from sqlalchemy import Connection

from careplane.store.database import Store

T = TypeVar("T")
Write = Callable[[Connection], Any]

MOST = 256
"""Writes of one transaction."""


class GroupedWrites:
    """Writes that are small, independent of each other and do not fail for what they hold (``ON CONFLICT``): an error
    is the database's, and all writes of its transaction get it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: SimpleQueue[tuple[Write, Future[Any]] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._loop, name="careplane-grouped-writes", daemon=True)
        self._thread.start()

    def run(self, write: Callable[[Connection], T]) -> T:
        """Write, and wait until it is durable; blocks.

        Raises:
            StoreError: the database did not answer; nothing was written.
        """
        future: Future[T] = Future()
        self._waiting.put((write, future))
        return future.result()

    def close(self) -> None:
        """Write what waits, and end."""
        self._waiting.put(None)
        self._thread.join()

    def _loop(self) -> None:
        while (first := self._waiting.get()) is not None:
            batch = [first]
            ended = False
            while len(batch) < MOST:
                try:
                    more = self._waiting.get_nowait()
                except Empty:
                    break
                if more is None:
                    ended = True
                    break
                batch.append(more)
            self._commit(batch)
            if ended:
                return

    def _commit(self, batch: list[tuple[Write, Future[Any]]]) -> None:
        try:
            with self._store.write() as connection:
                results = [write(connection) for write, _ in batch]
        except BaseException as error:  # noqa: BLE001 - whoever waits must hear of it, whatever it is
            for _, future in batch:
                future.set_exception(error)
            return
        for (_, future), result in zip(batch, results, strict=True):
            future.set_result(result)
