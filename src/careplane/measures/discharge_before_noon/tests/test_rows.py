"""Discharge before noon on stays worked out by hand."""

from careplane.measures import rows_in_memory
from careplane.measures.discharge_before_noon import MEASURE
from careplane.records import JSON


def measured(resources: list[JSON]) -> dict[str, dict[str, object]]:
    """The rows of the measure by key."""
    return rows_in_memory(MEASURE, resources)


def stay(ident: str, end: str | None, **more: object) -> JSON:
    period = {"start": "2026-03-01T10:00:00-06:00", **({"end": end} if end else {})}
    return {
        "resourceType": "Encounter", "id": ident, "status": "finished", "class": {"code": "IMP"},
        "subject": {"reference": "Patient/x"}, "period": period,
        "participant": [{"individual": {"reference": "Practitioner/p1"}}],
        "location": [{"location": {"reference": "Location/ward-1a"}}, {"location": {"reference": "Location/bed-1"}}],
        **more,
    }  # fmt: skip


def test_the_wall_time_of_the_end_decides() -> None:
    rows = measured(
        [
            stay("early", "2026-03-04T11:59:59-06:00"),
            stay("at_noon", "2026-03-04T12:00:00-06:00"),
            stay("night", "2026-03-04T00:00:00-06:00"),
            stay("morning_here", "2026-03-04T09:00:00-06:00"),
            stay("afternoon_in_utc", "2026-03-04T15:00:00Z"),
            stay("open", None, status="in-progress"),
            stay("clinic", "2026-03-04T09:00:00-06:00", **{"class": {"code": "AMB"}}),
        ]
    )
    assert {key: row["value"] for key, row in rows.items()} == {
        "early": 1.0,
        "at_noon": 0.0,
        "night": 1.0,
        "morning_here": 1.0,
        "afternoon_in_utc": 0.0,
    }
    same = ("cluster", "patient", "clinician")
    assert [rows["morning_here"][name] for name in same] == ["Location/ward-1a", "x", "p1"]
    assert rows["morning_here"]["at"] == rows["afternoon_in_utc"]["at"] == 1772636400
