"""Harm flags on outputs worked out by hand."""

from careplane.measures import rows_in_memory
from careplane.measures.harm_flag import MEASURE
from careplane.records import JSON

AT = 1772463600
"""Monday 2 March 2026, 15:00 UTC."""


def run(ident: str, **more: object) -> dict[str, object]:
    return {
        "run": ident, "app": "portal_reply", "status": "draft", "drafted": 1, "at": AT, "patient": "x",
        "clinician": "p1", "unit": "Location/clinic-01", **more,
    }  # fmt: skip


def event(ident: str, about: str, severity: str, **more: object) -> JSON:
    return {
        "resourceType": "AdverseEvent", "id": ident, "actuality": "actual",
        "severity": {"coding": [{"code": severity}]}, "referenceDocument": [{"reference": about}], **more,
    }  # fmt: skip


RUNS = [run(f"r{n}") for n in range(1, 9)] + [run("silent", drafted=0, status="refused")]


def flagged(reports: list[dict[str, object]], events: list[JSON]) -> list[str]:
    written: list[dict[str, object]] = [{"run": f"r{n}", "reference": f"DocumentReference/d{n}"} for n in range(1, 9)]
    rows = rows_in_memory(MEASURE, events, {"runs": RUNS, "reports": reports, "written": written})
    assert len(rows) == 8, "an event in which nothing was put out is no output"
    assert {row["value"] for row in rows.values()} <= {0.0, 1000.0}
    return sorted(key for key, row in rows.items() if row["value"])


def test_a_report_of_possible_harm_flags_its_output_once() -> None:
    """Two of eight outputs: 250 per 1,000."""
    reports: list[dict[str, object]] = [
        {"report": "1", "run": "r1", "what": "unsafe"},
        {"report": "2", "run": "r1", "what": "unsafe"},
        {"report": "3", "run": "r2", "what": "unsafe"},
        {"report": "4", "run": "r3", "what": "wrong_fact"},
        {"report": "5", "run": "silent", "what": "unsafe"},
        {"report": "6", "run": "unknown", "what": "unsafe"},
    ]
    assert flagged(reports, []) == ["r1", "r2"]


def test_an_adverse_event_from_mild_harm_flags_what_it_names() -> None:
    events = [
        event("mild", "DocumentReference/d1", "mild"),
        event("moderate", "DocumentReference/d2", "moderate"),
        event("severe", "DocumentReference/d3", "severe"),
        event("none", "DocumentReference/d4", "none"),
        event("near-miss", "DocumentReference/d5", "severe", actuality="potential"),
        event("elsewhere", "DocumentReference/other", "severe"),
    ]
    assert flagged([], events) == ["r1", "r2", "r3"]
    assert flagged([{"report": "1", "run": "r1", "what": "unsafe"}], events) == ["r1", "r2", "r3"]


def test_nothing_reported_is_zero() -> None:
    assert flagged([], []) == []
