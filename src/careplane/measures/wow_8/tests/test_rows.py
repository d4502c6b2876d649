"""Work outside scheduled hours on days worked out by hand."""

from careplane.measures import rows_in_memory
from careplane.measures._audited_days import DAY, WORK, instant, schedule, slot, values, worked
from careplane.measures.wow_8 import MEASURE


def test_only_work_while_nothing_is_scheduled_counts() -> None:
    """17:00 to 17:02 and 20:00 to 20:30: 32 minutes."""
    assert values(rows_in_memory(MEASURE, [*DAY, *WORK])) == [(32.0, 1.0)]


def test_work_through_both_ends_of_the_day_counts_beyond_them() -> None:
    """08:50 to 17:10 is 500 minutes, of which 10 before and 10 after."""
    assert values(rows_in_memory(MEASURE, [*DAY, worked("1", "2 08:50", "2 17:10")])) == [(20.0, 1.0)]


def test_a_gap_between_slots_is_outside() -> None:
    """Lunch from 12 to 13 is not scheduled; 11:45 to 13:15 holds 60 minutes of it."""
    day = [schedule(), slot("am", "2 08:00", "2 12:00"), slot("pm", "2 13:00", "2 17:00")]
    assert values(rows_in_memory(MEASURE, [*day, worked("1", "2 11:45", "2 13:15")])) == [(60.0, 1.0)]


def test_hours_from_midnight_of_sunday_are_inside() -> None:
    """Sunday 23:59 to Monday 01:00, with hours from midnight: a minute of the first week, none of the second."""
    night = instant("16 00:00", "-05:00"), instant("16 08:00", "-05:00")
    hours = {**slot("night", "2 09:00", "2 17:00"), "start": night[0], "end": night[1]}
    before = {**slot("before", "2 09:00", "2 17:00"), "start": instant("9 09:00"), "end": instant("9 17:00")}
    late = worked("1", instant("15 23:59", "-05:00"), instant("16 01:00", "-05:00"))
    assert values(rows_in_memory(MEASURE, [schedule(), before, hours, late])) == [(1.0, 1.0), (0.0, 1.0)]


def test_all_work_within_hours_is_zero() -> None:
    assert values(rows_in_memory(MEASURE, [*DAY, worked("1", "2 10:00", "2 10:30")])) == [(0.0, 1.0)]
