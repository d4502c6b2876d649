"""Raw TLX worked by hand: six subscales with a mean of 45.0."""

from collections.abc import Sequence

import pytest

from careplane.measures import rows_in_memory
from careplane.measures.nasa_tlx import INSTRUMENT, MEASURE
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


def test_the_score_is_the_plain_mean_of_six() -> None:
    """70 + 10 + 60 + 25 + 65 + 40 is 270; a sixth is 45. Performance (item 4) is not turned."""
    found = scores(
        response("example", [70, 10, 60, 25, 65, 40]),
        response("none", [0] * 6),
        response("all", [100] * 6),
        response("failure-only", [0, 0, 0, 100, 0, 0]),
        response("five-of-six", [70, 10, 60, None, 65, 40]),
        response("off-the-scale", [70, 10, 60, 25, 65, 101]),
    )
    assert found == {
        "example": pytest.approx(45.0),
        "none": 0.0,
        "all": 100.0,
        "failure-only": pytest.approx(100 / 6),
        "five-of-six": None,
        "off-the-scale": None,
    }
