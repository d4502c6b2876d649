"""SUS worked by hand: 80.0 of the published example, the ends, items left out, answers off the scale."""

from collections.abc import Sequence

from careplane.measures import rows_in_memory
from careplane.measures.sus import INSTRUMENT, MEASURE
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


def test_the_arithmetic_is_the_published_one() -> None:
    """Odd items 5,4,4,5,4 are 4+3+3+4+3 = 17; even items 2,1,2,2,3 are 3+4+3+3+2 = 15; 32 times 2.5 is 80."""
    found = scores(
        response("example", [5, 2, 4, 1, 4, 2, 5, 2, 4, 3]),
        response("best", [5, 1] * 5),
        response("worst", [1, 5] * 5),
        response("all-threes", [3] * 10),
        response("all-fives", [5] * 10),
    )
    assert found == {"example": 80.0, "best": 100.0, "worst": 0.0, "all-threes": 50.0, "all-fives": 50.0}


def test_an_item_left_out_counts_as_the_middle_and_three_are_no_score() -> None:
    """Nine items of 4 points and one of 2 are 38; times 2.5 is 95. Two left out are 36 points, 90."""
    found = scores(
        response("one", [None, 1, 5, 1, 5, 1, 5, 1, 5, 1]),
        response("two", [None, None, 5, 1, 5, 1, 5, 1, 5, 1]),
        response("three", [None, None, None, 1, 5, 1, 5, 1, 5, 1]),
        response("off-the-scale", [6, 1, 5, 1, 5, 1, 5, 1, 5, 1]),
        response("zero", [0, 1, 5, 1, 5, 1, 5, 1, 5, 1]),
        response("under-way", [5, 1] * 5, status="in-progress"),
    )
    assert found == {"one": 95.0, "two": 90.0, "three": None, "off-the-scale": None, "zero": None}


def test_a_choice_counts_by_its_ordinal_and_an_item_given_twice_is_no_score() -> None:
    ordinal = {"url": "http://hl7.org/fhir/StructureDefinition/ordinalValue", "valueDecimal": 5}
    chosen = response("chosen", [None, 1, 5, 1, 5, 1, 5, 1, 5, 1])
    chosen["item"].append({"linkId": "1", "answer": [{"valueCoding": {"code": "agree", "extension": [ordinal]}}]})
    twice = response("twice", [5, 1] * 5)
    twice["item"].append({"linkId": "1", "answer": [{"valueInteger": 1}]})
    assert scores(chosen, twice) == {"chosen": 100.0, "twice": None}


def test_another_questionnaire_is_not_counted() -> None:
    assert scores(response("other", [5, 1] * 5, questionnaire=f"{INSTRUMENT.questionnaire}-2")) == {}
    assert scores(response("no version", [5, 1] * 5, questionnaire=INSTRUMENT.questionnaire)) == {"no version": 100.0}
