"""EHR time on days worked out by hand: overlaps, pauses, midnight, the hour that clocks skip."""

from careplane.measures import rows_in_memory
from careplane.measures.ehr_time_8 import MEASURE
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


def test_a_day_of_eight_hours() -> None:
    """30 minutes in the morning (the note lies within), 7 by moments, 30 in the evening: 67."""
    rows = rows_in_memory(MEASURE, [*DAY, *WORK])
    assert [(row["value"], row["weight"]) for row in rows.values()] == [(67.0, 1.0)]
    (row,) = rows.values()
    assert (row["clinician"], row["patient"], row["cluster"]) == ("p1", None, "Location/clinic-01")
    assert row["at"] == 1772431200, "Monday 2 March at midnight, UTC-6"


def test_hours_that_overlap_count_once_and_what_is_not_for_patients_does_not() -> None:
    """Appointments inside the slots add nothing; a cancelled one and a slot that is closed are no hours."""
    more = [
        visit("inside", "2 09:00", "2 09:30"),
        visit("cancelled", "3 09:00", "3 17:00", "cancelled"),
        slot("closed", "4 09:00", "4 17:00", "busy-unavailable"),
    ]
    assert values([*DAY, *more, *WORK]) == [(67.0, 1.0)]
    assert values([*DAY, visit("beyond", "2 16:00", "2 21:00"), *WORK]) == [(67.0 / 1.5, 1.5)]


def test_appointments_alone_are_hours_too() -> None:
    """Four hours, half of eight: 30 minutes of work are 60 per eight hours."""
    found = values([visit("v", "2 09:00", "2 13:00"), worked("1", "2 10:00", "2 10:30")])
    assert found == [(60.0, 0.5)]


def test_a_pause_of_five_minutes_still_counts_and_a_second_more_does_not() -> None:
    moments = [worked("1", "2 10:00:00"), worked("2", "2 10:05:00"), worked("3", "2 10:10:01")]
    assert values([*DAY, *moments]) == [(5.0, 1.0)]


def test_moments_of_one_second_and_of_others_do_not_mix() -> None:
    """Two events at 10:00:00 of p1 are one start; those of p2 end nothing of p1."""
    moments = [
        worked("a", "2 10:00:00"),
        worked("b", "2 10:00:00"),
        worked("c", "2 10:02:00", by="p2"),
        worked("d", "2 10:04:00"),
    ]
    assert values([*DAY, *moments]) == [(4.0, 1.0)]


def test_work_over_midnight_of_sunday_is_split_between_the_weeks() -> None:
    found = values(
        [
            *DAY,
            slot("next", "9 09:00", "9 17:00"),
            worked("1", instant("8 23:50", "-05:00"), instant("9 00:15", "-05:00")),
        ]
    )
    assert found == [(10.0, 1.0), (15.0, 1.0)]


def test_the_hour_that_clocks_skip_is_no_time() -> None:
    """On Sunday 8 March 2026 two o'clock is three: from 01:50 to 03:10 are 20 minutes."""
    assert values([*DAY, worked("1", instant("8 01:50"), instant("8 03:10", "-05:00"))]) == [(20.0, 1.0)]


def test_without_hours_or_without_any_work_there_is_no_value() -> None:
    assert values(WORK) == [(None, 0.0)]
    assert values(DAY) == [(None, 0.0)]
    assert values([*DAY, worked("one", "2 10:00")]) == [(None, 0.0)], "one moment alone lasts no time"
