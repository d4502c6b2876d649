"""Reply turnaround on messages worked out by hand."""

import pytest

from careplane.measures import rows_in_memory
from careplane.measures.msg_turnaround import MEASURE
from careplane.records import JSON


def message(ident: str, sent: str, **more: object) -> JSON:
    return {
        "resourceType": "Communication",
        "id": ident,
        "status": "completed",
        "sent": sent,
        "sender": {"reference": "Patient/x"},
        "recipient": [{"reference": "Practitioner/p001"}],
        "about": [{"reference": "Location/clinic-01"}],
        **more,
    }


def reply(ident: str, to: str, sent: str, **more: object) -> JSON:
    who = {"sender": {"reference": "Practitioner/p001"}, "recipient": [{"reference": "Patient/x"}]}
    return message(ident, sent, **who, inResponseTo=[{"reference": f"Communication/{to}"}], **more)


def measured(resources: list[JSON]) -> dict[str, dict[str, object]]:
    """The rows of the measure by key."""
    return rows_in_memory(MEASURE, resources)


@pytest.mark.parametrize(
    ("sent", "replied", "hours"),
    [
        ("2026-03-02T09:00:00-06:00", "2026-03-02T10:30:00-06:00", 1.5),  # Monday, same morning
        ("2026-03-02T07:00:00-06:00", "2026-03-02T09:00:00-06:00", 1.0),  # before opening
        ("2026-03-02T17:00:00-06:00", "2026-03-03T09:00:00-06:00", 2.0),  # over one night
        ("2026-03-06T17:00:00-06:00", "2026-03-09T08:30:00-06:00", 1.5),  # over a weekend
        ("2026-03-07T12:00:00-06:00", "2026-03-08T12:00:00-06:00", 0.0),  # Saturday to Sunday
        ("2026-03-04T12:00:00-06:00", "2026-03-11T12:00:00-06:00", 50.0),  # one week
        ("2026-03-02T09:00:00-06:00", "2026-03-02T15:30:00Z", 0.5),  # the reply is written in UTC
        ("2026-03-02T09:00:00.250+05:30", "2026-03-02T10:00:00.750+05:30", 1.0),  # fractions, another zone
    ],
)
def test_business_hours(sent: str, replied: str, hours: float) -> None:
    rows = measured([message("m", sent), reply("r", "m", replied)])
    assert rows["m"]["value"] == pytest.approx(hours)


def test_the_first_completed_reply_counts_and_no_reply_is_missing() -> None:
    rows = measured(
        [
            message("m", "2026-03-02T09:00:00-06:00"),
            reply("draft", "m", "2026-03-02T09:10:00-06:00", status="preparation"),
            reply("late", "m", "2026-03-02T12:00:00-06:00"),
            reply("first", "m", "2026-03-02T11:00:00-06:00"),
            message("unanswered", "2026-03-02T10:00:00-06:00"),
        ]
    )
    assert set(rows) == {"m", "unanswered"}
    assert rows["m"]["value"] == pytest.approx(2.0)
    assert rows["unanswered"]["value"] is None
    assert rows["m"] | {"value": None} == {
        "key": "m",
        "cluster": "Location/clinic-01",
        "patient": "x",
        "clinician": "p001",
        "at": 1772463600,
        "value": None,
        "weight": 1.0,
    }
