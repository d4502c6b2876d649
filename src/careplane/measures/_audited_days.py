"""Days of audited work and scheduled hours, worked out by hand: what the tests of M02 to M04 share."""

from collections.abc import Mapping
from typing import Any

from careplane.records import JSON


def instant(wall: str, offset: str = "-06:00") -> str:
    """``2 09:00`` is a wall time of March 2026, which began on a Sunday; the 2nd is a Monday."""
    day, _, clock = wall.partition(" ")
    return f"2026-03-{int(day):02}T{clock}{'' if clock.count(':') == 2 else ':00'}{offset}"


def worked(ident: str, start: str, end: str | None = None, of: str = "Patient/x", by: str = "p1") -> JSON:
    """An audit event over a period, or at a moment when it has no end."""
    begun = start if "T" in start else instant(start)
    until = {} if end is None else {"period": {"start": begun, "end": end if "T" in end else instant(end)}}
    return {
        "resourceType": "AuditEvent", "id": ident, "recorded": begun, **until,
        "agent": [{"requestor": False}, {"requestor": True, "who": {"reference": f"Practitioner/{by}"}}],
        "entity": [{"what": {"reference": of}}],
    }  # fmt: skip


def schedule(by: str = "p1") -> JSON:
    actors = ({"reference": f"Practitioner/{by}"}, {"reference": "Location/clinic-01"})
    return {"resourceType": "Schedule", "id": f"s-{by}", "actor": list(actors)}


def slot(ident: str, start: str, end: str, status: str = "free", by: str = "p1") -> JSON:
    return {
        "resourceType": "Slot", "id": ident, "status": status, "schedule": {"reference": f"Schedule/s-{by}"},
        "start": instant(start), "end": instant(end),
    }  # fmt: skip


def visit(ident: str, start: str, end: str, status: str = "fulfilled", by: str = "p1") -> JSON:
    return {
        "resourceType": "Appointment", "id": ident, "status": status, "start": instant(start), "end": instant(end),
        "participant": [{"actor": {"reference": "Patient/x"}}, {"actor": {"reference": f"Practitioner/{by}"}}],
    }  # fmt: skip


DAY = [schedule(), slot("am", "2 09:00", "2 13:00", "busy"), slot("pm", "2 13:00", "2 17:00")]
"""Eight scheduled hours on Monday."""
NOTE, CHART = "DocumentReference/n", "Patient/x"
WORK = [
    worked("1", "2 10:00", "2 10:20", NOTE),
    worked("2", "2 10:10", "2 10:30", CHART),
    worked("3", "2 16:55", of="Composition/n"),
    worked("4", "2 16:58", of=CHART),
    worked("5", "2 17:02", of=NOTE),
    worked("6", "2 17:20", of=CHART),
    worked("7", "2 20:00", "2 20:30", NOTE),
]
"""A morning half hour with a note of 20 minutes in it; 16:55 to 17:02 by moments, the first three minutes on a note and
the last two after hours; half an hour on a note in the evening. 17:02 to 17:20 is a pause."""


def values(rows: Mapping[str, Mapping[str, Any]]) -> list[tuple[object, object]]:
    """Value and weight of each row, by clinician and week."""
    ordered = sorted(rows.values(), key=lambda row: (row["clinician"], row["at"]))
    return [(row["value"], row["weight"]) for row in ordered]
