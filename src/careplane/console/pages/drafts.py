"""Where the link of a card leads: to the draft, or to a page that waits for it."""

from starlette.responses import Response

from careplane.console.pages.page import Page
from careplane.console.visit import Visit
from careplane.workflow.records import find_run

EVERY_SECONDS = 3
TRIES = 60


def draft(visit: Visit) -> Response:
    """The review of a run that has a draft; until it has one, a page that looks again by itself for three minutes."""
    ident = visit.path("run")
    run = find_run(visit.context.store, ident)
    if run is not None and run.draft is not None:
        return visit.go(f"/review/{run.id}")
    tries = visit.number("tries", highest=TRIES)
    page = visit.page("draft_waiting.html", run=run, again=tries < TRIES, here=f"/drafts/{ident}")
    if run is None and tries < TRIES:
        page.headers["Refresh"] = f"{EVERY_SECONDS}; url={visit.link(tries=tries + 1)}"
    return page


PAGES = (Page("/drafts/{run}", draft, "review"),)
