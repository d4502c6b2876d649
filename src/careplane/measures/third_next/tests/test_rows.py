"""Third-next-available appointment on slots worked out by hand. 2 March 2026 is a Monday."""

from typing import Any

from careplane.measures import rows_in_memory
from careplane.measures.third_next import MEASURE
from careplane.records import JSON

SCHEDULE: JSON = {
    "resourceType": "Schedule", "id": "s",
    "actor": [{"reference": "Practitioner/p1"}, {"reference": "Location/clinic-1"}],
}  # fmt: skip
FIRST = "Location/clinic-1/20514"  # Monday 2 March 2026 is day 20,514 since 1970


def slot(ident: str, start: str, status: str = "free") -> JSON:
    return {
        "resourceType": "Slot", "id": ident, "schedule": {"reference": "Schedule/s"}, "status": status,
        "start": f"2026-03-{start}:00-06:00",
    }  # fmt: skip


def booked(of: str, created: str, status: str = "booked") -> JSON:
    slots = [{"reference": f"Slot/{of}"}]
    return {"resourceType": "Appointment", "id": f"a-{of}", "status": status, "created": created, "slot": slots}


def values(*resources: JSON) -> dict[str, Any]:
    return {key: row["value"] for key, row in rows_in_memory(MEASURE, [SCHEDULE, *resources]).items()}


WEEK = [
    slot("a", "02T09:00"),
    slot("b", "03T09:00"),
    slot("c", "03T10:00"),
    slot("d", "06T09:00"),
    slot("e", "20T09:00"),
]


def test_days_to_the_third_open_slot() -> None:
    found = values(*WEEK)
    assert found[FIRST] == 1.0  # Tuesday 10:00 is the third
    assert found["Location/clinic-1/20528"] is None  # in the week of the 16th one slot is left


def test_three_slots_on_the_monday_itself_are_0_days() -> None:
    assert values(slot("a", "02T09:00"), slot("b", "02T10:00"), slot("c", "02T11:00"))[FIRST] == 0.0


def test_a_slot_that_was_taken_before_monday_was_not_open() -> None:
    assert values(*WEEK, booked("b", "2026-03-01"))[FIRST] == 4.0  # Friday
    assert values(*WEEK, booked("b", "2026-03-02T08:00:00-06:00"))[FIRST] == 1.0  # taken on the Monday: open before
    assert values(*WEEK, booked("b", "2026-03-01", "cancelled"))[FIRST] == 1.0
    assert values(*WEEK, booked("b", "2026-03-01"), booked("c", "2026-02-20"))[FIRST] == 18.0


def test_a_busy_slot_counts_from_its_appointment_and_without_one_never() -> None:
    busy = slot("b", "03T09:00", "busy")
    others = [one for one in WEEK if one["id"] != "b"]
    assert values(*others, busy)[FIRST] == 4.0
    assert values(*others, busy, booked("b", "2026-03-04"))[FIRST] == 1.0
    assert values(*others, slot("b", "03T09:00", "busy-unavailable"))[FIRST] == 4.0


def test_a_schedule_without_a_clinic_has_no_rows() -> None:
    assert rows_in_memory(MEASURE, [{**SCHEDULE, "actor": [{"reference": "Practitioner/p1"}]}, *WEEK]) == {}
