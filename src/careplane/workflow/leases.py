"""The leases of workers: who is alive, and who takes over from whom is not.

Each process that works has a row with a lease, which it renews; times are the database's, so clocks of machines may
differ. Who finds a lease that is over claims the row, and by a condition in the update exactly one does; it takes over
and deletes the row. A claim is a lease too, so that a taker who dies is followed by another.

On one machine nobody waits for a lease to end: a worker holds a lock on a file in ``<home>/workers``, which the
kernel releases when the process ends, however it ends, and not when it is merely stopped or slow.
"""

import fcntl
import os
import secrets
import socket
from contextlib import suppress
from pathlib import Path
from typing import IO, Literal

from sqlalchemy import Row, delete, insert, or_, select, update

from careplane.records import Record
from careplane.store import Store
from careplane.store.clock import database_time
from careplane.store.tables import workers

LEASE_SECONDS = 15.0
"""A worker that renews nothing for so long counts as dead; takeover is promised within 30 s."""

Standing = Literal["working", "late", "taken"]


class Worker(Record, frozen=True):
    """A worker as the others see it. Times are seconds since 1970 by the database; ``left`` is what remains of its
    lease, negative when it is over."""

    executor: str
    host: str
    pid: int
    version: str
    started: float
    renewed: float
    left: float
    taker: str | None

    @property
    def standing(self) -> Standing:
        """``late``: its lease is over and the next living worker takes its runs over."""
        if self.taker is not None:
            return "taken"
        return "working" if self.left > 0 else "late"


def new_executor() -> str:
    """A name that no process had before."""
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"


def register(store: Store, executor: str, version: str, seconds: float) -> None:
    """Begin a lease, also after it was lost."""
    with store.write() as connection:
        now = database_time(connection)
        connection.execute(delete(workers).where(workers.c.executor == executor))
        values = {"executor": executor, "host": socket.gethostname(), "pid": os.getpid(), "version": version}
        times = {"started": now, "renewed": now, "lease_until": now + seconds}
        connection.execute(insert(workers).values(**values, **times))


def renew(store: Store, executor: str, seconds: float) -> bool:
    """Renew a lease; says whether it was still held. One that is over and that nobody took is renewed as well."""
    with store.write() as connection:
        now = database_time(connection)
        here = (workers.c.executor == executor, workers.c.taker.is_(None))
        values = {"renewed": now, "lease_until": now + seconds}
        return connection.execute(update(workers).where(*here).values(**values)).rowcount == 1


def release(store: Store, executor: str) -> None:
    """End a lease at once, so that the next living worker takes over what is left."""
    with store.write() as connection:
        connection.execute(update(workers).where(workers.c.executor == executor).values(lease_until=0.0))


def find_workers(store: Store) -> list[Worker]:
    """All workers, oldest first."""
    with store.read() as connection:
        left = (workers.c.lease_until - database_time(connection)).label("left")
        return [_worker(row) for row in connection.execute(select(workers, left).order_by(workers.c.started))]


def claim(store: Store, executor: str, taker: str, seconds: float, *, ended: bool = False) -> bool:
    """Claim the runs of a worker whose lease (or whose taker's) is over; says whether this caller is the one.

    Args:
        store: where the leases are.
        executor: whose runs.
        taker: who claims.
        seconds: how long the claim holds.
        ended: the process is known to have ended, so that its own lease does not count.
    """
    with store.write() as connection:
        now = database_time(connection)
        over = workers.c.lease_until <= now
        if ended:
            over = or_(over, workers.c.taker.is_(None))
        statement = update(workers).where(workers.c.executor == executor, over)
        return connection.execute(statement.values(taker=taker, lease_until=now + seconds)).rowcount == 1


def forget(store: Store, executor: str, taker: str) -> None:
    """Delete the row of a worker once its runs were taken over."""
    with store.write() as connection:
        connection.execute(delete(workers).where(workers.c.executor == executor, workers.c.taker == taker))


class LifeLine:
    """The lock that a worker of this machine holds while its process lives."""

    def __init__(self, home: Path, executor: str) -> None:
        self._path = _lock_path(home, executor)
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._file: IO[bytes] | None = None

    def hold(self) -> None:
        """Take the lock; it ends with the process."""
        self._file = self._path.open("wb")
        fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def let_go(self, *, keep_file: bool = False) -> None:
        """Give the lock back, as the end of the process does; that leaves the file."""
        if self._file is not None:
            self._file.close()
            self._file = None
        if not keep_file:
            self._path.unlink(missing_ok=True)


def has_ended(home: Path, executor: str) -> bool:
    """Whether a worker of this machine is known to have ended. ``False`` when it lives, or lives elsewhere."""
    path = _lock_path(home, executor)
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def clear_line(home: Path, executor: str) -> None:
    """Remove the lock file of a worker that has ended."""
    with suppress(OSError):
        _lock_path(home, executor).unlink(missing_ok=True)


def _lock_path(home: Path, executor: str) -> Path:
    return home / "workers" / f"{executor}.lock"


def _worker(row: Row[tuple[object, ...]]) -> Worker:
    return Worker(
        executor=row.executor,
        host=row.host,
        pid=row.pid,
        version=row.version,
        started=row.started,
        renewed=row.renewed,
        left=row.left,
        taker=row.taker,
    )
