"""Scheduled triggers: the events that the clock brings, one for each unit and time.

The engine of :mod:`careplane.workflow.durable` keeps the clock; what a schedule means is here. A time that passes while
no process runs is left out: a brief of this morning is of no use tonight, and it would read tonight's chart.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from careplane.records import Record
from careplane.records.run import Event, Occurrence
from careplane.workflow.triggers import event_for


class Post(Record, frozen=True):
    """A unit that gets a run, its site, and the person there who reviews it."""

    unit: str
    site: str | None
    user: str | None


@dataclass(frozen=True, slots=True)
class Schedule:
    """When an app starts by the clock, and where.

    ``cron`` has five fields (or six, with seconds first) in the IANA ``timezone``. ``posts`` is asked anew each time,
    so that a change of stage, a stop or a new charge nurse holds at once; an app that may not run has none.
    """

    app: str
    cron: str
    timezone: str
    posts: Callable[[], Sequence[Post]]


def events_of(schedule: Schedule, at: datetime) -> Iterator[Event]:
    """The events of a scheduled time; their ids follow from app, unit and time, so a repeat is the same event."""
    for post in schedule.posts():
        unit = post.unit.rpartition("/")[2]
        happened = Occurrence(
            id=f"{schedule.app}-{unit}-{at.astimezone(UTC):%Y%m%dT%H%M%SZ}",
            kind="schedule",
            on=schedule.cron,
            at=at,
            unit=post.unit,
            site=post.site,
            user=post.user,
        )
        yield event_for(schedule.app, happened)
