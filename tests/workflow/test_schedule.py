"""Scheduled triggers: the clock brings one event per unit and time, and each is processed once."""

import asyncio
import threading
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

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


class Desk:
    """Answers where an app runs now, and knows how often it was asked."""

    def __init__(self, times: int) -> None:
        self.times = times
        self.enough = threading.Event()

    def posts(self) -> tuple[Post, ...]:
        self.times -= 1
        if self.times <= 0:
            self.enough.set()
        return POSTS


def schedule(desk: Desk, cron: str = EVERY_SECOND) -> Schedule:
    return Schedule(app="bed_huddle", cron=cron, timezone="America/Chicago", posts=desk.posts)


def test_schedule_fires_and_each_event_is_processed_once(runtime: Runtime, home: Path) -> None:
    desk = Desk(2)
    live = replace(runtime, clock=lambda: datetime.now(UTC))
    durable = Durable(live, home, [schedule(desk)])
    durable.start()
    try:
        assert desk.enough.wait(PATIENCE), "the schedule did not fire"
    finally:
        durable.stop()
    durable = Durable(live, home, [schedule(desk, NEVER_MEANWHILE)])  # takes up a firing that the stop interrupted
    durable.start()
    try:
        asyncio.run(durable.drain())
        known = {run.event for run in find_runs(live.store, limit=None)}
        for event in known:
            asyncio.run(durable.fire(event.app, event.at))
        asyncio.run(durable.drain())
    finally:
        durable.stop()
    runs = find_runs(live.store, limit=None)
    assert {run.event for run in runs} >= known
    times = Counter(run.event.at for run in runs)
    assert len(times) >= 2
    assert set(times.values()) == {len(POSTS)}
    assert all(at.microsecond == 0 and at.tzinfo is not None for at in times)
    assert {(run.event.kind, run.event.app) for run in runs} == {("schedule", "bed_huddle")}
    permitted = Counter(record.run for record in live.ledger.records(kind="run.permitted"))
    assert permitted == Counter(run.id for run in runs)
    fired = {record.facts["units"] for record in live.ledger.records(kind="schedule.fired")}
    assert fired == {len(POSTS)}


def test_schedule_that_is_gone_is_taken_from_the_engine(runtime: Runtime, home: Path) -> None:
    for schedules in ([schedule(Desk(1), NEVER_MEANWHILE)], []):
        durable = Durable(runtime, home, schedules)
        durable.start()
        held = [(one["schedule_name"], one["schedule"], one["cron_timezone"]) for one in DBOS.list_schedules()]
        durable.stop()
        assert held == [(one.app, one.cron, one.timezone) for one in schedules]


def test_event_of_a_scheduled_time_is_named_by_app_unit_and_time(installation: ModuleType) -> None:
    first, second = events_of(schedule(Desk(1)), datetime.fromisoformat("2026-03-02T06:00:00-06:00"))
    assert first.id == "bed_huddle-clinic-01-20260302T120000Z"
    assert second.id == "bed_huddle-clinic-03-20260302T120000Z"
    assert (first.unit, first.site, first.user) == (POSTS[0].unit, POSTS[0].site, POSTS[0].user)
