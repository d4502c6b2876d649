"""Downtime: an event whose EHR or model is away waits in the store, and every surface states the app's fallback.

``run_queued`` is what a queue calls: it runs the event, or keeps it to be tried again with growing pauses. An event
waits no longer than its draft would be of use (``review.due_hours``, at most ``LONGEST_WAIT``); then its run ends as
failed, with the fallback in words. What is kept is durable and belongs to whoever claims it, so that several processes
may tend the same store and a killed one loses nothing.
"""

import random
from collections.abc import Iterable
from datetime import datetime, timedelta

from msgspec.structs import replace
from sqlalchemy import delete, update

from careplane.errors import UpstreamAway
from careplane.records import JSON
from careplane.records.app import App
from careplane.records.downtime import Dependency, Fallback, Outage, WaitingEvent
from careplane.records.run import Event, Run
from careplane.store import Store, count, fetch, find, save, stamp
from careplane.store.rows import encode, sealed
from careplane.store.tables import waiting_events as table
from careplane.workflow.outages import Outages, utc_now
from careplane.workflow.run import run_event
from careplane.workflow.runtime import Runtime

LONGEST_WAIT = timedelta(hours=12)
FIRST_PAUSE = 5.0
LONGEST_PAUSE = 300.0
LEASE = timedelta(seconds=180)
"""How long a process has to run an event that it claimed before another may; a run is unique, so both is harmless."""

SUMMARY = 140
"""A CDS card's summary has fewer characters (CDS Hooks 2.0, section "Card attributes")."""

DRILL = "drill"
"""The kind of the event that a drill puts in the queue; it waits there and is never run."""

_AWAY: dict[Dependency, str] = {"ehr": "the record system", "model": "the model"}


async def run_queued(runtime: Runtime, event: Event) -> Run | None:
    """Run an event of a queue; ``None`` means that it waits, durably, for what is away.

    Raises:
        NotFound: no such app.
        LedgerError: the audit record could not be made durable; the event can be run again.
    """
    if runtime.outages is None:
        return await run_event(runtime, event)
    now = runtime.outages.clock()
    held = _waiting(runtime.store, event)
    if held is not None and held.next_at > now:
        return None
    try:
        run = await run_event(runtime, event, waits=held is None or now < held.until)
    except UpstreamAway as away:
        _keep(runtime, event, held, away.dependency == "ehr", now)
        return None
    if held is not None:
        _let_go(runtime.store, event)
    return run


async def run_waiting(runtime: Runtime) -> int:
    """Try the events whose pause is over, each by one process; says how many ended."""
    clock = runtime.outages.clock if runtime.outages is not None else utc_now
    ended = 0
    for held in waiting(runtime.store, due=clock()):
        if held.event.kind != DRILL and _claim(runtime.store, held, clock() + LEASE):
            ended += await _again(runtime, held, clock())
    return ended


async def _again(runtime: Runtime, held: WaitingEvent, now: datetime) -> bool:
    try:
        await run_event(runtime, held.event, waits=now < held.until)
    except UpstreamAway as away:
        _keep(runtime, held.event, held, away.dependency == "ehr", now)
        return False
    _let_go(runtime.store, held.event)
    return True


def waiting(store: Store, due: datetime | None = None, limit: int = 100) -> list[WaitingEvent]:
    """Events that wait, the next first; with ``due`` those whose pause is over."""
    where = () if due is None else (table.c.next_at <= stamp(due),)
    with store.read() as connection:
        return find(connection, table, WaitingEvent, *where, order_by=(table.c.next_at.asc(),), limit=limit)


def waiting_count(store: Store, app: str | None = None) -> int:
    """How many events wait, of an app or all."""
    where = () if app is None else (table.c.app == app,)
    with store.read() as connection:
        return count(connection, table, *where)


def fallback(app: App, outages: Iterable[Outage], queued: bool = True) -> Fallback | None:
    """What to say for an app while something it needs is away; ``None`` when nothing is.

    ``summary`` fits a CDS card (fewer than 140 characters), ``detail`` is Markdown. ``queued`` says whether the run
    waits and its draft will come, which a caller that runs in line (a hook) does not do.
    """
    held = [one for one in outages if one.app in (None, app.id)]
    if not held:
        return None
    away = tuple(dict.fromkeys(one.dependency for one in held))
    drill = all(one.cause == "drill" for one in held)
    since = min(one.since for one in held)
    names = " and ".join(_AWAY[name] for name in away)
    lead = "Drill, fallback active" if drill else "Fallback active"
    summary = f"{lead}: {app.spec.fallback}"
    if len(summary) >= SUMMARY:
        summary = summary[: SUMMARY - 2].rstrip() + "…"
    said = [
        f"**{lead}** for {app.spec.title}: {names} {'are' if len(away) > 1 else 'is'} away since {since:%H:%M %Z}.",
        f"Work this way meanwhile: {app.spec.fallback}",
        "What was asked for waits and is made up for; no draft and no signed text is lost." if queued else "",
    ]
    return Fallback(
        app=app.id,
        summary=summary,
        detail="\n\n".join(filter(None, said)),
        dependencies=away,
        since=since,
        drill=drill,
    )


def active_fallback(seen: Outages | None, app: App, *, queued: bool = True) -> Fallback | None:
    """The fallback that holds for an app now."""
    return None if seen is None else fallback(app, seen.held(app.id), queued)


def unavailable(said: Fallback, retry_after: int = 60) -> JSON:
    """The body of an API's 503: the error, the fallback, since when, and when to ask again (seconds)."""
    return {
        "error": said.summary,
        "fallback": said.detail,
        "away": list(said.dependencies),
        "since": said.since.isoformat(timespec="seconds"),
        "drill": said.drill,
        "retry_after": retry_after,
    }


def _waiting(store: Store, event: Event) -> WaitingEvent | None:
    with store.read() as connection:
        return fetch(connection, table, WaitingEvent, table.c.app == event.app, table.c.event == event.id)


def _keep(runtime: Runtime, event: Event, held: WaitingEvent | None, ehr: bool, now: datetime) -> None:
    attempts = held.attempts + 1 if held else 1
    dependency: Dependency = "ehr" if ehr else "model"
    if held is None:
        due = timedelta(hours=runtime.apps(event.app).spec.review.due_hours)
        since, until = now, now + min(due, LONGEST_WAIT)
        facts = {"dependency": dependency, "event": runtime.ledger.pseudonym(event.id)}
        runtime.ledger.append("run.waits", at=runtime.clock(), app=event.app, facts=facts)
    else:
        since, until = held.since, held.until
    kept = WaitingEvent(
        event=event,
        dependency=dependency,
        since=since,
        until=until,
        next_at=min(now + timedelta(seconds=pause(attempts)), max(until, now + timedelta(seconds=1))),
        attempts=attempts,
    )
    with runtime.store.write() as connection:
        save(connection, table, kept, app=event.app, event=event.id, next_at=stamp(kept.next_at))


def _claim(store: Store, held: WaitingEvent, until: datetime) -> bool:
    """Take a waiting event for this process; one of several that try gets it."""
    taken = replace(held, next_at=until)
    mine = (table.c.app == held.event.app, table.c.event == held.event.id, table.c.next_at == stamp(held.next_at))
    with store.write() as connection:
        body = sealed(connection, table, encode(taken), {"app": held.event.app, "event": held.event.id})
        changed = connection.execute(update(table).where(*mine).values(next_at=stamp(until), body=body))
        return bool(changed.rowcount)


def _let_go(store: Store, event: Event) -> None:
    with store.write() as connection:
        connection.execute(delete(table).where(table.c.app == event.app, table.c.event == event.id))


def pause(attempts: int) -> float:
    """Seconds before the next attempt: doubling, with jitter, so that many do not come back at one moment."""
    wanted = min(FIRST_PAUSE * 2.0 ** min(attempts - 1, 10), LONGEST_PAUSE)
    return wanted * random.uniform(0.8, 1.2)  # noqa: S311 - not for secrets
