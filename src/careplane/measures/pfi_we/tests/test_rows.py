"""Work exhaustion worked by hand, and with disengagement the burnout of 1.20."""

from collections.abc import Sequence

import pytest

from careplane.measures import rows_in_memory
from careplane.measures._survey import score
from careplane.measures.pfi_we import INSTRUMENT, MEASURE
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


def test_items_seven_to_ten_are_averaged() -> None:
    """2 + 1 + 2 + 1 is 6; a quarter is 1.5."""
    half: list[int | None] = [*EXAMPLE[:6], 4, 1, None, None, *EXAMPLE[10:]]
    one: list[int | None] = [*EXAMPLE[:6], 4, None, None, None, *EXAMPLE[10:]]
    found = scores(response("example", EXAMPLE), response("half", half), response("one", one))
    assert found == {"example": 1.5, "half": 2.5, "one": None}


def test_burnout_is_the_mean_of_all_ten() -> None:
    """Exhaustion 6 and disengagement 6 are 12; a tenth is 1.20, below the cut of 1.33."""
    exhaustion = score(INSTRUMENT, {str(link): value for link, value in enumerate(EXAMPLE, 1)})
    assert exhaustion is not None
    assert (4 * exhaustion + sum(DISENGAGEMENT)) / 10 == pytest.approx(1.20)


def test_it_may_only_be_imported() -> None:
    assert MEASURE.info.import_only
    assert MEASURE.info.licence
