"""The safety watch: it counts the runs of an app and those with an event, and crosses once the share is too high.

What was counted is in the store: a run once, by its id, in whichever order runs and flags come, so any worker may look,
and one that died is missed by nobody. Crossing is decided in the transaction that counts; what follows from it is
:mod:`careplane.evidence.monitoring.crossing`.
"""

from datetime import datetime

from msgspec.structs import replace
from sqlalchemy import (
    ColumnElement,
    Connection,
    String,
    and_,
    case,
    cast,
    exists,
    func,
    literal,
    null,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from careplane.evidence.monitoring.betting import e_value, lower_bound
from careplane.records.app import App
from careplane.records.monitoring import HarmEvent, SafetyRule, SafetyWatch
from careplane.records.people import Request
from careplane.store import Store, fetch, find, save, stamp
from careplane.store.rows import count
from careplane.store.tables import harm_flags, kill_switches, requests, runs, safety_trials, safety_watches

HARMLESS = ("none_reached", "no_harm")
"""Levels of a flag that the watch does not count: nothing reached the patient, or no harm came of it."""

REPORTED = ("unsafe", "wrong_patient")
"""Problems that a reader of a draft reports and that count as harm: it could harm somebody, it is somebody else's."""


def look(store: Store, app: App, now: datetime) -> SafetyWatch:
    """Count what is new, and say how the watch stands; the result is kept. Looking often costs nothing of the error."""
    rule = app.spec.monitoring.safety
    with store.write() as connection:
        watch = _current(connection, app.id, rule, now)
        if watch.crossed_at is not None:
            return watch
        _count_new(connection, app.id, watch)
        _count_late(connection, app.id, watch)
        number, events = _counts(connection, app.id, watch.number)
        if (number, events) == (watch.runs, watch.events):
            return watch
        evidence = e_value(events, number, rule.max_rate)
        watch = replace(
            watch,
            runs=number,
            events=events,
            looks=watch.looks + 1,
            evidence=evidence,
            peak=max(watch.peak, evidence),
            low=max(watch.low, lower_bound(events, number, rule.alpha)),
            looked_at=now,
            crossed_at=now if evidence >= watch.bound else None,
        )
        _save(connection, watch)
        return watch


def pulse(store: Store, app: str) -> tuple[object, ...]:
    """What a look could find new, by reads alone: while this is the same, there is nothing to look at. Looking takes
    the write lock, which many apps and workers share."""
    by_status = select(runs.c.status, func.count()).where(runs.c.app == app).group_by(runs.c.status)
    with store.read() as connection:
        counted = tuple(sorted((str(row[0]), int(row[1])) for row in connection.execute(by_status)))
        flags = count(connection, harm_flags, harm_flags.c.app == app)
        told = count(connection, requests, requests.c.app == app)
        unsettled = count(connection, safety_watches, safety_watches.c.app == app, safety_watches.c.unsettled)
        return (counted, flags, told, unsettled, _is_stopped(connection, app))


def find_watches(store: Store, app: str | None = None) -> list[SafetyWatch]:
    """All watches, newest first, of one app or all."""
    where = () if app is None else (safety_watches.c.app == app,)
    order = (safety_watches.c.app, safety_watches.c.number.desc())
    with store.read() as connection:
        return find(connection, safety_watches, SafetyWatch, *where, order_by=order)


def current_watch(store: Store, app: str) -> SafetyWatch | None:
    """The newest watch of an app, or ``None`` before the first look."""
    return next(iter(find_watches(store, app)), None)


def settle_watch(store: Store, watch: SafetyWatch, now: datetime) -> None:
    """Note that what follows from a crossing was done."""
    with store.write() as connection:
        _save(connection, replace(watch, settled_at=now))


def _current(connection: Connection, app: str, rule: SafetyRule, now: datetime) -> SafetyWatch:
    """The watch that is on, locked; a new one where there is none, the rule changed, or a crossing was released."""
    newest = select(func.max(safety_watches.c.number)).where(safety_watches.c.app == app)
    locked = select(safety_watches.c.number).where(
        safety_watches.c.app == app, safety_watches.c.number == newest.scalar_subquery()
    )
    if connection.execute(locked.with_for_update()).first() is None:
        return _open(connection, SafetyWatch(app=app, number=1, rule=rule, since=None, why="the first watch"))
    # Who waited for the lock may find that another worker opened the next watch meanwhile, so the newest is asked anew.
    number = int(connection.execute(newest).scalar_one())
    held = _load(connection, app, number)
    why = "its rule was changed" if held.rule != rule else ""
    if held.settled_at is not None and held.rule.pause and not _is_stopped(connection, app):
        why = "the app was released"
    if not why or (held.crossed_at is not None and held.settled_at is None):
        return held
    _save(connection, replace(held, ended_at=now))
    return _open(connection, SafetyWatch(app=app, number=number + 1, rule=rule, since=now, why=why))


def _open(connection: Connection, watch: SafetyWatch) -> SafetyWatch:
    _save(connection, watch)
    return watch


def _load(connection: Connection, app: str, number: int) -> SafetyWatch:
    where = (safety_watches.c.app == app, safety_watches.c.number == number)
    found = fetch(connection, safety_watches, SafetyWatch, *where)
    assert found is not None  # noqa: S101 - its number was read in this transaction
    return found


def _save(connection: Connection, watch: SafetyWatch) -> None:
    open_ = watch.crossed_at is not None and watch.settled_at is None
    save(connection, safety_watches, watch, app=watch.app, number=watch.number, unsettled=open_)


def _is_stopped(connection: Connection, app: str) -> bool:
    where = and_(kill_switches.c.scope == "app", kill_switches.c.target == app)
    return connection.execute(select(kill_switches.c.at).where(where)).first() is not None


def _count_new(connection: Connection, app: str, watch: SafetyWatch) -> None:
    """Each run since the watch began that was let through and is not counted yet, once."""
    where: list[ColumnElement[bool]] = [runs.c.app == app, runs.c.status != "refused"]
    if watch.since is not None:
        where.append(runs.c.at >= stamp(watch.since))
    where.append(~exists().where(safety_trials.c.run == runs.c.id))
    known = select(runs.c.id, runs.c.app, literal(watch.number), _event(watch.rule.events)).where(*where)
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    statement = insert(safety_trials).from_select(["run", "app", "watch", "event"], known).on_conflict_do_nothing()
    connection.execute(statement)


def _event(events: tuple[HarmEvent, ...]) -> ColumnElement[str | None]:
    """The event that a run has from its beginning."""
    whens = []
    if "failed" in events:
        whens.append((runs.c.status == "failed", "failed"))
    if "critical_finding" in events:
        whens.append((runs.c.critical, "critical_finding"))
    return case(*whens, else_=null()) if whens else cast(null(), String)


def _count_late(connection: Connection, app: str, watch: SafetyWatch) -> None:
    """Events that came after their run was counted: flags, and reviews that rejected."""
    mine = and_(safety_trials.c.app == app, safety_trials.c.watch == watch.number, safety_trials.c.event.is_(None))
    if "harm" in watch.rule.events:
        flagged = select(harm_flags.c.run).where(harm_flags.c.app == app, harm_flags.c.level.not_in(HARMLESS))
        connection.execute(update(safety_trials).where(mine, safety_trials.c.run.in_(flagged)).values(event="harm"))
        told = _reported(connection, app)
        if told:
            connection.execute(update(safety_trials).where(mine, safety_trials.c.run.in_(told)).values(event="harm"))
    if "rejected" in watch.rule.events:
        rejected = select(runs.c.id).where(runs.c.app == app, runs.c.status == "rejected")
        connection.execute(
            update(safety_trials).where(mine, safety_trials.c.run.in_(rejected)).values(event="rejected")
        )


def _reported(connection: Connection, app: str) -> list[str]:
    """The runs of which somebody reported a problem that could harm."""
    graver = or_(*(requests.c.body.contains(f'"what":"{what}"', autoescape=True) for what in REPORTED))
    found = find(connection, requests, Request, requests.c.app == app, graver)
    return sorted({one.run for one in found if one.run is not None and one.what in REPORTED})


def _counts(connection: Connection, app: str, number: int) -> tuple[int, int]:
    counted = select(func.count(), func.count(safety_trials.c.event)).where(
        safety_trials.c.app == app, safety_trials.c.watch == number
    )
    row = connection.execute(counted).one()
    return int(row[0]), int(row[1])
