"""Mini-Z worked by hand: the sum of ten imported answers."""

from collections.abc import Sequence

from careplane.measures import rows_in_memory
from careplane.measures.mini_z import INSTRUMENT, MEASURE
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


def test_ten_answers_are_summed() -> None:
    """4 times ten is 40, the joyful workplace; 3+4+2+5+4+3+2+4+5+1 is 33."""
    found = scores(
        response("joyful", [4] * 10),
        response("mixed", [3, 4, 2, 5, 4, 3, 2, 4, 5, 1]),
        response("least", [1] * 10),
        response("nine", [4] * 9 + [None]),
        response("off-the-scale", [0] + [4] * 9),
    )
    assert found == {"joyful": 40.0, "mixed": 33.0, "least": 10.0, "nine": None, "off-the-scale": None}


def test_it_may_only_be_imported() -> None:
    assert MEASURE.info.import_only
    assert MEASURE.info.licence
