"""Reading grade: one row per reply; the grades themselves are worked out in the tests of the evidence room."""

from careplane.measures import rows_in_memory
from careplane.measures.readability import MEASURE


def test_each_reply_is_a_row_and_an_unmeasured_one_is_missing() -> None:
    common = {"patient": "x", "clinician": "p1", "unit": "Location/clinic-1", "at": 1772463600}
    texts = [
        {"reference": "Communication/a", "grade": 7.25, **common},
        {"reference": "Communication/b", "grade": None, **common},
    ]
    found = rows_in_memory(MEASURE, [], {"texts": texts})
    assert {key: row["value"] for key, row in found.items()} == {"Communication/a": 7.25, "Communication/b": None}
    assert (found["Communication/a"]["cluster"], found["Communication/a"]["clinician"]) == ("Location/clinic-1", "p1")
