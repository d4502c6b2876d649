"""Top-box answers worked out by hand."""

from careplane.measures import rows_in_memory
from careplane.measures._surveyed_visits import VISIT, asked, top_box
from careplane.measures.cgcahps_comm import BEST, MEASURE


def test_the_share_of_answered_items_with_the_best_answer() -> None:
    mixed = (len(BEST) - 1) / len(BEST)
    assert top_box(MEASURE, "cgcahps", BEST) == {
        "all": 1.0, "none": 0.0, "mixed": mixed, "one": 1.0, "empty": None, "silent": None,
    }  # fmt: skip


def test_a_row_has_the_unit_and_the_clinician_of_the_encounter() -> None:
    answers = [asked("cgcahps", "a", BEST), asked("cgcahps", "b", BEST, encounter=None)]
    row = rows_in_memory(MEASURE, [VISIT, *answers])
    assert (row["a"]["cluster"], row["a"]["clinician"], row["a"]["patient"]) == ("Location/unit-1", "p1", "x")
    assert (row["b"]["cluster"], row["b"]["value"], row["a"]["weight"]) == (None, 1.0, 1.0)
