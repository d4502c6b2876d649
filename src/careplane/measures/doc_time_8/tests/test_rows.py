"""Documentation time on days worked out by hand."""

from careplane.measures import rows_in_memory
from careplane.measures._audited_days import CHART, DAY, NOTE, WORK, values, worked
from careplane.measures.doc_time_8 import MEASURE


def test_only_work_on_notes_counts() -> None:
    """20 minutes in the morning, 3 by moments, 30 in the evening: 53."""
    assert values(rows_in_memory(MEASURE, [*DAY, *WORK])) == [(53.0, 1.0)]


def test_a_week_of_work_without_notes_is_zero_and_a_week_without_work_is_missing() -> None:
    assert values(rows_in_memory(MEASURE, [*DAY, worked("1", "2 10:00", "2 10:30", CHART)])) == [(0.0, 1.0)]
    assert values(rows_in_memory(MEASURE, DAY)) == [(None, 0.0)]


def test_two_notes_open_at_once_count_once() -> None:
    """10:00 to 10:20 and 10:10 to 10:40 are 40 minutes."""
    both = [worked("1", "2 10:00", "2 10:20", NOTE), worked("2", "2 10:10", "2 10:40", "Composition/m")]
    assert values(rows_in_memory(MEASURE, [*DAY, *both])) == [(40.0, 1.0)]


def test_a_period_that_ends_before_it_begins_is_no_time() -> None:
    wrong = worked("1", "2 10:20", "2 10:00", NOTE)
    assert values(rows_in_memory(MEASURE, [*DAY, wrong, worked("2", "2 11:00", "2 11:10", NOTE)])) == [(10.0, 1.0)]
