"""Clinician minutes on messages worked out by hand."""

import pytest

from careplane.measures import rows_in_memory
from careplane.measures.message_minutes import MEASURE
from careplane.records import JSON


def message(ident: str) -> JSON:
    return {
        "resourceType": "Communication",
        "id": ident,
        "status": "completed",
        "sent": "2026-03-02T09:00:00-06:00",
        "sender": {"reference": "Patient/x"},
        "recipient": [{"reference": "Practitioner/p001"}],
        "about": [{"reference": "Location/clinic-01"}],
    }


def handling(ident: str, of: list[str], start: str, end: str) -> JSON:
    entities = [{"what": {"reference": reference}} for reference in of]
    return {"resourceType": "AuditEvent", "id": ident, "period": {"start": start, "end": end}, "entity": entities}


def test_handling_and_review_add_up_and_nothing_recorded_is_missing() -> None:
    resources = [
        message("both"),
        message("audited"),
        message("untouched"),
        handling("1", ["Communication/both"], "2026-03-02T10:00:00-06:00", "2026-03-02T10:02:00-06:00"),
        handling("2", ["Patient/x", "Communication/both"], "2026-03-02T11:00:00Z", "2026-03-02T11:00:30Z"),
        handling("3", ["Communication/audited"], "2026-03-02T10:59:00-06:00", "2026-03-02T17:00:00Z"),
        handling("4", ["Patient/x"], "2026-03-02T10:00:00Z", "2026-03-02T12:00:00Z"),
    ]
    runs: list[dict[str, object]] = [
        {"run": "r1", "focus": "Communication/both", "review_seconds": 45.0},
        {"run": "r2", "focus": "Patient/x", "review_seconds": 900.0},
        {"run": "r3", "focus": "Communication/untouched"},
    ]
    minutes = {key: row["value"] for key, row in rows_in_memory(MEASURE, resources, {"runs": runs}).items()}
    assert minutes["both"] == pytest.approx((120 + 30 + 45) / 60)
    assert minutes["audited"] == pytest.approx(1.0)
    assert minutes["untouched"] is None
