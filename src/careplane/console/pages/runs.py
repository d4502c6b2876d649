"""Runs, and the trace of one: every step with its reasons, calls, ledger records and write-backs."""

from typing import get_args

from starlette.responses import Response

from careplane.console.pages.names import names_of
from careplane.console.pages.page import Page
from careplane.console.visit import Visit
from careplane.records.run import RunStatus
from careplane.workflow import find_runs, load_run
from careplane.workflow.pending import pending_write_back

PAGE_ROWS = 50


def runs(visit: Visit) -> Response:
    status = next((name for name in get_args(RunStatus) if name == visit.query("status")), None)
    page = max(1, visit.number("page", 1))
    found = find_runs(
        visit.context.store,
        app=visit.query("app") or None,
        status=status,
        limit=PAGE_ROWS + 1,
        offset=(page - 1) * PAGE_ROWS,
    )
    return visit.page(
        "runs.html",
        runs=found[:PAGE_ROWS],
        page=page,
        more=len(found) > PAGE_ROWS,
        statuses=get_args(RunStatus),
        apps=sorted(visit.context.apps),
    )


def trace(visit: Visit) -> Response:
    run = load_run(visit.context.store, visit.path("run"))
    ledger = visit.context.ledger
    ledger.append("run_viewed", at=visit.now, run=run.id, app=run.app, actor=ledger.pseudonym(visit.who))
    people = [run.event.user, run.review.by if run.review else None, *(deed.by for deed in run.amendments)]
    return visit.page(
        "trace.html",
        run=run,
        names=names_of(visit.context.store, people),
        records=list(ledger.records(run=run.id)),
        pending=pending_write_back(visit.context.store, run.id),
    )


PAGES = (Page("/runs", runs, "trace"), Page("/runs/{run}", trace, "trace"))
