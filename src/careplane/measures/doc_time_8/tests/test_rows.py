"""Documentation time on days worked out by hand."""

from careplane.measures import rows_in_memory
from careplane.measures.doc_time_8 import MEASURE
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


def values(resources: list[JSON]) -> list[tuple[object, object]]:
    """Value and weight of each row, by clinician and week."""
    rows = rows_in_memory(MEASURE, resources)
    ordered = sorted(rows.values(), key=lambda row: (row["clinician"], row["at"]))
    return [(row["value"], row["weight"]) for row in ordered]


def test_only_work_on_notes_counts() -> None:
    """20 minutes in the morning, 3 by moments, 30 in the evening: 53."""
    assert values([*DAY, *WORK]) == [(53.0, 1.0)]


def test_a_week_of_work_without_notes_is_zero_and_a_week_without_work_is_missing() -> None:
    assert values([*DAY, worked("1", "2 10:00", "2 10:30", CHART)]) == [(0.0, 1.0)]
    assert values(DAY) == [(None, 0.0)]


def test_two_notes_open_at_once_count_once() -> None:
    """10:00 to 10:20 and 10:10 to 10:40 are 40 minutes."""
    both = [worked("1", "2 10:00", "2 10:20", NOTE), worked("2", "2 10:10", "2 10:40", "Composition/m")]
    assert values([*DAY, *both]) == [(40.0, 1.0)]


def test_a_period_that_ends_before_it_begins_is_no_time() -> None:
    wrong = worked("1", "2 10:20", "2 10:00", NOTE)
    assert values([*DAY, wrong, worked("2", "2 11:00", "2 11:10", NOTE)]) == [(10.0, 1.0)]
