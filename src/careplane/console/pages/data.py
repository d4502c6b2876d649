"""Data: what was loaded, which problems were met, and the state of the audit ledger."""

from starlette.responses import Response

from careplane.console.pages.page import Page
from careplane.console.visit import Visit
from careplane.errors import LedgerBroken
from careplane.ledger import Head, verify
from careplane.store import lake_contents

PROBLEMS_SHOWN = 50


def data(visit: Visit) -> Response:
    home = visit.context.home
    total, problems = lake_contents.problems(home, PROBLEMS_SHOWN)
    return visit.page(
        "data.html",
        loaded=lake_contents.loaded(home),
        problems=problems,
        problem_count=total,
        head=visit.context.ledger.head,
    )


def check(visit: Visit) -> Response:
    """Recompute the whole chain of the ledger."""
    answer: Head | LedgerBroken
    try:
        answer = verify(visit.context.home / "ledger")
    except LedgerBroken as error:
        answer = error
    return visit.page("ledger.html", answer=answer, broken=isinstance(answer, LedgerBroken))


PAGES = (Page("/data", data, "data"), Page("/data/ledger", check, "data", "POST"))
