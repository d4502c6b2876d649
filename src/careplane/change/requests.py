"""Requests of users, and what became of them: "you said, we did"."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Literal
from uuid import uuid4

import numpy as np
from msgspec.structs import replace
from sqlalchemy.dialects import postgresql, sqlite

from careplane.errors import InputError, NotFound
from careplane.records import Record
from careplane.records.people import Request
from careplane.store import Store, fetch, find, insert_new, save, stamp
from careplane.store.tables import request_votes
from careplane.store.tables import requests as table

LONGEST_TEXT = 2000
REPLY_BUSINESS_DAYS = 10

Kind = Literal["need", "complaint", "idea", "problem"]
Answered = Literal["planned", "done", "declined"]


class ClosedLoop(Record, frozen=True):
    """How many requests were answered. ``rate`` is ``None`` when nobody asked; ``overdue`` are open ones past ten
    business days."""

    asked: int
    answered: int
    overdue: int
    rate: float | None


def post_request(
    store: Store, app: str, by: str, kind: Kind, text: str, at: datetime, run: str | None = None, what: str = ""
) -> Request:
    """Post what somebody needs; the poster's vote is the first. ``what`` is the kind of a problem with ``run``.

    Raises:
        InputError: the text is empty or longer than 2,000 characters.
    """
    told = _text(text, "text")
    request = Request(id=f"r-{uuid4().hex[:12]}", app=app, by=by, kind=kind, text=told, at=at, run=run, what=what)
    with store.write() as connection:
        save(connection, table, request, **_columns(request))
        insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
        connection.execute(insert(request_votes).values(request=request.id, person=by, at=stamp(at)))
    return request


def import_requests(store: Store, requests: Iterable[Request]) -> int:
    """Add requests kept elsewhere; says how many were new."""
    with store.write() as connection:
        return sum(insert_new(connection, table, request, **_columns(request)) for request in requests)


def vote(store: Store, request: str, by: str, at: datetime) -> Request:
    """Agree with a request; a second vote of the same person changes nothing.

    Raises:
        NotFound: there is no such request.
    """
    with store.write() as connection:
        held = fetch(connection, table, Request, table.c.id == request)
        if held is None:
            raise NotFound(f"There is no request {request!r}.")
        insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
        statement = insert(request_votes).values(request=request, person=by, at=stamp(at)).on_conflict_do_nothing()
        new = connection.execute(statement.returning(request_votes.c.person)).first() is not None
        if held.by == by or not new:
            return held
        voted = replace(held, votes=held.votes + 1)
        save(connection, table, voted, **_columns(voted))
    return voted


def answer_request(store: Store, request: str, status: Answered, answer: str, at: datetime) -> Request:
    """Answer a request: what will be or was done, or why not.

    Raises:
        InputError: the answer is empty or too long.
        NotFound: there is no such request.
    """
    text = _text(answer, "answer")
    with store.write() as connection:
        held = fetch(connection, table, Request, table.c.id == request)
        if held is None:
            raise NotFound(f"There is no request {request!r}.")
        answered = replace(held, status=status, answer=text, answered_at=at)
        save(connection, table, answered, **_columns(answered))
    return answered


def find_requests(store: Store, app: str | None = None) -> list[Request]:
    """Requests of one app or all, most votes first, then newest."""
    where = () if app is None else (table.c.app == app,)
    with store.read() as connection:
        found = find(connection, table, Request, *where, order_by=(table.c.at.desc(), table.c.id))
    return sorted(found, key=lambda request: -request.votes)


def closed_loop_rate(store: Store, now: datetime, app: str | None = None) -> ClosedLoop:
    """How many requests were answered, of one app or all."""
    return closed_loop(find_requests(store, app), now)


def closed_loop(requests: Sequence[Request], now: datetime) -> ClosedLoop:
    """The share of requests that were answered, and the open ones past their reply date."""
    answered = sum(request.status != "open" for request in requests)
    overdue = sum(
        request.status == "open" and _business_days(request.at, now) > REPLY_BUSINESS_DAYS for request in requests
    )
    rate = answered / len(requests) if requests else None
    return ClosedLoop(asked=len(requests), answered=answered, overdue=overdue, rate=rate)


def _business_days(start: datetime, end: datetime) -> int:
    return int(np.busday_count(start.date(), end.date()))


def _text(text: str, field: str) -> str:
    stripped = text.strip()
    if not stripped:
        raise InputError("must not be empty", field=field)
    if len(stripped) > LONGEST_TEXT:
        raise InputError(f"must have at most {LONGEST_TEXT} characters, it has {len(stripped)}", field=field)
    return stripped


def _columns(request: Request) -> dict[str, str]:
    return {"id": request.id, "app": request.app, "status": request.status, "at": stamp(request.at)}
