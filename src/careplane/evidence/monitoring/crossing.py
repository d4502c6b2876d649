"""What follows when a safety watch crosses: the app is paused, the ledger says so, its owner is asked.

Each step may be done again: after a crash another look goes on where the last one stopped. The pause comes first. Of
several workers one does the rest; should it die, another takes over after :data:`CLAIM_SECONDS`, and looks into the
ledger before it writes there.
"""

import logging
from collections.abc import Callable
from datetime import datetime

from sqlalchemy import or_, update

from careplane.errors import Conflict
from careplane.evidence.monitoring.watching import look, settle_watch
from careplane.governance import stop
from careplane.governance.switches import AUTOMATIC
from careplane.ledger import Ledger
from careplane.ledger.search import Query
from careplane.records.app import App
from careplane.records.monitoring import SafetyWatch
from careplane.store import Store
from careplane.store.clock import database_time
from careplane.store.tables import safety_watches

BY = f"{AUTOMATIC}safety watch"
KIND = "safety.crossed"
CLAIM_SECONDS = 30.0

Tell = Callable[[App, str], None]
"""Asks the owner of an app what is to become of it, once however often it is called with the same words."""

log = logging.getLogger("careplane.monitoring")


def watch_app(store: Store, ledger: Ledger, app: App, tell: Tell, now: datetime) -> SafetyWatch:
    """Look at an app's safety, and do what follows from a crossing.

    Raises:
        StoreError: the database is away; the next look goes on.
        LedgerError: the ledger could not be written; the pause holds already, the next look goes on.
    """
    watch = look(store, app, now)
    if watch.crossed_at is None or watch.settled_at is not None:
        return watch
    if watch.rule.pause:
        _pause(store, ledger, app, watch, now)
    if not _claimed(store, watch):
        return watch
    _record(ledger, app, watch)
    tell(app, f"The safety watch of {app.spec.title} crossed its bound. Fix and release it, or retire it?")
    settle_watch(store, watch, now)
    log.warning("the safety watch of %s crossed: %s", app.id, sentence(watch))
    return watch


def sentence(watch: SafetyWatch) -> str:
    """How a watch stands, in words with numbers."""
    counted = f"{watch.events:,} of {watch.runs:,} runs had {_events(watch)}"
    if watch.crossed_at is None:
        return f"{counted}; evidence {_evidence(watch)}, the bound is {watch.bound:.3g}."
    looks = "1 look" if watch.looks == 1 else f"{watch.looks:,} looks"
    more = f"so the true share is above {watch.rule.max_rate:.2%} (at least {watch.low:.2%})"
    return f"{counted}, {more}; evidence {_evidence(watch)} at {looks}, the bound is {watch.bound:.3g}."


def _evidence(watch: SafetyWatch) -> str:
    """The e-value; how far it is beyond a thousand says nothing to a reader."""
    return "over 1,000" if watch.evidence > 1000 else f"{watch.evidence:.3g}"


def _events(watch: SafetyWatch) -> str:
    names = {
        "harm": "a harm flag",
        "critical_finding": "a critical finding",
        "failed": "an error",
        "rejected": "a rejection",
    }
    return " or ".join(names[one] for one in watch.rule.events)


def _pause(store: Store, ledger: Ledger, app: App, watch: SafetyWatch, now: datetime) -> None:
    try:
        stop(store, ledger, "app", app.id, BY, sentence(watch), now)
    except Conflict:
        return  # it is stopped already, by an earlier try or by somebody


def _claimed(store: Store, watch: SafetyWatch) -> bool:
    """Whether this look is the one that tells of the crossing."""
    mine = (safety_watches.c.app == watch.app, safety_watches.c.number == watch.number, safety_watches.c.unsettled)
    with store.write() as connection:
        now = database_time(connection)
        free = or_(safety_watches.c.claimed.is_(None), safety_watches.c.claimed < now - CLAIM_SECONDS)
        done = connection.execute(update(safety_watches).where(*mine, free).values(claimed=now))
    return bool(done.rowcount)


def _record(ledger: Ledger, app: App, watch: SafetyWatch) -> None:
    """Write the crossing into the ledger unless it is there."""
    assert watch.crossed_at is not None  # noqa: S101 - asked by the caller
    known = ledger.find(Query(app=app.id, kind=KIND))
    if any(record.facts.get("watch") == watch.number for record in known):
        return
    ledger.append(
        KIND,
        at=watch.crossed_at,
        actor=BY,
        app=app.id,
        facts={
            "watch": watch.number,
            "runs": watch.runs,
            "events": watch.events,
            "looks": watch.looks,
            "evidence": round(watch.evidence, 6),
            "bound": watch.bound,
            "max_rate": watch.rule.max_rate,
            "alpha": watch.rule.alpha,
            "paused": watch.rule.pause,
        },
    )
