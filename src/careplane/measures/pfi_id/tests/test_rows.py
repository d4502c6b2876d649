"""Interpersonal disengagement worked by hand."""

from collections.abc import Sequence

from careplane.measures import rows_in_memory
from careplane.measures.pfi_id import INSTRUMENT, MEASURE
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


FULFILMENT = [3, 4, 3, 3, 2, 4]
EXHAUSTION = [2, 1, 2, 1]
DISENGAGEMENT = [1, 1, 0, 2, 1, 1]
EXAMPLE: list[int | None] = [*FULFILMENT, *EXHAUSTION, *DISENGAGEMENT]


def test_items_eleven_to_sixteen_are_averaged() -> None:
    """1 + 1 + 0 + 2 + 1 + 1 is 6; a sixth is 1. Of three answered, 4 + 4 + 1 is 9; a third is 3."""
    half: list[int | None] = [*EXAMPLE[:10], 4, 4, 1, None, None, None]
    two: list[int | None] = [*EXAMPLE[:10], 4, 4, None, None, None, None]
    found = scores(response("example", EXAMPLE), response("half", half), response("two", two))
    assert found == {"example": 1.0, "half": 3.0, "two": None}


def test_it_may_only_be_imported() -> None:
    assert MEASURE.info.import_only
    assert MEASURE.info.licence
