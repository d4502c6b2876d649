"""A drill of the fallback: a dependency is taken away from an app for some minutes, and what happens is looked at.

The outage of a drill ends at its time by itself, whatever becomes of the process that began it. The result is kept as
evidence for the gate; a drill that was cut off is kept as one that did not pass.
"""

from dataclasses import replace as replaced
from datetime import datetime, timedelta
from uuid import uuid4

from msgspec.structs import replace
from sqlalchemy import delete, select

from careplane.errors import Conflict, InputError
from careplane.records.app import App
from careplane.records.downtime import Drill, DrillCheck, Drilled
from careplane.records.run import Event, Permit, Reason
from careplane.store import Store, fetch, find, save, stamp
from careplane.store.tables import drills as table
from careplane.store.tables import runs, waiting_events
from careplane.workflow.downtime import DRILL, SUMMARY, active_fallback, run_queued, unavailable, waiting
from careplane.workflow.outages import DEPENDENCIES, Outages
from careplane.workflow.runtime import Runtime

LONGEST_MINUTES = 240.0
MOST = 100_000
_DRAFTS = ("draft", "accepted", "edited", "rejected")


class DrillUnderWay:
    """A drill that runs: begin it, look now and then, finish it."""

    def __init__(self, runtime: Runtime, app: App, dependency: Drilled, minutes: float, by: str) -> None:
        """Begin: from here every process takes the dependency as away for the app.

        Raises:
            InputError: the minutes are not between 0 and 240, nobody is named, or the app cannot run.
            Conflict: a drill of the app is on.
        """
        if not 0 < minutes <= LONGEST_MINUTES:
            raise InputError(f"must be above 0 and at most {LONGEST_MINUTES:.0f}", field="minutes")
        if not by.strip():
            raise InputError("must name who drills", field="by")
        if not app.runnable:
            raise InputError(f"{app.id} cannot run: it has no prompt, so there is nothing to take away", field="app")
        if runtime.outages is None:
            raise InputError("this installation does not note outages", field="outages")
        self._runtime, self._app, self._seen = runtime, app, runtime.outages
        settle_drills(runtime.store, self._seen)
        if any(one.cause == "drill" for one in self._seen.held(app.id)):
            raise Conflict(f"A drill of {app.id} is on. End it first: careplane downtime end --app {app.id}")
        now = self._seen.clock()
        self.drill = Drill(
            id=f"drill-{uuid4().hex[:12]}",
            app=app.id,
            dependency=dependency,
            started=now,
            until=now + timedelta(minutes=minutes),
            by=by,
        )
        _save(runtime.store, self.drill)
        self._drafts = _drafts(runtime.store, app.id)
        self._queued: set[str] = set()
        self._outages = [self._seen.begin_drill(name, app.id, self.drill.until).id for name in DEPENDENCIES[dependency]]
        facts: dict[str, str | float] = {"drill": self.drill.id, "dependency": dependency, "minutes": minutes}
        runtime.ledger.append("downtime.drill_began", at=now, app=app.id, actor=by, facts=facts)

    @property
    def on(self) -> bool:
        """Whether it still runs: not over by time, and not ended by anybody."""
        return any(one.id in self._outages for one in self._seen.held(self._app.id))

    async def look(self) -> tuple[DrillCheck, ...]:
        """While it runs: the fallback is stated everywhere, and an event waits instead of failing."""
        return (self._stated(), self._shared(), await self._kept())

    def count(self) -> int:
        """Note the events of the app that wait now; says how many have waited since the beginning."""
        real = (one for one in waiting(self._runtime.store, limit=MOST) if one.event.kind != DRILL)
        self._queued |= {one.event.id for one in real if one.event.app == self._app.id}
        return len(self._queued)

    def finish(self, looked: tuple[DrillCheck, ...]) -> Drill:
        """End it, look at what is left, and keep the result; again is harmless."""
        self.count()
        for ident in self._outages:
            self._seen.end_drill(ident)
        with self._runtime.store.write() as connection:
            mine = (waiting_events.c.app == self._app.id, waiting_events.c.event == self.drill.id)
            connection.execute(delete(waiting_events).where(*mine))
        checks = (*looked, self._ended(), self._events_kept(), self._drafts_kept())
        done = replace(
            self.drill,
            ended=self._seen.clock(),
            queued=len(self._queued),
            checks=checks,
            passed=all(check.passed for check in checks),
        )
        _save(self._runtime.store, done)
        self._runtime.ledger.append(
            "downtime.drill_ended",
            at=self._seen.clock(),
            app=done.app,
            actor=done.by,
            facts={"drill": done.id, "passed": done.passed, "queued": done.queued},
        )
        return done

    def _stated(self) -> DrillCheck:
        said = active_fallback(self._seen, self._app)
        way = self._app.spec.fallback
        passed = said is not None and len(said.summary) < SUMMARY and way in said.detail
        body = unavailable(said) if said is not None else {}
        passed = passed and way in str(body.get("fallback"))
        return DrillCheck(name="fallback_stated", passed=passed, text=said.summary if said else "Nothing was stated.")

    def _shared(self) -> DrillCheck:
        fresh = Outages(self._runtime.store, self._runtime.ledger, self._seen.clock)
        passed = any(one.id in self._outages for one in fresh.held(self._app.id))
        return DrillCheck(name="every_process_sees_it", passed=passed, text="Read anew from the store.")

    async def _kept(self) -> DrillCheck:
        """An event of the drill's own, about nobody, meets what is away and has to wait, not fail."""
        event = Event(id=self.drill.id, app=self._app.id, kind=DRILL, at=self._runtime.clock())
        reason = Reason(rule="drill", allowed=True, text="An event of a drill, about nobody.")
        answer = (Permit(allowed=True, reasons=(reason,)), None)
        run = await run_queued(replaced(self._runtime, permit=lambda _app, _event: answer), event)
        held = any(one.event.id == event.id for one in waiting(self._runtime.store, limit=MOST))
        text = "An event waits in the queue." if run is None and held else "An event did not wait."
        return DrillCheck(name="event_waits", passed=run is None and held, text=text)

    def _ended(self) -> DrillCheck:
        said = active_fallback(self._seen, self._app)
        passed = said is None or not said.drill
        return DrillCheck(name="it_ended", passed=passed, text="The app runs again." if passed else "It still holds.")

    def _events_kept(self) -> DrillCheck:
        """Each event that waited still waits for its next try, or has its run."""
        left = {one.event.id for one in waiting(self._runtime.store, limit=MOST) if one.event.app == self._app.id}
        with self._runtime.store.read() as connection:
            ran = connection.execute(
                select(runs.c.event).where(runs.c.app == self._app.id, runs.c.event.in_(self._queued))
            )
            lost = self._queued - left - set(ran.scalars())
        text = f"{len(self._queued)} events waited, {len(lost)} were lost."
        return DrillCheck(name="no_lost_event", passed=not lost, text=text)

    def _drafts_kept(self) -> DrillCheck:
        lost = self._drafts - _drafts(self._runtime.store, self._app.id)
        text = f"{len(self._drafts)} drafts and signed texts before, {len(lost)} were lost."
        return DrillCheck(name="no_lost_draft", passed=not lost, text=text)


def drills(store: Store, app: str | None = None, limit: int = 50) -> list[Drill]:
    """Drills, newest first, of an app or all."""
    where = () if app is None else (table.c.app == app,)
    with store.read() as connection:
        return find(connection, table, Drill, *where, order_by=(table.c.at.desc(),), limit=limit)


def last_drill(store: Store, app: str) -> Drill | None:
    """The newest drill of an app that came to its end."""
    return next((one for one in drills(store, app) if one.ended is not None), None)


def settle_drills(store: Store, seen: Outages, grace: timedelta = timedelta(minutes=1)) -> None:
    """Close drills whose process ended before they did: they did not pass."""
    now = seen.clock()
    for one in drills(store):
        if one.ended is None and one.until + grace < now:
            cut = DrillCheck(name="finished", passed=False, text="It was cut off before it ended.")
            with store.write() as connection:
                fresh = fetch(connection, table, Drill, table.c.id == one.id)
                connection.execute(delete(waiting_events).where(waiting_events.c.event == one.id))
                if fresh is not None and fresh.ended is None:
                    closed = replace(fresh, ended=one.until, checks=(cut,))
                    save(connection, table, closed, id=one.id, app=one.app, at=stamp(one.started))


def end_drills(store: Store, seen: Outages, app: str | None = None) -> int:
    """End the drills that are on, of an app or all; says how many dependencies were given back."""
    held = [one for one in seen.held(app) if one.cause == "drill"]
    for one in held:
        seen.end_drill(one.id)
    settle_drills(store, seen)
    return len(held)


def age_days(drill: Drill, now: datetime) -> float:
    """How long ago a drill ended, in days."""
    return (now - (drill.ended or drill.until)).total_seconds() / 86400


def _drafts(store: Store, app: str) -> set[str]:
    with store.read() as connection:
        found = connection.execute(select(runs.c.id).where(runs.c.app == app, runs.c.status.in_(_DRAFTS)))
        return set(found.scalars())


def _save(store: Store, drill: Drill) -> None:
    with store.write() as connection:
        save(connection, table, drill, id=drill.id, app=drill.app, at=stamp(drill.started))
