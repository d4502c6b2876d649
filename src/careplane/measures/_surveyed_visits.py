"""Answers to patient surveys, worked out by hand: what the tests of M20 and M21 share."""

from collections.abc import Mapping
from typing import Any

from careplane.measures._contract import Measure
from careplane.measures._in_memory import rows_in_memory
from careplane.records import JSON

VISIT: JSON = {
    "resourceType": "Encounter", "id": "v", "participant": [{"individual": {"reference": "Practitioner/p1"}}],
    "location": [{"location": {"reference": "Location/unit-1"}}],
}  # fmt: skip


def asked(survey: str, ident: str, answers: Mapping[str, int], status: str = "completed", **more: Any) -> JSON:
    """An answer to a survey (``cgcahps``, ``hcahps``) about the visit."""
    return {
        "resourceType": "QuestionnaireResponse", "id": ident, "status": status, "authored": "2026-03-02T09:00:00Z",
        "questionnaire": f"urn:careplane:survey:{survey}", "subject": {"reference": "Patient/x"},
        "encounter": {"reference": "Encounter/v"},
        "item": [{"linkId": item, "answer": [{"valueInteger": n}]} for item, n in answers.items()], **more,
    }  # fmt: skip


def top_box(measure: Measure, survey: str, best: Mapping[str, int]) -> dict[str, Any]:
    """The value of each answer: all items at best, none, all but the first, the first alone; and what has none."""
    first = next(iter(best))
    worst = {item: 1 if answer > 1 else 2 for item, answer in best.items()}
    found = rows_in_memory(
        measure,
        [
            VISIT,
            asked(survey, "all", best),
            asked(survey, "none", worst),
            asked(survey, "mixed", {**best, first: worst[first]}),
            asked(survey, "one", {first: best[first]}),
            asked(survey, "empty", {"something_else": 4}),
            asked(survey, "silent", {}, "stopped"),
            asked(survey, "open", best, "in-progress"),
            asked(survey, "error", best, "entered-in-error"),
            asked(survey, "other", best, questionnaire="urn:careplane:survey:another"),
        ],
    )
    return {key: row["value"] for key, row in found.items()}
