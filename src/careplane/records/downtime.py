"""Downtime: what is away since when, what waits for it, and what a drill showed."""

from datetime import datetime
from typing import Literal

from careplane.records import Record
from careplane.records.run import Event

Dependency = Literal["ehr", "model"]
Drilled = Literal["ehr", "model", "network"]
"""What a drill takes away; the network is the way to both."""


class Outage(Record, frozen=True):
    """A dependency that is away, or was. ``cause`` is ``failures`` (detected) or ``drill``; a drill may be of one
    ``app`` and ends by itself at ``until``. ``told`` are the people whose page said so."""

    id: str
    dependency: Dependency
    since: datetime
    cause: Literal["failures", "drill"] = "failures"
    app: str | None = None
    until: datetime | None = None
    ended: datetime | None = None
    told: tuple[str, ...] = ()

    def covers(self, app: str | None, at: datetime) -> bool:
        """Whether it holds for an app now; a drill is over at its time, whoever looks. ``None`` asks for any app."""
        over = self.ended is not None or (self.until is not None and at >= self.until)
        return not over and (app is None or self.app is None or self.app == app)


class WaitingEvent(Record, frozen=True):
    """An event whose run waits for a dependency. ``until`` is when the wait ends with the stated fallback."""

    event: Event
    dependency: Dependency
    since: datetime
    until: datetime
    next_at: datetime
    attempts: int = 1


class WriteBack(Record, frozen=True):
    """A signed text on its way to the chart. ``held`` says why a person has to look before it goes on,
    ``confirmed`` is the fingerprint of the changes that a person has seen since."""

    run: str
    app: str
    since: datetime
    next_at: datetime
    attempts: int = 0
    error: str = ""
    held: str = ""
    confirmed: str = ""


class Fallback(Record, frozen=True):
    """What every surface says while an app cannot run: a CDS card, a banner, the body of a 503."""

    app: str
    summary: str
    detail: str
    dependencies: tuple[Dependency, ...]
    since: datetime
    drill: bool = False


class DrillCheck(Record, frozen=True):
    """One thing that a drill looked at."""

    name: str
    passed: bool
    text: str


class Drill(Record, frozen=True):
    """A drill of one app and what it showed; ``ended`` is ``None`` while it runs, ``passed`` needs every check."""

    id: str
    app: str
    dependency: Drilled
    started: datetime
    until: datetime
    by: str
    ended: datetime | None = None
    queued: int = 0
    checks: tuple[DrillCheck, ...] = ()
    passed: bool = False
