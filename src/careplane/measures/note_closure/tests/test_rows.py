"""Note closure on visits worked out by hand."""

from careplane.measures import rows_in_memory
from careplane.measures.note_closure import MEASURE
from careplane.records import JSON


def measured(resources: list[JSON]) -> dict[str, dict[str, object]]:
    """The rows of the measure by key."""
    return rows_in_memory(MEASURE, resources)


def visit(ident: str, **more: object) -> JSON:
    return {
        "resourceType": "Encounter", "id": ident, "status": "finished", "class": {"code": "AMB"},
        "subject": {"reference": "Patient/x"},
        "period": {"start": "2026-03-02T09:00:00-06:00", "end": "2026-03-02T09:20:00-06:00"},
        "participant": [{"individual": {"reference": "Practitioner/p1"}}],
        "location": [{"location": {"reference": "Location/clinic-01"}}], **more,
    }  # fmt: skip


def note(ident: str, of: str, date: str, **more: object) -> JSON:
    return {
        "resourceType": "DocumentReference", "id": ident, "status": "current", "docStatus": "final", "date": date,
        "type": {"coding": [{"system": "http://loinc.org", "code": "11506-3"}]},
        "context": {"encounter": [{"reference": f"Encounter/{of}"}]}, **more,
    }  # fmt: skip


def test_a_final_note_within_a_day_closes_a_visit() -> None:
    rows = measured(
        [
            visit("same-day"),
            note("1", "same-day", "2026-03-02T11:00:00-06:00"),
            visit("to-the-second"),
            note("2", "to-the-second", "2026-03-03T15:20:00Z"),
            visit("a-second-late"),
            note("3", "a-second-late", "2026-03-03T09:20:01-06:00"),
            visit("draft-first"),
            note("4", "draft-first", "2026-03-02T10:00:00-06:00", docStatus="preliminary"),
            note("5", "draft-first", "2026-03-05T10:00:00-06:00"),
            visit("transcript-only"),
            note("6", "transcript-only", "2026-03-02T10:00:00-06:00", type={"text": "Visit transcript"}),
            visit("never"),
            visit("stay", **{"class": {"code": "IMP"}}),
        ]
    )
    assert {key: row["value"] for key, row in rows.items()} == {
        "same-day": 1.0,
        "to-the-second": 1.0,
        "a-second-late": 0.0,
        "draft-first": 0.0,
        "transcript-only": 0.0,
        "never": 0.0,
    }
    assert rows["never"]["cluster"] == "Location/clinic-01"
    assert rows["never"]["at"] == 1772464800
