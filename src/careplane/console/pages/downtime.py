"""Downtime: what is away since when, what waits, who was told, and what the drills showed."""

from collections import Counter

from starlette.responses import Response

from careplane.console.pages.names import names_of
from careplane.console.pages.page import Page
from careplane.console.visit import Visit
from careplane.records.downtime import Fallback
from careplane.workflow.downtime import fallback, waiting
from careplane.workflow.drill import drills
from careplane.workflow.outages import Outages
from careplane.workflow.pending import pending_write_backs

SHOWN = 20


def downtime(visit: Visit) -> Response:
    store = visit.context.store
    runtime = visit.context.runtime
    seen: Outages | None = runtime.outages if runtime is not None else None
    held = visit.context.outages
    history = seen.history(SHOWN) if seen is not None else []
    queued = waiting(store, limit=1000)
    unwritten = pending_write_backs(store)
    told = [person for one in (*held, *history) for person in one.told]
    return visit.page(
        "downtime.html",
        noted=seen is not None,
        held=held,
        history=[one for one in history if one.cause == "failures" or one.ended is not None],
        queued=Counter((one.event.app, one.dependency) for one in queued).most_common(),
        queued_total=len(queued),
        next_try=queued[0].next_at if queued else None,
        unwritten=unwritten,
        drills=drills(store, limit=SHOWN),
        fallbacks=fallbacks(visit),
        names=names_of(store, told),
    )


def fallbacks(visit: Visit) -> list[Fallback]:
    """What each app that can run says while something it needs is away; empty when nothing is."""
    held = visit.context.outages
    if not held:
        return []
    apps = (app for app in visit.context.apps.values() if app.runnable)
    said = (fallback(app, held) for app in apps)
    return [one for one in said if one is not None]


PAGES = (Page("/safety/downtime", downtime, "safety"),)
