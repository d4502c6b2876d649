"""Data: what was loaded, which problems were met, and the state of the audit ledger."""

from sqlalchemy import func, select
from starlette.responses import Response

from careplane.console.pages.page import Page
from careplane.console.visit import Visit
from careplane.errors import LedgerBroken
from careplane.ledger import Head, verify
from careplane.records import Record
from careplane.store import Store, count
from careplane.store.tables import load_problems, parts

PROBLEMS_SHOWN = 50


class Loaded(Record, frozen=True):
    """The loaded rows of one resource type."""

    resource_type: str
    rows: int
    files: int
    last: str


class Problem(Record, frozen=True):
    """Something a load could not take, with its file and line."""

    source: str
    line: int | None
    kind: str
    text: str


def data(visit: Visit) -> Response:
    loaded, problems = _loaded(visit.context.store), _problems(visit.context.store)
    with visit.context.store.read() as connection:
        total = count(connection, load_problems)
    return visit.page(
        "data.html", loaded=loaded, problems=problems, problem_count=total, head=visit.context.ledger.head, checked=None
    )


def check(visit: Visit) -> Response:
    """Recompute the whole chain of the ledger."""
    answer: Head | LedgerBroken
    try:
        answer = verify(visit.context.home / "ledger")
    except LedgerBroken as error:
        answer = error
    return visit.page("ledger.html", answer=answer, broken=isinstance(answer, LedgerBroken))


def _loaded(store: Store) -> list[Loaded]:
    query = (
        select(parts.c.resource_type, func.sum(parts.c.rows), func.count(), func.max(parts.c.loaded_at))
        .group_by(parts.c.resource_type)
        .order_by(parts.c.resource_type)
    )
    with store.read() as connection:
        found = connection.execute(query).all()
    return [Loaded(resource_type=kind, rows=rows, files=files, last=last[:16]) for kind, rows, files, last in found]


def _problems(store: Store) -> list[Problem]:
    c = load_problems.c
    query = select(c.source, c.line, c.kind, c.text).order_by(c.id.desc()).limit(PROBLEMS_SHOWN)
    with store.read() as connection:
        found = connection.execute(query).all()
    return [Problem(source=source, line=line, kind=kind, text=text) for source, line, kind, text in found]


PAGES = (Page("/data", data, "data"), Page("/data/ledger", check, "data", "POST"))
