"""The watchdog of a worker: it renews the worker's lease, takes over from workers that died, and looks after events
that are due.

Renewing has a thread of its own, so that nothing else delays it. A worker that could not renew in time (its machine
stood still, the database was away) says so to :meth:`Watch.held`, and for one lease long it judges nobody: the others
may have met the same.
"""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from careplane.errors import StoreError
from careplane.store import Store
from careplane.workflow import leases

log = logging.getLogger("careplane.workflow")

TICK_SECONDS = 1.0


class Watch:
    """The watchdog of one worker.

    Args:
        store: where the leases are.
        home: where the locks of this machine's workers are.
        executor: the name of this worker.
        version: of the workflows that it runs.
        take_over: enqueues again what an executor had under way; says how much.
        look_after: looks after events that are due.
        seconds: how long a lease holds; it is renewed three times in it.
    """

    def __init__(
        self,
        store: Store,
        home: Path,
        executor: str,
        version: str,
        take_over: Callable[[str], int],
        look_after: Callable[[], None],
        seconds: float = leases.LEASE_SECONDS,
    ) -> None:
        self.executor = executor
        self._store, self._home, self._version, self._seconds = store, home, version, seconds
        self._take_over, self._look_after = take_over, look_after
        self._line = leases.LifeLine(home, executor)
        self._ending = threading.Event()
        self._renewed, self._steady_since = 0.0, float("-inf")
        self._generation = 0
        self._threads = [
            threading.Thread(target=self._repeat, args=(act, every), name=f"careplane-{name}", daemon=True)
            for name, act, every in (
                ("lease", self._renew, seconds / 3),
                ("watch", self._tick, min(TICK_SECONDS, seconds / 5)),
            )
        ]

    def hold(self) -> None:
        """Take the lease: before the engine takes anything."""
        self._line.hold()
        self._renewed = time.monotonic()
        leases.register(self._store, self.executor, self._version, self._seconds)

    def start(self) -> None:
        """Begin to renew and to watch."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Give the lease back: another worker takes over at once what this one leaves."""
        self._ending.set()
        for thread in self._threads:
            thread.join()
        try:
            leases.release(self._store, self.executor)
        except (StoreError, SQLAlchemyError):
            log.warning("the lease could not be given back; it ends by itself")
        self._line.let_go()

    def held(self) -> int | None:
        """The number of the lease that is held, or ``None`` when it may be over: what was begun under another one may
        be under way elsewhere too, and must have no effect here."""
        return self._generation if time.monotonic() - self._renewed < self._seconds else None

    def _repeat(self, act: Callable[[], None], every: float) -> None:
        """A watchdog that ends because of an error guards nothing: it goes on, whatever the error is."""
        with ThreadPoolExecutor(max_workers=1) as thread:
            while not self._ending.wait(every):
                error = thread.submit(act).exception()
                if error is not None:
                    log.warning("the watchdog met %s; it tries again", type(error).__name__)

    def _renew(self) -> None:
        asked = time.monotonic()
        if asked - self._renewed >= self._seconds:
            self._steady_since = asked
        if not leases.renew(self._store, self.executor, self._seconds):
            log.warning("another worker took over from this one; what it had under way has no effect any more")
            self._generation += 1
            leases.register(self._store, self.executor, self._version, self._seconds)
        self._renewed = asked

    def _tick(self) -> None:
        if self.held() is None:
            return
        if time.monotonic() - self._steady_since >= self._seconds:
            self._watch_others()
        self._look_after()

    def _watch_others(self) -> None:
        for worker in leases.find_workers(self._store):
            if worker.executor == self.executor:
                continue
            ended = worker.taker is None and leases.has_ended(self._home, worker.executor)
            if not (ended or worker.left <= 0):
                continue
            if leases.claim(self._store, worker.executor, self.executor, self._seconds, ended=ended):
                number = self._take_over(worker.executor)
                leases.forget(self._store, worker.executor, self.executor)
                leases.clear_line(self._home, worker.executor)
                log.warning("took over %d runs of worker %s, which ended", number, worker.executor)
