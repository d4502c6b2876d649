"""UMUX-Lite worked by hand: (6, 5) is 75.0, which predicts a SUS of 71.65."""

from collections.abc import Sequence

import pytest

from careplane.measures import rows_in_memory
from careplane.measures.umux_lite import INSTRUMENT, MEASURE, sus_equivalent
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


def test_two_items_become_a_score_of_a_hundred() -> None:
    """(6 + 5 - 2) times 100 / 12 is 75."""
    found = scores(
        response("example", [6, 5]),
        response("best", [7, 7]),
        response("worst", [1, 1]),
        response("one-only", [6, None]),
        response("off-the-scale", [8, 5]),
    )
    assert found == {
        "example": pytest.approx(75.0),
        "best": pytest.approx(100.0),
        "worst": pytest.approx(0.0),
        "one-only": None,
        "off-the-scale": None,
    }


def test_the_score_predicts_the_sus() -> None:
    """0.65 times 75 plus 22.9 is 71.65."""
    assert sus_equivalent(75.0) == pytest.approx(71.65)
