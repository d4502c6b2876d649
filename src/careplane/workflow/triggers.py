"""From what happened to the events of apps: one rule for all doors.

A door turns its wire format into an :class:`~careplane.records.run.Occurrence`; ``events_of`` says which apps start.
"""

from collections.abc import Iterable

from careplane.records.app import App, Trigger
from careplane.records.run import Event, Occurrence

_STANDS_FOR = ("api", "hook", "subscription", "hl7v2", "erp")
"""The kinds of trigger that a connected system may stand in for at ``POST /events``."""


def matches(trigger: Trigger, occurrence: Occurrence) -> bool:
    """Whether a trigger is for what happened.

    The door must be the one that is declared, except that an interface engine may post to ``/events`` what another door
    would have brought. ``on`` must be equal; a ``*`` after ``^`` or ``.`` stands for any event of that type. A chat
    starts the app that it is held with, and the clock one whose ``cron`` it is.
    """
    if occurrence.kind == "schedule":
        return trigger.kind == "schedule" and trigger.cron == occurrence.on
    if occurrence.kind == "api":
        return trigger.kind in _STANDS_FOR and _named(trigger.on, occurrence.on)
    return trigger.kind == occurrence.kind and (not trigger.on or _named(trigger.on, occurrence.on))


def events_of(apps: Iterable[App], occurrence: Occurrence) -> tuple[Event, ...]:
    """One event for each app that runs and that the occurrence starts, in the order of the apps.

    An event has the id of its occurrence, and a run is unique per app and event: what is delivered again runs once.
    """
    return tuple(
        event_for(app.id, occurrence)
        for app in apps
        if app.runnable and any(matches(trigger, occurrence) for trigger in app.spec.starts)
    )


def event_for(app: str, occurrence: Occurrence) -> Event:
    """What happened, as the cause of a run of this app."""
    return Event(
        id=occurrence.id,
        app=app,
        kind=occurrence.kind if occurrence.kind in ("schedule", "chat", "manual") else occurrence.on,
        at=occurrence.at,
        patient=occurrence.patient,
        encounter=occurrence.encounter,
        focus=occurrence.focus,
        unit=occurrence.unit,
        site=occurrence.site,
        user=occurrence.user,
        door=occurrence.kind,
        source=occurrence.source,
    )


def _named(declared: str, happened: str) -> bool:
    return declared == happened or (declared.endswith(("^*", ".*")) and happened.startswith(declared[:-1]))
