"""Top-box answers worked out by hand."""

from typing import Any

from careplane.measures import rows_in_memory
from careplane.measures.cgcahps_comm import BEST, MEASURE
from careplane.records import JSON

VISIT: JSON = {
    "resourceType": "Encounter", "id": "v", "participant": [{"individual": {"reference": "Practitioner/p1"}}],
    "location": [{"location": {"reference": "Location/unit-1"}}],
}  # fmt: skip
WORST = {item: 1 if best > 1 else 2 for item, best in BEST.items()}
FIRST = next(iter(BEST))


def asked(ident: str, answers: dict[str, int], status: str = "completed", **more: Any) -> JSON:
    return {
        "resourceType": "QuestionnaireResponse", "id": ident, "status": status, "authored": "2026-03-02T09:00:00Z",
        "questionnaire": "urn:careplane:survey:cgcahps", "subject": {"reference": "Patient/x"},
        "encounter": {"reference": "Encounter/v"},
        "item": [{"linkId": item, "answer": [{"valueInteger": n}]} for item, n in answers.items()], **more,
    }  # fmt: skip


def test_the_share_of_answered_items_with_the_best_answer() -> None:
    found = rows_in_memory(
        MEASURE,
        [
            VISIT,
            asked("all", BEST),
            asked("none", WORST),
            asked("mixed", {**BEST, FIRST: WORST[FIRST]}),
            asked("one", {FIRST: BEST[FIRST]}),
            asked("empty", {"something_else": 4}),
            asked("silent", {}, "stopped"),
            asked("open", BEST, "in-progress"),
            asked("error", BEST, "entered-in-error"),
            asked("other", BEST, questionnaire="urn:careplane:survey:another"),
        ],
    )
    assert {key: row["value"] for key, row in found.items()} == {
        "all": 1.0, "none": 0.0, "mixed": (len(BEST) - 1) / len(BEST), "one": 1.0, "empty": None, "silent": None,
    }  # fmt: skip


def test_a_row_has_the_unit_and_the_clinician_of_the_encounter() -> None:
    row = rows_in_memory(MEASURE, [VISIT, asked("a", BEST), asked("b", BEST, encounter=None)])
    assert (row["a"]["cluster"], row["a"]["clinician"], row["a"]["patient"]) == ("Location/unit-1", "p1", "x")
    assert (row["b"]["cluster"], row["b"]["value"], row["a"]["weight"]) == (None, 1.0, 1.0)
