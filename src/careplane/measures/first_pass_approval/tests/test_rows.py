"""First-pass approval on authorisations worked out by hand."""

from careplane.measures import rows_in_memory
from careplane.measures.first_pass_approval import MEASURE
from careplane.records import JSON


def measured(resources: list[JSON]) -> dict[str, dict[str, object]]:
    """The rows of the measure by key."""
    return rows_in_memory(MEASURE, resources)


def asked(ident: str, **more: object) -> JSON:
    return {
        "resourceType": "Claim", "id": ident, "status": "active", "use": "preauthorization",
        "created": "2026-03-02T09:00:00-06:00", "patient": {"reference": "Patient/x"},
        "provider": {"reference": "Organization/h1"}, **more,
    }  # fmt: skip


def answer(ident: str, to: str, created: str, reference: str | None, **more: object) -> JSON:
    body = {
        "resourceType": "ClaimResponse", "id": ident, "use": "preauthorization", "outcome": "complete",
        "created": created, "request": {"reference": f"Claim/{to}"}, **more,
    }  # fmt: skip
    return body | ({"preAuthRef": reference} if reference else {})


def test_the_first_final_answer_decides_and_none_is_missing() -> None:
    rows = measured(
        [
            asked("approved"),
            answer("1", "approved", "2026-03-04T09:00:00-06:00", "A1"),
            asked("on-appeal"),
            answer("2", "on-appeal", "2026-03-04T09:00:00-06:00", None),
            answer("3", "on-appeal", "2026-03-09T09:00:00-06:00", "A2"),
            asked("pended"),
            answer("4", "pended", "2026-03-03T09:00:00-06:00", None, outcome="queued"),
            answer("5", "pended", "2026-03-05T09:00:00-06:00", "A3"),
            asked("zones"),
            answer("6", "zones", "2026-03-04T15:30:00Z", None),
            answer("7", "zones", "2026-03-04T10:00:00-06:00", "A4"),
            asked("same-second"),
            answer("8", "same-second", "2026-03-04T10:00:00-06:00", "A5"),
            answer("9", "same-second", "2026-03-04T16:00:00Z", None),
            asked("unanswered"),
            asked("a-bill", use="claim"),
            answer("10", "a-bill", "2026-03-04T09:00:00-06:00", "A6", use="claim"),
        ]
    )
    assert {key: row["value"] for key, row in rows.items()} == {
        "approved": 1.0,
        "on-appeal": 0.0,
        "pended": 1.0,
        "zones": 0.0,
        "same-second": 0.0,
        "unanswered": None,
    }
    assert rows["approved"] == {
        "key": "approved",
        "cluster": "Organization/h1",
        "patient": "x",
        "clinician": None,
        "at": 1772463600,
        "value": 1.0,
        "weight": 1.0,
    }
