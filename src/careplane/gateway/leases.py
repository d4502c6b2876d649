"""A process's leases of shared limits, and the thread that keeps them: the database's end of :mod:`.shares`.

Requests spend what is leased under one short lock and touch neither database nor thread. The keeper's thread comes back
for more *before* a lease is used up or over, for all limits of the process in one transaction. While the store does not
answer, leases run out and requests are refused (fail closed); the keeper goes on trying and recovers by itself.
"""

import asyncio
import logging
import os
import secrets
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec
from sqlalchemy import Connection, bindparam, select, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError

from careplane.errors import StoreError
from careplane.gateway.shares import Grant
from careplane.store import Store
from careplane.store.tables import shared_limits

log = logging.getLogger("careplane.gateway")

TICK_SECONDS = 1.0
PATIENCE_SECONDS = 2.0
LONGEST_PAUSE_SECONDS = 2.0
ASK_SECONDS = 0.05
"""How long a lease that nobody waits for leaves the store alone, when little is left of it."""


class Lease(Protocol):
    """A part of one shared limit. All but ``step`` run under the keeper's lock; times are of the monotonic clock."""

    key: str
    kind: str
    subject: str
    period: str
    needs: list[int]

    def ask(self, now: float, *, closing: bool) -> Any | None:
        """What to ask the store for, or ``None`` when there is nothing to do."""

    def step(self, body: str, now: float, ask: Any) -> tuple[str, Grant]:
        """The new state of the row and the answer; runs in the keeper's thread within the transaction."""

    def take(self, grant: Grant, until: float, ask: Any) -> None:
        """The answer came; ``until`` is where the lease ends on this process's clock."""

    def lost(self, ask: Any) -> None:
        """No answer came; the store may or may not have taken the ask."""

    def alive(self, now: float) -> bool:
        """Whether it has to be looked after: it holds something, or somebody waits."""


class Keeper:
    """The leases of one process. ``holder`` names it in the store and in the ledger.

    ``lock`` guards the local part of every lease; whoever spends from one holds it, for a moment.
    """

    def __init__(self, store: Store, *, tick_seconds: float = TICK_SECONDS) -> None:
        self.holder = secrets.token_hex(6)
        self._process = os.getpid()
        self.lock = threading.Lock()
        self.outage: str | None = None
        self.exchanges = 0
        self._store = store
        self._tick = tick_seconds
        self._wake = threading.Condition(self.lock)
        self._alive: set[Lease] = set()
        self._nudged = False
        self._closing = False
        self._waiting: list[Waiting] = []
        self._thread: threading.Thread | None = None

    def watch(self, lease: Lease) -> None:
        """Look after a lease from now on (under the lock)."""
        if lease not in self._alive:
            self._alive.add(lease)
            self.nudge()

    def nudge(self) -> None:
        """Come now rather than at the next tick (under the lock)."""
        if not self._nudged:
            self._nudged = True
            if not (self._closing or (self._thread is not None and self._thread.is_alive())):
                self._start()
            self._wake.notify()

    def _start(self) -> None:
        if os.getpid() != self._process:
            raise StoreError("Limits were opened before this process was forked; open them in each process.")
        self._thread = threading.Thread(target=self._run, name="careplane-limits", daemon=True)
        self._thread.start()

    def next_exchange(self, needs: Sequence[tuple[Lease, int]]) -> "Waiting":
        """Ask the store for this much of some leases (under the lock); await the answer without the lock."""
        waiting = Waiting(self.lock, needs)
        for lease, need in needs:
            lease.needs.append(need)
            self.watch(lease)
        self._waiting.append(waiting)
        self.nudge()
        return waiting

    def close(self) -> None:
        """Give everything back and end; what the store does not take now, expires or stays counted there."""
        with self.lock:
            self._closing = True
            thread = self._thread
            self._nudged = True
            self._wake.notify()
        if thread is not None:
            thread.join(PATIENCE_SECONDS * 3)

    # ---- the keeper's thread

    def _run(self) -> None:
        pause = 0.0
        while True:
            with self.lock:
                self._sleep(pause)
                self._nudged = False
                closing, waiting = self._closing, self._waiting
                self._waiting = []
                asks = self._asks(closing=closing)
            errors = self._settle(asks) if asks else {}
            pause = min(LONGEST_PAUSE_SECONDS, 2 * pause or 0.05) if self.outage else 0.0
            for one in waiting:
                one.tell(errors)
            if closing:
                return

    def _sleep(self, pause: float) -> None:
        """Until there is something to do; after a failure for the whole pause, however many ask meanwhile."""
        until = time.monotonic() + pause
        while not self._closing and (left := until - time.monotonic()) > 0:
            self._wake.wait(left)
        if not pause and not self._nudged:
            self._wake.wait(self._tick if self._alive else None)

    def _asks(self, *, closing: bool) -> list[tuple[Lease, Any]]:
        now = time.monotonic()
        asks = []
        for lease in sorted(self._alive, key=lambda lease: lease.key):
            ask = lease.ask(now, closing=closing)
            if ask is not None:
                asks.append((lease, ask))
            elif not lease.alive(now):
                self._alive.discard(lease)
        return asks

    def _settle(self, asks: list[tuple[Lease, Any]]) -> dict[str, StoreError]:
        """Exchange with the store; what failed, by the key of the lease."""
        try:
            answers = self._exchange(asks)
        except (StoreError, SQLAlchemyError) as failure:
            error = failure if isinstance(failure, StoreError) else StoreError(f"The database failed: {failure}")
            if self.outage is None:
                log.warning("limits cannot be shared, requests are refused when leases run out: %s", error)
            self.outage = str(error)
            answers = [error] * len(asks)
        else:
            if self.outage is not None:
                log.warning("limits are shared again")
            self.outage = None
            self.exchanges += 1
        errors: dict[str, StoreError] = {}
        with self.lock:
            for (lease, ask), answer in zip(asks, answers, strict=True):
                if isinstance(answer, StoreError):
                    errors[lease.key] = answer
                    lease.lost(ask)
                else:
                    lease.take(*answer, ask)
        return errors

    def _exchange(self, asks: list[tuple[Lease, Any]]) -> list[tuple[Grant, float] | StoreError]:
        """One transaction: lock the rows in the order of their keys, so that no two processes wait for each other.

        A row that is damaged is an error of its lease alone.
        """
        with self._store.write() as connection:
            bodies = _locked_rows(connection, [lease for lease, _ in asks])
            here = time.monotonic()
            now = store_time(connection)
            answers: list[tuple[Grant, float] | StoreError] = []
            changed = []
            for lease, ask in asks:
                try:
                    body, grant = lease.step(bodies[lease.key], now, ask)
                except StoreError as error:
                    log.warning("%s: %s", lease.key, error)
                    answers.append(error)
                    continue
                changed.append({"row": lease.key, "now": body})
                answers.append((grant, here + grant.until - now))
            if changed:
                connection.execute(_CHANGE, changed)
        return answers


_CHANGE = update(shared_limits).where(shared_limits.c.key == bindparam("row")).values(body=bindparam("now"))


def _locked_rows(connection: Connection, leases: list[Lease]) -> dict[str, str]:
    """The bodies of the leases' rows by key, locked until the transaction ends; rows that are missing are made."""
    if connection.dialect.name == "postgresql":
        connection.execute(
            text("SELECT set_config('lock_timeout', '3s', true), set_config('statement_timeout', '5s', true)")
        )
    keys = [lease.key for lease in leases]
    query = select(shared_limits.c.key, shared_limits.c.body).where(shared_limits.c.key.in_(keys))
    query = query.order_by(shared_limits.c.key).with_for_update()
    bodies = {row.key: row.body for row in connection.execute(query)}
    if len(bodies) < len(keys):
        insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
        rows = [
            {"key": lease.key, "kind": lease.kind, "subject": lease.subject, "period": lease.period, "body": "{}"}
            for lease in leases
            if lease.key not in bodies
        ]
        connection.execute(insert(shared_limits).on_conflict_do_nothing(), rows)
        bodies = {row.key: row.body for row in connection.execute(query)}
    return bodies


def store_time(connection: Connection) -> float:
    """The clock that all processes share: the server's, or that of the machine which SQLite's processes share."""
    if connection.dialect.name == "sqlite":
        return time.time()
    return float(connection.execute(text("SELECT extract(epoch FROM clock_timestamp())")).scalar_one())


class Waiting:
    """A request that waits for the next exchange with the store."""

    def __init__(self, lock: threading.Lock, needs: Sequence[tuple[Lease, int]]) -> None:
        self._lock = lock
        self._needs = needs
        self._loop = asyncio.get_running_loop()
        self._future: asyncio.Future[None] = self._loop.create_future()

    async def wait(self, seconds: float) -> None:
        """Wait until the exchange is over; what it granted is in the leases.

        Raises:
            StoreError: it failed, or took longer than ``seconds``.
        """
        try:
            async with asyncio.timeout(seconds):
                await self._future
        except TimeoutError as error:
            raise StoreError("The limits could not be checked in time, so the request was refused.") from error
        finally:
            with self._lock:
                for lease, need in self._needs:
                    if need in lease.needs:
                        lease.needs.remove(need)

    def tell(self, errors: Mapping[str, StoreError]) -> None:
        """The exchange is over; called by the keeper's thread."""
        error = next((errors[lease.key] for lease, _ in self._needs if lease.key in errors), None)
        try:
            self._loop.call_soon_threadsafe(self._finish, error)
        except RuntimeError:  # its event loop is closed: nobody waits any more
            return

    def _finish(self, error: StoreError | None) -> None:
        if self._future.done():
            return
        if error is None:
            self._future.set_result(None)
        else:
            self._future.set_exception(StoreError(str(error)))


def decode(kind: type[Any], body: str) -> Any:
    """The state in a row.

    Raises:
        StoreError: the row is damaged; nothing is granted from it.
    """
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise StoreError(
            f"A row of shared limits is damaged: {error}. Delete it from shared_limits to start it anew."
        ) from error


def encode(state: msgspec.Struct) -> str:
    """A state as a row holds it."""
    return msgspec.json.encode(state).decode()
