"""Active time in the EHR from its audit log, beside the hours that were scheduled for patients.

**Active time.** An audit event with a period was active for that period. An event that is only a moment was active
until the next event of the same person, and not at all when that came later than five minutes: somebody who pauses so
long is taken to be away. The five minutes are a default of this library; published thresholds vary widely, so a study
names its own (Rule, Chiang and Hribar, JAMIA 2020;27:480-490). Time in which two things were open at once counts once.

**Scheduled time.** Slots that patients can book (``free``, ``busy``, ``busy-tentative``) and appointments that were
kept or planned; where they overlap they count once.

**Weeks** begin on Monday at midnight in the wall time that the instants carry, and what runs over midnight of Sunday is
split there (after Sinsky and others, JAMIA 2020;27:639-643, who propose times per eight scheduled hours).
"""

from collections.abc import Callable, Mapping

import ibis

from careplane.measures._instants import Column, epoch_seconds, offset_seconds
from careplane.records import JSON

AWAY = 300
"""Seconds without an event after which somebody is taken to be away."""

WEEK = 604800
_MONDAY = 3 * 86400
_BOOKABLE = ("free", "busy", "busy-tentative")
_KEPT = ("booked", "arrived", "checked-in", "fulfilled", "noshow", "pending")
_DELTAS = ("active", "note", "scheduled")


def active_spans(audit: ibis.Table) -> ibis.Table:
    """Spans of activity: ``person``, ``start`` and ``stop`` in epoch seconds, ``offset``, ``note`` (1 or 0)
    and ``message``."""
    mine = audit.filter(audit.person.notnull())
    begun = mine.start.fill_null(mine.recorded)
    at = epoch_seconds(begun)
    dated = mine.mutate(
        at=at,
        offset=offset_seconds(begun),
        until=mine.start.notnull().ifelse(epoch_seconds(mine.end.fill_null(begun)), ibis.null("int64")),
    )
    following = dated["at"].lead().over(group_by="person", order_by=["at", "id"])
    paused = dated.mutate(following=following.fill_null(dated["at"]))
    next_at = (paused.following - paused["at"] <= AWAY).ifelse(paused.following, paused["at"])
    stop = ibis.greatest(paused.until.fill_null(next_at), paused["at"])
    return paused.select(
        person=paused.person,
        start=paused["at"],
        stop=stop,
        offset=paused.offset,
        note=(paused.document | paused.composition).ifelse(1, 0),
        message=paused.message,
    )


def scheduled_spans(tables: Mapping[str, ibis.Table]) -> ibis.Table:
    """Spans that were scheduled for patients: ``person``, ``start``, ``stop``, ``offset``."""
    slots, schedules, appointments = tables["slots"], tables["schedules"], tables["appointments"]
    bookable = slots.filter(slots.status.isin(_BOOKABLE))
    owned = bookable.join(schedules, bookable.schedule == schedules.schedule_id)
    kept = appointments.filter(appointments.status.isin(_KEPT))
    both = [
        found.select(
            person=found.person,
            start=epoch_seconds(found.start),
            stop=epoch_seconds(found.end),
            offset=offset_seconds(found.start),
        )
        for found in (owned, kept)
    ]
    every = both[0].union(both[1])
    return every.filter(every.person.notnull() & (every.stop > every.start))


def clinician_weeks(tables: Mapping[str, ibis.Table]) -> ibis.Table:
    """Seconds by ``person`` and ``week`` (:func:`week_of`): ``active``, ``note``, ``scheduled`` and ``outside`` (active
    while nothing was scheduled); and ``at``, the Monday at midnight."""
    active, scheduled = active_spans(tables["audit"]), scheduled_spans(tables)
    one, none = ibis.literal(1, type="int64"), ibis.literal(0, type="int64")
    ends = [
        *_ends(active, active=one, note=active.note.cast("int64"), scheduled=none),
        *_ends(scheduled, active=none, note=none, scheduled=one),
    ]
    return _by_week(_segments(ibis.union(*ends)))


def _ends(spans: ibis.Table, **deltas: Column) -> list[ibis.Table]:
    """What begins and what ends, each as a point in time with what it adds or takes away."""
    lasting = spans.mutate(**deltas)
    lasting = lasting.filter(lasting.stop > lasting.start)
    begin = {name: lasting[name] for name in _DELTAS}
    end = {name: -lasting[name] for name in _DELTAS}
    return [
        lasting.select(person=lasting.person, t=lasting.start, offset=lasting.offset, **begin),
        lasting.select(person=lasting.person, t=lasting.stop, offset=lasting.offset, **end),
    ]


def _segments(points: ibis.Table) -> ibis.Table:
    """From one point to the next: how long, and how much was open."""
    sums = {name: points[name].sum() for name in _DELTAS}
    single = points.group_by(["person", "t"]).aggregate(offset=points.offset.min(), **sums)
    order = {"group_by": "person", "order_by": "t"}
    opened = single.mutate(
        following=single.t.lead().over(**order),
        **{name: single[name].sum().over(rows=(None, 0), **order) for name in _DELTAS},
    )
    return opened.filter(opened.following.notnull() & (opened.active + opened.scheduled > 0))


def week_of(at: Column, offset: Column) -> Column:
    """The number of a week, from the one that began on Monday 29 December 1969."""
    return ((at + offset + _MONDAY) // WEEK).cast("int64")


def monday(week: Column, offset: Column) -> Column:
    """Epoch seconds at which a week begins at an offset from UTC."""
    return week * WEEK - _MONDAY - offset


def _by_week(segments: ibis.Table) -> ibis.Table:
    week = week_of(segments.t, segments.offset)
    dated = segments.mutate(week=week, turn=monday(week + 1, segments.offset))
    first = dated.mutate(seconds=ibis.least(dated.following, dated.turn) - dated.t)
    rest = dated.mutate(week=dated.week + 1, seconds=dated.following - dated.turn)
    parts = first.union(rest.filter(rest.seconds > 0))
    parts = parts.mutate(begins=monday(parts.week, parts.offset))
    open_now = {name: parts[name] > 0 for name in _DELTAS}
    counted = {name: _sum_where(parts.seconds, held) for name, held in open_now.items()}
    outside = _sum_where(parts.seconds, open_now["active"] & ~open_now["scheduled"])
    return parts.group_by(["person", "week"]).aggregate(at=parts.begins.min(), outside=outside, **counted)


def _sum_where(seconds: Column, held: Column) -> Column:
    return held.ifelse(seconds, 0).sum().cast("int64")


def places(tables: Mapping[str, ibis.Table]) -> ibis.Table:
    """One cluster by person, ``of`` and ``place``: of the roles the first by its reference, else of the schedules."""
    roles, schedules, appointments = tables["roles"], tables["schedules"], tables["appointments"]
    ranked = ibis.union(
        roles.select(person=roles.person, first=roles.cluster, second=ibis.null("string")),
        schedules.select(person=schedules.person, first=ibis.null("string"), second=schedules.cluster),
        appointments.select(person=appointments.person, first=ibis.null("string"), second=appointments.cluster),
    )
    known = ranked.group_by(of=ranked.person).aggregate(first=ranked["first"].min(), second=ranked.second.min())
    return known.select(of=known.of, place=known["first"].fill_null(known.second))


def per_eight_hours(name: str) -> Callable[[Mapping[str, ibis.Table]], ibis.Table]:
    """The rows of a measure of minutes per eight scheduled hours: a person and week each.

    Without any audited activity, or without scheduled hours, a row has no value. Its weight is the scheduled time in
    units of eight hours, so that sums over weeks are a ratio of sums.
    """

    def rows(tables: Mapping[str, ibis.Table]) -> ibis.Table:
        weeks, where = clinician_weeks(tables), places(tables)
        found = weeks.left_join(where, weeks.person == where.of)
        known = (found.scheduled > 0) & (found.active > 0)
        eights = found.scheduled.nullif(0).cast("float64") / 28800.0
        return found.select(
            key=found.person + "/" + found.week.cast("string"),
            cluster=found.place,
            patient=ibis.null("string"),
            clinician=found.person,
            at=found["at"],
            value=known.ifelse(found[name].cast("float64") / 60.0 / eights, ibis.null("float64")),
            weight=known.ifelse(eights, 0.0),
        )

    return rows


_PERSON = "getReferenceKey(Practitioner)"


def _view(name: str, resource: str, where: tuple[str, ...], **columns: tuple[str, str]) -> JSON:
    """A flat view; columns are (path, type)."""
    return {
        "resourceType": "ViewDefinition",
        "name": name,
        "status": "active",
        "resource": resource,
        "where": [{"path": path} for path in where],
        "select": [{"column": [{"name": name, "path": path, "type": kind} for name, (path, kind) in columns.items()]}],
    }


AUDIT: JSON = _view(
    "audited_activity",
    "AuditEvent",
    ("recorded.exists()",),
    id=("id", "id"),
    person=(f"agent.where(requestor = true).who.{_PERSON}.first()", "id"),
    recorded=("recorded", "instant"),
    start=("period.start", "dateTime"),
    end=("period.end", "dateTime"),
    document=("entity.what.where(getReferenceKey(DocumentReference).exists()).exists()", "boolean"),
    composition=("entity.what.where(getReferenceKey(Composition).exists()).exists()", "boolean"),
    message=("entity.what.getReferenceKey(Communication).first()", "id"),
)
"""What people did in the EHR, by whom and with what. Note activity is an event on a DocumentReference or a Composition,
in-basket activity one on a Communication."""

SLOTS: JSON = _view(
    "schedule_slots",
    "Slot",
    ("start.exists()", "end.exists()"),
    id=("id", "id"),
    schedule=("schedule.getReferenceKey(Schedule)", "id"),
    status=("status", "code"),
    start=("start", "instant"),
    end=("end", "instant"),
)
SCHEDULES: JSON = _view(
    "clinician_schedules",
    "Schedule",
    (),
    schedule_id=("id", "id"),
    person=(f"actor.{_PERSON}.first()", "id"),
    cluster=("actor.where(getReferenceKey(Location).exists()).reference.first()", "string"),
)
APPOINTMENTS: JSON = _view(
    "clinician_appointments",
    "Appointment",
    ("start.exists()", "end.exists()"),
    id=("id", "id"),
    person=(f"participant.actor.{_PERSON}.first()", "id"),
    cluster=("participant.actor.where(getReferenceKey(Location).exists()).reference.first()", "string"),
    status=("status", "code"),
    start=("start", "instant"),
    end=("end", "instant"),
)
ROLES: JSON = _view(
    "clinician_roles",
    "PractitionerRole",
    (),
    person=(f"practitioner.{_PERSON}", "id"),
    cluster=("location.reference.first()", "string"),
)
VIEWS: Mapping[str, JSON] = {
    "audit": AUDIT,
    "slots": SLOTS,
    "schedules": SCHEDULES,
    "appointments": APPOINTMENTS,
    "roles": ROLES,
}
MISSING = "had no audited activity or no scheduled hours"
