"""What waits for the disk: a bounded queue whose whole content is the next batch, and one thread that writes it.

There is no timer. Everything that arrived while the last sync ran is one batch, so a lone record pays one sync and a
busy service shares it. Each event loop hears of a batch once, however many of its callers were in it.
"""

import asyncio
import contextlib
import copy
import threading
from collections.abc import Callable, Sequence

from careplane.errors import LedgerError
from careplane.ledger.chain import LedgerRecord, Prepared

IDLE_SECONDS = 5.0
"""After this long without work the thread ends; the next record starts another."""

Commit = Callable[[Sequence[Prepared]], list[LedgerRecord]]


class Waiting:
    """Entries on their way, written together: answered with their records or with the error their batch met."""

    __slots__ = ("entries", "error", "future", "gate", "loop", "records", "single")

    def __init__(self, entries: Sequence[Prepared], loop: asyncio.AbstractEventLoop | None, single: bool) -> None:
        self.entries = entries
        self.loop = loop
        self.single = single
        self.records: list[LedgerRecord] | None = None
        self.error: LedgerError | None = None
        if loop is None:
            self.gate = threading.Lock()
            self.gate.acquire()
        else:
            self.future: asyncio.Future[LedgerRecord | list[LedgerRecord]] = loop.create_future()

    def settle(self) -> None:
        """Hand the answer over, in the thread of the event loop; a caller that was cancelled wants none."""
        if self.future.done():
            return
        if self.records is None:
            self.future.set_exception(self.failure())
        else:
            self.future.set_result(self.records[0] if self.single else self.records)

    def failure(self) -> LedgerError:
        """An error of this caller's own: one instance raised in many places would collect their tracebacks."""
        return copy.copy(
            self.error or LedgerError("The audit record was interrupted before it was durable; try again.")
        )


class BatchQueue:
    """Entries in the order in which they came, and the thread that hands them to ``commit`` batch by batch.

    Args:
        commit: makes a batch durable and returns its records; raises :class:`LedgerError`.
        rest: called when there was no work for a while.
        max_records, max_bytes: what may wait, the batch that is being written included.
    """

    def __init__(self, commit: Commit, rest: Callable[[], None], max_records: int, max_bytes: int) -> None:
        self._commit = commit
        self._rest = rest
        self._max_records = max_records
        self._max_bytes = max_bytes
        self.reset()

    def reset(self) -> None:
        """A queue as new; also in the child after a fork, where no thread is left and the lock may be held for ever."""
        self._lock = threading.Lock()
        self._wake = threading.Condition(self._lock)
        self._queue: list[Waiting] = []
        self._records = 0
        self._bytes = 0
        self._sleeping = False
        self._worker: threading.Thread | None = None

    @property
    def load(self) -> tuple[int, int]:
        """Records and bytes that wait or are being written."""
        return self._records, self._bytes

    def put(self, waiting: Waiting) -> None:
        """Queue entries.

        Raises:
            LedgerError: the queue is full; nothing was queued.
        """
        count, size = len(waiting.entries), 0
        for prepared in waiting.entries:
            size += prepared.size
        with self._lock:
            if self._records + count > self._max_records or self._bytes + size > self._max_bytes:
                raise LedgerError(
                    f"The audit ledger cannot keep up: {self._records} records, {self._bytes} bytes wait for the disk. "
                    "Try again in a moment."
                )
            self._records += count
            self._bytes += size
            self._queue.append(waiting)
            if self._sleeping:
                self._sleeping = False
                self._wake.notify()
            elif self._worker is None:
                self._start(waiting, size)

    def _start(self, waiting: Waiting, size: int) -> None:
        self._worker = threading.Thread(target=self._work, name="careplane-ledger", daemon=True)
        try:
            self._worker.start()
        except RuntimeError as error:
            self._worker = None
            self._queue.remove(waiting)
            self._records -= len(waiting.entries)
            self._bytes -= size
            raise LedgerError(f"The audit ledger has no thread to write with: {error}.") from error

    def drain(self) -> None:
        """Wait until all that was queued is answered, and end the thread."""
        with self._lock:
            worker, self._worker = self._worker, None
            self._sleeping = False
            self._wake.notify()
        if worker is not None:
            worker.join()

    def _work(self) -> None:
        try:
            while batch := self._take():
                self._write(batch)
        finally:
            with self._lock:
                if self._worker is threading.current_thread():
                    self._worker = None
            self._rest()

    def _take(self) -> list[Waiting]:
        """All that waits; empty when there was nothing for a while, or after :meth:`drain`."""
        with self._lock:
            me = threading.current_thread()
            while not self._queue and self._worker is me:
                self._sleeping = True
                self._wake.wait(IDLE_SECONDS)
                if self._sleeping:
                    self._sleeping = False
                    break
            batch, self._queue = self._queue, []
            if not batch and self._worker is me:
                self._worker = None
        return batch

    def _write(self, batch: list[Waiting]) -> None:
        entries = batch[0].entries if len(batch) == 1 else [made for waiting in batch for made in waiting.entries]
        error: LedgerError | None = None
        records: list[LedgerRecord] = []
        try:
            records = self._commit(entries)
        except LedgerError as met:
            error = met
        finally:  # also when the interpreter takes the thread away: nobody may wait for ever
            self._answer(batch, records, error)

    def _answer(self, batch: list[Waiting], records: list[LedgerRecord], error: LedgerError | None) -> None:
        loops: dict[asyncio.AbstractEventLoop, list[Waiting]] = {}
        blocked: list[Waiting] = []
        place = size = count = 0
        for waiting in batch:
            count += len(waiting.entries)
            if records:
                waiting.records = records[place:count]
                place = count
            else:
                waiting.error = error
            for prepared in waiting.entries:
                size += prepared.size
            if waiting.loop is None:
                blocked.append(waiting)
            else:
                loops.setdefault(waiting.loop, []).append(waiting)
        with self._lock:
            self._records -= count
            self._bytes -= size
        for waiting in blocked:
            waiting.gate.release()
        for loop, served in loops.items():
            with contextlib.suppress(RuntimeError):  # the loop was closed: nobody waits any more
                loop.call_soon_threadsafe(_settle_all, served)


def _settle_all(served: list[Waiting]) -> None:
    for waiting in served:
        waiting.settle()
