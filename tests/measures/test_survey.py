"""Who was asked, who answered, and what an answer counts for; one score computed twice agrees."""

from itertools import cycle, product

import pytest

from careplane._shelf import items, load
from careplane.measures import Measure, rows_in_memory
from careplane.measures._survey import Instrument, score
from careplane.records import JSON

SURVEYS = [name for name in items("measures") if hasattr(load("measures", name), "INSTRUMENT")]
UMUX: Measure = load("measures", "umux_lite").MEASURE
URL = "urn:careplane:questionnaire:umux-lite"


def invitation(ident: str, person: str, at: str = "2026-03-02T08:00:00-06:00", **more: object) -> JSON:
    return {
        "resourceType": "Task", "id": ident, "status": "requested", "intent": "order", "authoredOn": at,
        "code": {"coding": [{"code": "complete-questionnaire"}]}, "owner": {"reference": f"Practitioner/{person}"},
        "location": {"reference": "Location/clinic-01"},
        "input": [{"type": {"text": "questionnaire"}, "valueCanonical": URL}], **more,
    }  # fmt: skip


def answer(ident: str, person: str, at: str = "2026-03-03T08:00:00-06:00", first: int = 6, second: int = 5) -> JSON:
    given = (("1", first), ("2", second))
    return {
        "resourceType": "QuestionnaireResponse", "id": ident, "status": "completed", "questionnaire": URL,
        "authored": at, "author": {"reference": f"Practitioner/{person}"},
        "item": [{"linkId": link, "answer": [{"valueInteger": value}]} for link, value in given],
    }  # fmt: skip


def role(person: str, *places: str) -> JSON:
    return {
        "resourceType": "PractitionerRole",
        "id": f"role-{person}-{len(places)}",
        "practitioner": {"reference": f"Practitioner/{person}"},
        "location": [{"reference": f"Location/{place}"} for place in places],
    }


def test_who_does_not_answer_is_missing_and_answers_weigh_for_them() -> None:
    """Four of clinic 1 were asked and two answered: each counts twice. The one of clinic 2 answered: once."""
    there = {"reference": "Location/clinic-02"}
    rows = rows_in_memory(
        UMUX,
        [
            *(invitation(f"t{n}", f"p{n}") for n in range(1, 5)),
            invitation("t5", "p5", location=there),
            answer("a1", "p1"),
            answer("a2", "p2", first=7, second=7),
            answer("a5", "p5", first=1, second=1),
        ],
    )
    assert {key: (row["value"], row["weight"]) for key, row in rows.items()} == {
        "Task/t1": (pytest.approx(75.0), 2.0),
        "Task/t2": (pytest.approx(100.0), 2.0),
        "Task/t3": (None, 0.0),
        "Task/t4": (None, 0.0),
        "Task/t5": (pytest.approx(0.0), 1.0),
    }
    assert rows["Task/t5"]["cluster"] == "Location/clinic-02"
    assert {rows[key]["at"] for key in rows} == {1772460000}
    weight = sum(row["weight"] for row in rows.values())
    assert weight == 5.0, "the weights stand for all who were asked"


def test_an_answer_belongs_to_the_newest_invitation_of_thirty_days() -> None:
    rows = rows_in_memory(
        UMUX,
        [
            invitation("march", "p1", "2026-03-02T08:00:00-06:00"),
            invitation("again", "p1", "2026-03-20T08:00:00-05:00"),
            answer("early", "p1", "2026-03-01T08:00:00-06:00", 1, 1),
            answer("first", "p1", "2026-03-21T08:00:00-05:00", 7, 7),
            answer("second", "p1", "2026-03-22T08:00:00-05:00", 1, 1),
            invitation("late", "p2", "2026-03-02T08:00:00-06:00"),
            answer("on-day-30", "p2", "2026-04-01T14:00:00Z"),
            invitation("too-late", "p3", "2026-03-02T08:00:00-06:00"),
            answer("a-second-after", "p3", "2026-04-01T14:00:01Z"),
        ],
    )
    assert {key: row["value"] for key, row in rows.items() if key.startswith("Task/")} == {
        "Task/march": None,
        "Task/again": pytest.approx(100.0),
        "Task/late": pytest.approx(75.0),
        "Task/too-late": None,
    }
    alone = {key for key in rows if key.startswith("QuestionnaireResponse/")}
    assert alone == {f"QuestionnaireResponse/{name}" for name in ("early", "second", "a-second-after")}


def test_waves_are_weighted_apart() -> None:
    """Of wave A one of two answered, of wave B both."""
    rows = rows_in_memory(
        UMUX,
        [
            *(invitation(f"a{n}", f"p{n}", groupIdentifier={"value": "A"}) for n in (1, 2)),
            *(invitation(f"b{n}", f"q{n}", groupIdentifier={"value": "B"}) for n in (1, 2)),
            answer("1", "p1"),
            answer("2", "q1"),
            answer("3", "q2"),
        ],
    )
    assert [rows[f"Task/{name}"]["weight"] for name in ("a1", "a2", "b1", "b2")] == [2.0, 0.0, 1.0, 1.0]


def test_imported_answers_are_rows_of_their_own_at_the_place_of_the_person() -> None:
    rows = rows_in_memory(UMUX, [answer("x", "p1"), role("p1", "clinic-09"), role("p1", "clinic-03", "clinic-01")])
    row = rows["QuestionnaireResponse/x"]
    assert (row["cluster"], row["clinician"], row["weight"]) == ("Location/clinic-03", "p1", 1.0)


def test_an_empty_response_is_missing_and_not_lost() -> None:
    empty = answer("x", "p1")
    del empty["item"]
    rows = rows_in_memory(UMUX, [invitation("t", "p1"), empty, {**empty, "id": "y", "author": None}])
    assert [rows[key]["value"] for key in sorted(rows)] == [None, None]


@pytest.mark.parametrize("name", SURVEYS)
def test_one_person_in_python_and_everybody_in_the_expression_score_alike(name: str) -> None:
    """Every pattern of left out, low, middle, high and off the scale over the first four items."""
    instrument: Instrument = load("measures", name).INSTRUMENT
    links = [item.link for item in instrument.items]
    ends = instrument.items[0].low, instrument.items[0].high
    choices = (None, ends[0], sum(ends) / 2, ends[1], ends[1] + 1)
    resources, expected = [], {}
    for n, pattern in enumerate(product(choices, repeat=min(3, len(links)))):
        given = dict(zip(links, pattern, strict=False))
        rest = cycle((ends[1], ends[0]))
        answers = {link: given[link] if link in given else next(rest) for link in links}
        told = [(link, value) for link, value in answers.items() if value is not None]
        resources.append(
            {
                "resourceType": "QuestionnaireResponse",
                "id": f"r{n}",
                "status": "completed",
                "questionnaire": instrument.questionnaire,
                "authored": "2026-03-03T08:00:00-06:00",
                "item": [{"linkId": link, "answer": [{"valueDecimal": value}]} for link, value in told],
            }
        )
        expected[f"QuestionnaireResponse/r{n}"] = score(instrument, answers)
    rows = rows_in_memory(load("measures", name).MEASURE, resources)
    found = {key: row["value"] for key, row in rows.items()}
    assert found == {key: pytest.approx(value) if value is not None else None for key, value in expected.items()}
    assert None in found.values()
    assert any(value is not None for value in found.values())
