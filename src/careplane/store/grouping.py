"""Group commit: what several callers write at a time is one transaction, so that they share one wait for the disk."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from careplane.store.database import Store

T = TypeVar("T")
Write = Callable[[Connection], Any]

MOST = 256
"""Writes of one transaction."""


class GroupedWrites:
    """Writes that are small and independent of each other. When the database is away, all who wait are told; when one
    write is at fault, each of its transaction is written alone, and the others do not suffer."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: SimpleQueue[tuple[Write, Future[Any]]] = SimpleQueue()
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="careplane-grouped-writes")

    def run(self, write: Callable[[Connection], T]) -> T:
        """Write, and wait until it is durable; blocks.

        Raises:
            StoreError: the database did not answer; nothing was written.
        """
        return self._submit(write).result()

    async def run_async(self, write: Callable[[Connection], T]) -> T:
        """Write, and wait until it is durable without holding a thread; as :meth:`run`. It is written also when who
        waits is cancelled.

        Raises:
            StoreError: the database did not answer; nothing was written.
        """
        return await asyncio.shield(asyncio.wrap_future(self._submit(write)))

    def close(self) -> None:
        """Write what waits, and end."""
        self._writer.shutdown(wait=True)

    def _submit(self, write: Callable[[Connection], T]) -> Future[T]:
        future: Future[T] = Future()
        self._waiting.put((write, future))
        self._writer.submit(self._commit)
        return future

    def _commit(self) -> None:
        """Commit all that waits; whoever comes later, while this waits for the disk, is in the next transaction."""
        batch = self._taken()
        if batch and not self._written(batch):
            for one in batch:
                self._written([one])

    def _written(self, batch: list[tuple[Write, Future[Any]]]) -> bool:
        """Write a batch and tell all who wait; ``False`` when one of several is at fault, and none is written."""
        try:
            with self._store.write() as connection:
                results = [write(connection) for write, _ in batch]
        except SQLAlchemyError as error:
            if len(batch) > 1:
                return False
            batch[0][1].set_exception(error)
            return True
        except BaseException as error:
            for _, future in batch:
                future.set_exception(error)
            raise
        for (_, future), result in zip(batch, results, strict=True):
            future.set_result(result)
        return True

    def _taken(self) -> list[tuple[Write, Future[Any]]]:
        taken: list[tuple[Write, Future[Any]]] = []
        while len(taken) < MOST:
            try:
                taken.append(self._waiting.get_nowait())
            except Empty:
                break
        return taken
