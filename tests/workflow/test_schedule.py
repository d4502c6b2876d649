"""Scheduled triggers: the clock brings one event per unit and time, and each is processed once."""

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dbos import DBOS

from careplane.workflow import Runtime, find_runs
from careplane.workflow.durable import Durable
from careplane.workflow.schedule import Post, Schedule, events_of

EVERY_SECOND = "* * * * * *"
NEVER_MEANWHILE = "0 0 29 2 *"
POSTS = (
    Post(unit="Location/clinic-01", site="Organization/hospital-1", user="Practitioner/p001"),
    Post(unit="Location/clinic-03", site=None, user=None),
)
PATIENCE = 60.0


class Asked:
    """Passes a call on and says when it came the given number of times."""

    def __init__(self, call: Callable[..., Any], times: int) -> None:
        self._call, self._left = call, times
        self.enough = threading.Event()

    def __call__(self, *given: Any) -> Any:
        self._left -= 1
        if self._left <= 0:
            self.enough.set()
        return self._call(*given)


def schedule(posts: Callable[[], Sequence[Post]], cron: str = EVERY_SECOND) -> Schedule:
    return Schedule(app="bed_huddle", cron=cron, timezone="America/Chicago", posts=posts)


def everywhere() -> Sequence[Post]:
    return POSTS


def test_schedule_fires_and_each_event_is_processed_once(runtime: Runtime, home: Path) -> None:
    permits = Asked(runtime.permit, 2 * len(POSTS))
    live = replace(runtime, permit=permits, clock=lambda: datetime.now(UTC))
    days = iter((POSTS, POSTS))
    durable = Durable(live, home, [schedule(lambda: next(days, ()))])
    durable.start()
    try:
        assert permits.enough.wait(PATIENCE), "the schedule did not fire twice"
        asyncio.run(durable.drain())
    finally:
        durable.stop()
    runs = find_runs(live.store, limit=None)
    times = Counter(run.event.at for run in runs)
    assert list(times.values()) == [len(POSTS)] * 2
    assert all(at.microsecond == 0 and at.tzinfo is not None for at in times)
    assert {(run.event.kind, run.event.app) for run in runs} == {("schedule", "bed_huddle")}
    assert {run.event.unit for run in runs} == {post.unit for post in POSTS}

    durable = Durable(live, home, [schedule(everywhere, NEVER_MEANWHILE)])
    durable.start()
    try:
        for at in times:
            asyncio.run(durable.fire("bed_huddle", at))
        asyncio.run(durable.drain())
    finally:
        durable.stop()
    assert find_runs(live.store, limit=None) == runs
    permitted = Counter(record.run for record in live.ledger.records(kind="run.permitted"))
    assert permitted == Counter(run.id for run in runs)


def test_schedule_that_is_gone_is_taken_from_the_engine(runtime: Runtime, home: Path) -> None:
    for schedules in ([schedule(everywhere, NEVER_MEANWHILE)], []):
        durable = Durable(runtime, home, schedules)
        durable.start()
        held = [(one["schedule_name"], one["schedule"], one["cron_timezone"]) for one in DBOS.list_schedules()]
        durable.stop()
        assert held == [(one.app, one.cron, one.timezone) for one in schedules]


def test_event_of_a_scheduled_time_is_named_by_app_unit_and_time() -> None:
    first, second = events_of(schedule(everywhere), datetime.fromisoformat("2026-03-02T06:00:00-06:00"))
    assert first.id == "bed_huddle-clinic-01-20260302T120000Z"
    assert second.id == "bed_huddle-clinic-03-20260302T120000Z"
    assert (first.unit, first.site, first.user) == (POSTS[0].unit, POSTS[0].site, POSTS[0].user)
