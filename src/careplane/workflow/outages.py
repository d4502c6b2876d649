"""Whether the EHR and the models are there: noticed by the calls that need them, kept in the store for every process.

``FAILURES`` calls in a row that fail make an outage, the first that succeeds ends it. While all is well a call costs a
look at memory; the store is read every ``FRESH_SECONDS``. Times are of the machine's clock, not of the data's.
"""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from msgspec.structs import replace
from sqlalchemy import Connection, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from careplane.errors import UpstreamAway, UpstreamBusy, UpstreamError, UpstreamRejected, UpstreamTimeout
from careplane.ledger import Ledger
from careplane.records.downtime import Dependency, Drilled, Outage
from careplane.store import Store, fetch, find, insert_new, save, stamp
from careplane.store.rows import encode
from careplane.store.tables import failing, outages

FAILURES = 3
"""Calls in a row that fail before a dependency counts as away; a connector repeats each call a few times itself."""

FRESH_SECONDS = 2.0
DEPENDENCIES: dict[Drilled, tuple[Dependency, ...]] = {
    "ehr": ("ehr",),
    "model": ("model",),
    "network": ("ehr", "model"),
}
_NAMES: dict[Dependency, str] = {"ehr": "record system", "model": "model"}


def utc_now() -> datetime:
    """The time of the machine, aware."""
    return datetime.now(UTC)


class Outages:
    """The outages of one installation, as this process sees and reports them."""

    def __init__(self, store: Store, ledger: Ledger, clock: Callable[[], datetime] = utc_now) -> None:
        self._store, self._ledger, self.clock = store, ledger, clock
        self._lock = threading.Lock()
        self._read_at = float("-inf")
        self._held: tuple[Outage, ...] = ()
        self._failing: frozenset[str] = frozenset()

    def held(self, app: str | None = None) -> tuple[Outage, ...]:
        """The outages that hold, drills included, of an app or all, oldest first."""
        now = self.clock()
        return tuple(one for one in self._looked()[0] if one.covers(app, now))

    def drilled(self, dependency: Dependency, app: str) -> bool:
        """Whether a drill takes this dependency away from an app now."""
        return any(one.cause == "drill" and one.dependency == dependency for one in self.held(app))

    def failed(self, dependency: Dependency) -> None:
        """A call failed as if the other side were away."""
        at = self.clock()
        began: Outage | None = None
        with self._store.write() as connection:
            insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
            statement = insert(failing).values(dependency=dependency, failures=1, at=stamp(at))
            again = {"failures": failing.c.failures + 1, "at": stamp(at)}
            counted = statement.on_conflict_do_update(index_elements=["dependency"], set_=again)
            if connection.execute(counted.returning(failing.c.failures)).scalar_one() >= FAILURES:
                outage = Outage(id=f"out-{uuid4().hex[:12]}", dependency=dependency, since=at)
                new = insert_new(connection, outages, outage, id=outage.id, holding=dependency, since=stamp(at))
                began = outage if new else None
        self._forget()
        if began is not None:
            self._ledger.append("downtime.began", at=at, facts={"dependency": dependency, "outage": began.id})

    def answered(self, dependency: Dependency) -> None:
        """A call succeeded; an outage of the dependency is over."""
        if not self.doubted(dependency):
            return
        at = self.clock()
        with self._store.write() as connection:
            connection.execute(delete(failing).where(failing.c.dependency == dependency))
            outage = fetch(connection, outages, Outage, outages.c.holding == dependency)
            if outage is not None:
                _end(connection, outage, at)
        self._forget()
        if outage is not None:
            minutes = round((at - outage.since).total_seconds() / 60, 1)
            self._ledger.append(
                "downtime.ended",
                at=at,
                facts={"dependency": dependency, "outage": outage.id, "minutes": minutes, "told": len(outage.told)},
            )

    def doubted(self, dependency: Dependency) -> bool:
        """Whether calls to a dependency failed since one was answered: an answer is then worth noting."""
        return dependency in self._looked()[1]

    def to_probe(self, after: timedelta) -> tuple[Dependency, ...]:
        """The dependencies that are away, by no drill, and whose last failure is so long ago."""
        names = tuple(one.dependency for one in self.held() if one.cause == "failures")
        if not names:
            return ()
        with self._store.read() as connection:
            rows = connection.execute(select(failing.c.dependency, failing.c.at)).all()
        last = {row.dependency: datetime.fromisoformat(row.at) for row in rows}
        return tuple(name for name in names if name not in last or last[name] + after <= self.clock())

    def told(self, person: str, app: str | None = None) -> None:
        """A person's page said what is away."""
        for one in self.held(app):
            if person not in one.told:
                with self._store.write() as connection:
                    fresh = fetch(connection, outages, Outage, outages.c.id == one.id) or one
                    told = replace(fresh, told=tuple(dict.fromkeys((*fresh.told, person))))
                    connection.execute(update(outages).where(outages.c.id == one.id).values(body=encode(told)))
                self._forget()

    def begin_drill(self, dependency: Dependency, app: str, until: datetime) -> Outage:
        """Take a dependency away from an app until a time."""
        at = self.clock()
        outage = Outage(
            id=f"out-{uuid4().hex[:12]}", dependency=dependency, since=at, cause="drill", app=app, until=until
        )
        with self._store.write() as connection:
            save(connection, outages, outage, id=outage.id, holding=outage.id, since=stamp(at))
        self._forget()
        return outage

    def end_drill(self, ident: str) -> None:
        """Give back what a drill took away; again changes nothing."""
        with self._store.write() as connection:
            outage = fetch(connection, outages, Outage, outages.c.id == ident)
            if outage is not None and outage.cause == "drill" and outage.ended is None:
                _end(connection, outage, min(self.clock(), outage.until or self.clock()))
        self._forget()

    def history(self, limit: int = 20) -> list[Outage]:
        """Outages, newest first, over or not."""
        with self._store.read() as connection:
            return find(connection, outages, Outage, order_by=(outages.c.since.desc(),), limit=limit)

    def _looked(self) -> tuple[tuple[Outage, ...], frozenset[str]]:
        with self._lock:
            if time.monotonic() - self._read_at > FRESH_SECONDS:
                with self._store.read() as connection:
                    held = find(
                        connection, outages, Outage, outages.c.holding.is_not(None), order_by=(outages.c.since.asc(),)
                    )
                    names = connection.execute(select(failing.c.dependency)).scalars()
                    self._held, self._failing = tuple(held), frozenset(names)
                self._read_at = time.monotonic()
            return self._held, self._failing

    def _forget(self) -> None:
        with self._lock:
            self._read_at = float("-inf")


def _end(connection: Connection, outage: Outage, at: datetime) -> None:
    ended = replace(outage, ended=at)
    statement = update(outages).where(outages.c.id == outage.id).values(holding=None, body=encode(ended))
    connection.execute(statement)


@asynccontextmanager
async def reaching(seen: Outages | None, dependency: Dependency, app: str) -> AsyncIterator[None]:
    """Around a call to a dependency: a drill stands in its way, and how it went is noted.

    Raises:
        UpstreamAway: the call failed because the dependency is away (or a drill says so).
    """
    if seen is not None and seen.drilled(dependency, app):
        raise UpstreamAway(f"A drill is on: the {_NAMES[dependency]} is taken as away.", dependency)
    try:
        yield
    except UpstreamError as error:
        if not is_away(dependency, error):
            raise
        if seen is not None:
            await asyncio.to_thread(seen.failed, dependency)
        late = "did not answer in time" if isinstance(error, UpstreamTimeout) else "is away"
        raise UpstreamAway(f"The {_NAMES[dependency]} {late}.", dependency) from error
    if seen is not None and seen.doubted(dependency):
        await asyncio.to_thread(seen.answered, dependency)


def is_away(dependency: Dependency, error: UpstreamError) -> bool:
    """Whether an error says that waiting would help. A model's provider only ever rejects a request by name; an EHR's
    connector says when it is away, and other errors of it are about the question that was asked."""
    if isinstance(error, UpstreamRejected):
        return False
    return dependency == "model" or isinstance(error, UpstreamAway | UpstreamBusy | UpstreamTimeout)
