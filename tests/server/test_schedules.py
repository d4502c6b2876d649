"""Which apps the clock starts, and in which units; and that they run."""

import asyncio
import threading
from collections.abc import Callable
from dataclasses import replace

from careplane.records.app import App
from careplane.records.design import Placement
from careplane.records.people import Person
from careplane.records.portfolio import Stage
from careplane.records.run import Event, Permit
from careplane.server.platform import Platform
from careplane.server.schedules import open_schedules
from careplane.store import save
from careplane.store.tables import people
from careplane.workflow import find_runs
from careplane.workflow.durable import Durable
from careplane.workflow.schedule import Schedule

SITE = "Organization/hospital-1"
STAFF = (
    ("Practitioner/p1", "charge_nurse", "Location/ward-a"),
    ("Practitioner/p2", "charge_nurse", "Location/ward-a"),
    ("Practitioner/p0", "bed_manager", "Location/ward-a"),
    ("Practitioner/p3", "bed_manager", "Location/ward-b"),
    ("Practitioner/p4", "physician", "Location/ward-c"),
)


def hire(platform: Platform) -> None:
    with platform.store.write() as connection:
        for ident, job, unit in STAFF:
            person = Person(id=ident, name="Invented", job=job, unit=unit, site=SITE, department="", synthetic=True)
            save(connection, people, person, id=ident, unit=unit, job=job)


def where(schedule: Schedule) -> list[tuple[str, str | None]]:
    return [(post.unit.rpartition("/")[2], post.user) for post in schedule.posts()]


def test_only_apps_that_run_are_scheduled_where_their_jobs_are(
    platform: Platform, promote: Callable[[str, Stage], None], train: Callable[[str, str], None]
) -> None:
    hire(platform)
    (schedule,) = (one for one in open_schedules(platform) if one.app == "bed_huddle")
    assert (schedule.app, schedule.cron, schedule.timezone) == ("bed_huddle", "0 6,14 * * *", "America/Chicago")
    assert where(schedule) == []
    promote("bed_huddle", "shadow")
    assert where(schedule) == [("ward-a", "Practitioner/p1"), ("ward-b", "Practitioner/p3")]
    train("bed_huddle", "Practitioner/p2")
    assert where(schedule) == [("ward-a", "Practitioner/p2"), ("ward-b", "Practitioner/p3")]


def test_a_schedule_of_the_installation_fires_and_drafts(
    platform: Platform, promote: Callable[[str, Stage], None], train: Callable[[str, str], None]
) -> None:
    hire(platform)
    promote("bed_huddle", "shadow")
    train("bed_huddle", "Practitioner/p1")
    (schedule,) = (one for one in open_schedules(platform) if one.app == "bed_huddle")
    asked: list[str | None] = []
    both = threading.Event()

    def permit(app: App, event: Event) -> tuple[Permit, Placement | None]:
        asked.append(event.unit)
        if len(asked) == 2:
            both.set()
        return platform.runtime.permit(app, event)

    days = iter((schedule.posts(),))
    every_second = replace(schedule, cron="* * * * * *", posts=lambda: next(days, ()))
    durable = Durable(replace(platform.runtime, permit=permit), platform.home, [every_second])
    durable.start()
    try:
        assert both.wait(60), "the schedule did not fire"
        asyncio.run(durable.drain())
    finally:
        durable.stop()
    runs = {run.event.unit: run for run in find_runs(platform.store, limit=None)}
    assert sorted(asked, key=str) == sorted(runs, key=str) == ["Location/ward-a", "Location/ward-b"]
    draft = runs["Location/ward-a"].draft
    assert draft is not None
    assert "Transport home not arranged" in draft.text
    assert [reason.rule for reason in runs["Location/ward-b"].permit.refusals] == ["trained"]
