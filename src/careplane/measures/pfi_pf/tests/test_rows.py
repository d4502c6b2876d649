"""Professional fulfilment worked by hand: 19 of six items is 3.17."""

from collections.abc import Sequence

import pytest

from careplane.measures import rows_in_memory
from careplane.measures.pfi_pf import INSTRUMENT, MEASURE
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


def test_the_first_six_items_are_averaged() -> None:
    """3 + 4 + 3 + 3 + 2 + 4 is 19; a sixth is 3.17, above the cut of 3.0."""
    blank: list[int | None] = [None] * 16
    found = scores(
        response("example", EXAMPLE),
        response("half", [4, 4, 1, *blank[3:]]),
        response("too-few", [4, 4, *blank[2:]]),
        response("off-the-scale", [5, *EXAMPLE[1:]]),
    )
    assert found == {"example": pytest.approx(3.17, abs=0.005), "half": 3.0, "too-few": None, "off-the-scale": None}


def test_it_may_only_be_imported() -> None:
    assert MEASURE.info.import_only
    assert MEASURE.info.licence
