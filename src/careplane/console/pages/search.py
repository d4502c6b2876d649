"""Search over the register, decisions and plans; help; and the page for an address that is not there."""

from starlette.responses import Response

from careplane.alignment import decisions, find_items
from careplane.console.pages.page import Page
from careplane.console.visit import Visit
from careplane.errors import NotFound
from careplane.evidence import find_plans

HITS = 20


def search(visit: Visit) -> Response:
    words = visit.query("q").lower().split()
    store = visit.context.store
    made = decisions(store, visit.today, open_only=False) if words else []
    plans = find_plans(store) if words else []
    return visit.page(
        "search.html",
        q=visit.query("q"),
        items=find_items(store, visit.query("q"), limit=HITS) if words else [],
        decisions=[one for one in made if _has(words, one.question, one.item, one.owner)][:HITS],
        plans=[one for one in plans if _has(words, one.question, one.app, one.id)][:HITS],
    )


def _has(words: list[str], *texts: str) -> bool:
    return all(any(word in text.lower() for text in texts) for word in words)


def help_page(visit: Visit) -> Response:
    return visit.page("help.html")


def nowhere(visit: Visit) -> Response:
    raise NotFound(f"There is no page at {visit.request.url.path}. The search finds apps, decisions and plans.")


PAGES = (
    Page("/search", search, "portfolio"),
    Page("/help", help_page, "portfolio"),
)
LAST = (Page("/{path:path}", nowhere, "portfolio"),)
"""After all others."""
