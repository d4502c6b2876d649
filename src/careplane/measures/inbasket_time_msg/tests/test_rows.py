"""In-basket time on messages worked out by hand."""

from careplane.measures import rows_in_memory
from careplane.measures.inbasket_time_msg import MEASURE
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


def message(ident: str, **more: object) -> JSON:
    return {
        "resourceType": "Communication", "id": ident, "status": "completed", "sent": instant("2 09:00"),
        "sender": {"reference": "Patient/x"}, "recipient": [{"reference": "Practitioner/p1"}],
        "about": [{"reference": "Location/clinic-01"}], **more,
    }  # fmt: skip


def seconds(resources: list[JSON]) -> dict[str, object]:
    return {key: row["value"] for key, row in rows_in_memory(MEASURE, resources).items()}


def on(ident: str, start: str, end: str | None = None, of: str = "m", by: str = "p1") -> JSON:
    return worked(ident, start, end, f"Communication/{of}", by)


def test_reading_and_replying_of_everybody_add_up() -> None:
    """90 s of p1, 30 s of p2 at the same time: 120. Nothing audited is missing."""
    found = seconds(
        [
            message("m"),
            message("untouched"),
            on("1", "2 10:00:00", "2 10:01:30"),
            on("2", "2 10:00:00", "2 10:00:30", by="p2"),
            worked("3", "2 10:05:00", "2 10:50:00", "Patient/x"),
        ]
    )
    assert found == {"m": 120.0, "untouched": None}


def test_spans_of_one_person_that_overlap_count_once() -> None:
    """10:00-10:02, within it 10:01-10:01:30, and 10:01:30-10:03: three minutes."""
    spans = [("2 10:00:00", "2 10:02:00"), ("2 10:01:00", "2 10:01:30"), ("2 10:01:30", "2 10:03:00")]
    events = [on(str(n), start, end) for n, (start, end) in enumerate(spans)]
    assert seconds([message("m"), *events]) == {"m": 180.0}


def test_a_moment_lasts_until_the_next_one_whatever_it_is_on() -> None:
    """Opened at 10:00:00, another message at 10:00:40: 40 s. That one is left for lunch: 0 s, which is not missing."""
    found = seconds([message("m"), message("n"), on("1", "2 10:00:00"), on("2", "2 10:00:40", of="n")])
    assert found == {"m": 40.0, "n": 0.0}


def test_messages_of_staff_and_those_under_way_are_no_rows() -> None:
    staff = message("staff", sender={"reference": "Practitioner/p2"})
    assert seconds([staff, message("draft", status="in-progress"), on("1", "2 10:00", "2 10:01", "staff")]) == {}
