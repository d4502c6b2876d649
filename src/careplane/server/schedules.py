"""The schedules of an installation: which apps the clock starts, and in which units."""

from functools import partial

from careplane import alignment, change, governance
from careplane.records.app import App, Trigger
from careplane.records.people import Person
from careplane.server.platform import Platform
from careplane.store import find
from careplane.store.tables import people
from careplane.workflow.schedule import Post, Schedule


def open_schedules(platform: Platform) -> tuple[Schedule, ...]:
    """A schedule for each app that has one and can run, in the time zone of the site."""
    zone = platform.settings.text("timezone")
    return tuple(
        Schedule(app=app.id, cron=trigger.cron, timezone=zone, posts=partial(posts, platform, app, trigger))
        for app in platform.apps.values()
        if app.runnable
        for trigger in app.spec.starts
        if trigger.kind == "schedule"
    )


def posts(platform: Platform, app: App, trigger: Trigger) -> tuple[Post, ...]:
    """The units where somebody with one of the trigger's jobs works, each with its reviewer: trained people first.

    An app that is not on the register in a running stage has none; what else may refuse a run is asked for each event.
    """
    store, now = platform.store, platform.clock()
    item = alignment.find_item(store, app.id)
    if item is None or item.stage not in governance.RUNNING_STAGES:
        return ()
    jobs = trigger.jobs
    with store.read() as connection:
        staff = find(connection, people, Person, people.c.job.in_(jobs))

    def rank(person: Person) -> tuple[str, bool, int, str]:
        untrained = not change.trained(store, app, person.id, now).allowed
        return person.unit, untrained, jobs.index(person.job), person.id

    staff.sort(key=rank)
    first: dict[str, Person] = {}
    for person in staff:
        first.setdefault(person.unit, person)
    return tuple(Post(unit=unit, site=person.site, user=person.id) for unit, person in first.items())
