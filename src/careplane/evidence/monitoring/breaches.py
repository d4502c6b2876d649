"""Breaches: a metric that broke its threshold or its limits is a task of somebody until it was good for two periods."""

import hashlib
import math
from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec.structs import replace
from sqlalchemy import update

from careplane.errors import Conflict, InputError, NotFound
from careplane.governance import stop
from careplane.governance.switches import AUTOMATIC
from careplane.ledger import Ledger
from careplane.records.monitoring import Breach, Reading
from careplane.store import Store, fetch, find, insert_new, save, stamp
from careplane.store.tables import monitor_breaches

GOOD_PERIODS = 2
"""So many whole periods in a row must be good before a breach closes: a metric on the edge does not flap."""
LONGEST_NOTE = 2000


def hold(store: Store, ledger: Ledger, reading: Reading, wrong: Sequence[tuple[str, str]], now: datetime) -> Reading:
    """Open or close the breach of a metric by what its periods say; the reading comes back with its state.

    Args:
        store: where breaches are.
        ledger: where opening and closing is recorded.
        reading: what the metric says.
        wrong: of the periods that are charted, oldest first: name, and what is wrong with it (empty: nothing).
        now: the time.
    """
    held = open_breach(store, reading.app, reading.metric)
    if not wrong:
        return reading
    period, reason = wrong[-1]
    if reason and held is None:
        held = _opened(store, ledger, reading, period, reason, now)
    if reason and held is not None:
        return replace(reading, state="breach", text=f"{reading.text} Breach of {held.period}: {held.reason}")
    if held is None:
        return reading
    since = [text for time, text in wrong if time > held.period][-GOOD_PERIODS:]
    if len(since) < GOOD_PERIODS or any(since):
        more = f"It was good for {_good(since)} of {GOOD_PERIODS} periods since the breach of {held.period}."
        return replace(reading, state="concern", text=f"{reading.text} {more}")
    _close(store, ledger, held, f"good for {GOOD_PERIODS} periods, the last {period}", now)
    return reading


def _good(since: Sequence[str]) -> int:
    return sum(not text for text in since)


def open_breach(store: Store, app: str, metric: str) -> Breach | None:
    """The breach of a metric that holds, or ``None``."""
    with store.read() as connection:
        return fetch(connection, monitor_breaches, Breach, monitor_breaches.c.holding == f"{app}/{metric}")


def find_breaches(store: Store, app: str | None = None, *, only_open: bool = False) -> list[Breach]:
    """Breaches, newest first, of one app or all."""
    where = [] if app is None else [monitor_breaches.c.app == app]
    if only_open:
        where.append(monitor_breaches.c.holding.is_not(None))
    order = (monitor_breaches.c.opened_at.desc(), monitor_breaches.c.id)
    with store.read() as connection:
        return find(connection, monitor_breaches, Breach, *where, order_by=order)


def acknowledge(store: Store, ledger: Ledger, ident: str, by: str, note: str, at: datetime) -> Breach:
    """Somebody has seen a breach, and says what is being done. The first word stands.

    Raises:
        InputError: no name or note is given, or the note is too long.
        NotFound: there is no such breach.
        Conflict: somebody acknowledged it already.
    """
    for field, value in (("by", by), ("note", note)):
        if not value.strip():
            raise InputError("must not be empty", field=field)
    if len(note) > LONGEST_NOTE:
        raise InputError(f"must have at most {LONGEST_NOTE} characters, it has {len(note)}", field="note")
    with store.write() as connection:
        held = fetch(connection, monitor_breaches, Breach, monitor_breaches.c.id == ident)
        if held is None:
            raise NotFound(f"There is no breach {ident!r}.")
        if held.acknowledged_by:
            raise Conflict(f"{held.acknowledged_by} acknowledged it already.")
        seen = replace(held, acknowledged_at=at, acknowledged_by=by.strip(), note=note.strip())
        save(connection, monitor_breaches, seen, **_columns(seen))
    facts = {"breach": seen.id, "metric": seen.metric}
    ledger.append("monitor.acknowledged", at=at, actor=seen.acknowledged_by, app=seen.app, facts=facts)
    return seen


def _opened(store: Store, ledger: Ledger, reading: Reading, period: str, reason: str, now: datetime) -> Breach | None:
    """A new breach, told once: its id is that of metric and period, and of two workers one inserts it."""
    ident = "b-" + hashlib.sha256(f"{reading.app}\n{reading.metric}\n{period}".encode()).hexdigest()[:16]
    breach = Breach(
        id=ident,
        app=reading.app,
        metric=reading.metric,
        title=reading.title,
        opened_at=now,
        period=period,
        reason=reason,
        owner=reading.reviewer,
        action=reading.action,
        due_on=now.date() + timedelta(days=math.ceil(reading.due_days)),
    )
    with store.write() as connection:
        new = insert_new(connection, monitor_breaches, breach, **_columns(breach))
    if not new:
        return open_breach(store, reading.app, reading.metric)
    facts = {"breach": ident, "metric": breach.metric, "period": period}
    ledger.append("monitor.breached", at=now, app=breach.app, facts=facts)
    if breach.action == "pause":
        _pause(store, ledger, breach, now)
    return breach


def _pause(store: Store, ledger: Ledger, breach: Breach, now: datetime) -> None:
    try:
        stop(store, ledger, "app", breach.app, f"{AUTOMATIC}{breach.metric}", f"{breach.title}: {breach.reason}", now)
    except Conflict:
        return  # it is stopped already


def _close(store: Store, ledger: Ledger, held: Breach, why: str, now: datetime) -> None:
    """Close a breach; of two workers one does, and tells."""
    closed = replace(held, closed_at=now, closed_why=why)
    with store.write() as connection:
        still = (monitor_breaches.c.id == held.id, monitor_breaches.c.holding.is_not(None))
        if not connection.execute(update(monitor_breaches).where(*still).values(holding=None)).rowcount:
            return
        save(connection, monitor_breaches, closed, **_columns(closed))
    ledger.append("monitor.closed", at=now, app=held.app, facts={"breach": held.id, "metric": held.metric})


def _columns(breach: Breach) -> dict[str, str | None]:
    holding = f"{breach.app}/{breach.metric}" if breach.open else None
    return {"id": breach.id, "app": breach.app, "opened_at": stamp(breach.opened_at), "holding": holding}
