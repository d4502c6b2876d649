"""Physician task load worked by hand: the sum of items 1, 2, 3 and 5."""

from collections.abc import Sequence

from careplane.measures import rows_in_memory
from careplane.measures.ptl4 import INSTRUMENT, MEASURE
from careplane.records import JSON


def response(ident: str, answers: Sequence[int | None], **more: object) -> JSON:
    """A completed response; ``None`` is an item that was left out."""
    given = [(str(n), value) for n, value in enumerate(answers, 1) if value is not None]
    return {
        "resourceType": "QuestionnaireResponse", "id": ident, "status": "completed",
        "questionnaire": f"{INSTRUMENT.questionnaire}|1.0", "authored": "2026-03-02T09:00:00-06:00",
        "author": {"reference": "Practitioner/p1"},
        "item": [{"linkId": link, "answer": [{"valueInteger": value}]} for link, value in given], **more,
    }  # fmt: skip


def scores(*responses: JSON) -> dict[str, object]:
    """What each response scores, by its id."""
    rows = rows_in_memory(MEASURE, responses)
    return {key.removeprefix("QuestionnaireResponse/"): row["value"] for key, row in rows.items()}


def test_four_of_the_six_items_are_summed() -> None:
    """70 + 10 + 60 + 65 is 205; performance (4) and frustration (6) do not count, answered or not."""
    found = scores(
        response("example", [70, 10, 60, 25, 65, 40]),
        response("without-the-others", [70, 10, 60, None, 65, None]),
        response("most", [100, 100, 100, 0, 100, 0]),
        response("three-of-four", [70, 10, None, 25, 65, 40]),
    )
    assert found == {"example": 205.0, "without-the-others": 205.0, "most": 400.0, "three-of-four": None}
