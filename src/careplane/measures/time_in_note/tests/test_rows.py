"""Time in notes on weeks worked out by hand."""

from careplane.measures import rows_in_memory
from careplane.measures.time_in_note import MEASURE
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


def visit(ident: str, end: str, by: str = "p1", of: str = "AMB", status: str = "finished") -> JSON:
    return {
        "resourceType": "Encounter", "id": ident, "status": status, "class": {"code": of},
        "period": {"start": instant("2 08:00"), "end": end if "T" in end else instant(end)},
        "participant": [{"individual": {"reference": f"Practitioner/{by}"}}],
    }  # fmt: skip


def role(by: str, place: str) -> JSON:
    return {
        "resourceType": "PractitionerRole",
        "id": f"role-{by}",
        "practitioner": {"reference": f"Practitioner/{by}"},
        "location": [{"reference": f"Location/{place}"}],
    }


def values(resources: list[JSON]) -> list[tuple[object, object]]:
    rows = rows_in_memory(MEASURE, resources)
    ordered = sorted(rows.values(), key=lambda row: (row["clinician"], row["at"]))
    return [(row["value"], row["weight"]) for row in ordered]


NOTES = [
    worked("1", "2 10:00", "2 10:20", "DocumentReference/n"),
    worked("2", "2 10:20", "2 10:40", "Patient/x"),
    worked("3", "3 20:00", "3 20:10", "Composition/n"),
]
"""Thirty minutes on notes on Monday and Tuesday, and twenty on a chart."""


def test_minutes_on_notes_are_shared_by_the_visits_of_the_week() -> None:
    """30 minutes for four visits: 7.5 each, and the row weighs four."""
    visits = [visit(f"v{n}", f"{day} 11:00") for n, day in enumerate((2, 2, 4, 6))]
    rows = rows_in_memory(MEASURE, [*NOTES, *visits, role("p1", "clinic-01")])
    (row,) = rows.values()
    assert (row["value"], row["weight"], row["cluster"]) == (7.5, 4.0, "Location/clinic-01")
    assert row["at"] == 1772431200


def test_weeks_and_clinicians_are_apart() -> None:
    more = [
        *(visit("a", "2 11:00"), visit("b", "9 11:00"), visit("c", "2 11:00", "p2")),
        worked("4", instant("9 10:00", "-05:00"), instant("9 10:05", "-05:00"), "DocumentReference/n"),
        worked("5", "2 10:00", "2 10:08", "DocumentReference/n", "p2"),
    ]
    assert values([*NOTES, *more]) == [(30.0, 1.0), (5.0, 1.0), (8.0, 1.0)]


def test_a_visit_over_midnight_belongs_to_the_week_in_which_it_ends() -> None:
    """Sunday 23:30 to Monday 00:10 by the wall clock of the record, though it is Monday in UTC either way."""
    rows = [visit("v", instant("8 23:59:59", "-05:00")), visit("w", instant("9 00:00:00", "-05:00"))]
    assert [weight for _, weight in values([*NOTES, *rows, worked("9", "10 09:00", "10 09:30")])] == [1.0, 1.0]


def test_without_visits_or_audit_there_is_no_value_and_other_visits_do_not_count() -> None:
    assert values(NOTES) == [(None, 0.0)]
    assert values([visit("v", "2 11:00")]) == [(None, 0.0)]
    others = [
        visit("stay", "2 11:00", of="IMP"),
        visit("planned", "2 11:00", status="planned"),
    ]
    assert values([*NOTES, *others]) == [(None, 0.0)]


def test_a_week_of_work_without_notes_is_zero_minutes() -> None:
    assert values([visit("v", "2 11:00"), worked("1", "2 10:00", "2 10:20")]) == [(0.0, 1.0)]


def test_the_leap_day_is_a_day_of_its_week() -> None:
    """Thursday 29 February 2024."""
    leap = ("2024-02-29T10:00:00-06:00", "2024-02-29T10:12:00-06:00", "2024-02-29T11:00:00-06:00")
    found = rows_in_memory(MEASURE, [worked("1", leap[0], leap[1], "DocumentReference/n"), visit("v", leap[2])])
    (row,) = found.values()
    assert (row["value"], row["at"]) == (12.0, 1708927200)
