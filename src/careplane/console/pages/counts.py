"""Counts over runs, straight from their columns."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from sqlalchemy import func, select

from careplane.records import Record
from careplane.store import Store, count
from careplane.store.tables import runs
from careplane.workflow import about_patient

_WORDS = {"accepted": "accepted", "edited": "edited", "rejected": "rejected", "draft": "waiting"}


class RunCounts(Record, frozen=True):
    """How many runs there are by status, and what their model calls cost together (USD)."""

    by_status: dict[str, int]
    cost_usd: float

    @property
    def total(self) -> int:
        return sum(self.by_status.values())

    def of(self, *statuses: str) -> int:
        return sum(self.by_status.get(status, 0) for status in statuses)


def run_counts(store: Store, app: str | None = None) -> RunCounts:
    """The counts of one app, or of all."""
    query = select(runs.c.status, func.count(), func.sum(runs.c.cost_usd)).group_by(runs.c.status)
    if app is not None:
        query = query.where(runs.c.app == app)
    with store.read() as connection:
        rows = connection.execute(query).all()
    return RunCounts(
        by_status={status: number for status, number, _cost in rows},
        cost_usd=sum(cost or 0.0 for _status, _number, cost in rows),
    )


def count_drafts(
    store: Store, reviewer: str | None, patient: str | None = None, apps: Sequence[str] | None = None
) -> int:
    """How many drafts wait for a reviewer, or for anybody; of one patient, and of some apps, where that is asked."""
    where = [runs.c.status == "draft"]
    if apps is not None:
        where.append(runs.c.app.in_(apps))
    if reviewer is not None:
        where.append(runs.c.reviewer == reviewer)
    with store.read() as connection:
        if patient is not None:
            where.append(about_patient(connection, patient))
        return count(connection, runs, *where)


def weekly_use(store: Store, app: str) -> list[tuple[str, dict[str, int]]]:
    """Drafts of an app by week (ISO date of its Monday, oldest first) and what became of them."""
    on = func.substr(runs.c.at, 1, 10)
    query = (
        select(on, runs.c.status, func.count())
        .where(runs.c.app == app, runs.c.status.in_(list(_WORDS)))
        .group_by(on, runs.c.status)
    )
    weeks: dict[str, dict[str, int]] = {}
    with store.read() as connection:
        for day, status, number in connection.execute(query):
            counts = weeks.setdefault(_monday(day).isoformat(), {})
            counts[_WORDS[status]] = counts.get(_WORDS[status], 0) + number
    return sorted(weeks.items())


def _monday(day: str) -> date:
    on = datetime.fromisoformat(day).date()
    return on - timedelta(days=on.weekday())
