"""EHR time on days worked out by hand: overlaps, pauses, midnight, the hour that clocks skip."""

from careplane.measures import rows_in_memory
from careplane.measures._audited_days import DAY, WORK, instant, slot, values, visit, worked
from careplane.measures.ehr_time_8 import MEASURE


def test_a_day_of_eight_hours() -> None:
    """30 minutes in the morning (the note lies within), 7 by moments, 30 in the evening: 67."""
    rows = rows_in_memory(MEASURE, [*DAY, *WORK])
    assert [(row["value"], row["weight"]) for row in rows.values()] == [(67.0, 1.0)]
    (row,) = rows.values()
    assert (row["clinician"], row["patient"], row["cluster"]) == ("p1", None, "Location/clinic-01")
    assert row["at"] == 1772431200, "Monday 2 March at midnight, UTC-6"


def test_hours_that_overlap_count_once_and_what_is_not_for_patients_does_not() -> None:
    """Appointments inside the slots add nothing; a cancelled one and a slot that is closed are no hours."""
    more = [
        visit("inside", "2 09:00", "2 09:30"),
        visit("cancelled", "3 09:00", "3 17:00", "cancelled"),
        slot("closed", "4 09:00", "4 17:00", "busy-unavailable"),
    ]
    assert values(rows_in_memory(MEASURE, [*DAY, *more, *WORK])) == [(67.0, 1.0)]
    assert values(rows_in_memory(MEASURE, [*DAY, visit("beyond", "2 16:00", "2 21:00"), *WORK])) == [(67.0 / 1.5, 1.5)]


def test_appointments_alone_are_hours_too() -> None:
    """Four hours, half of eight: 30 minutes of work are 60 per eight hours."""
    found = values(rows_in_memory(MEASURE, [visit("v", "2 09:00", "2 13:00"), worked("1", "2 10:00", "2 10:30")]))
    assert found == [(60.0, 0.5)]


def test_a_pause_of_five_minutes_still_counts_and_a_second_more_does_not() -> None:
    moments = [worked("1", "2 10:00:00"), worked("2", "2 10:05:00"), worked("3", "2 10:10:01")]
    assert values(rows_in_memory(MEASURE, [*DAY, *moments])) == [(5.0, 1.0)]


def test_moments_of_one_second_and_of_others_do_not_mix() -> None:
    """Two events at 10:00:00 of p1 are one start; those of p2 end nothing of p1."""
    moments = [
        worked("a", "2 10:00:00"),
        worked("b", "2 10:00:00"),
        worked("c", "2 10:02:00", by="p2"),
        worked("d", "2 10:04:00"),
    ]
    assert values(rows_in_memory(MEASURE, [*DAY, *moments])) == [(4.0, 1.0)]


def test_work_over_midnight_of_sunday_is_split_between_the_weeks() -> None:
    found = values(
        rows_in_memory(
            MEASURE,
            [
                *DAY,
                slot("next", "9 09:00", "9 17:00"),
                worked("1", instant("8 23:50", "-05:00"), instant("9 00:15", "-05:00")),
            ],
        )
    )
    assert found == [(10.0, 1.0), (15.0, 1.0)]


def test_the_hour_that_clocks_skip_is_no_time() -> None:
    """On Sunday 8 March 2026 two o'clock is three: from 01:50 to 03:10 are 20 minutes."""
    assert values(rows_in_memory(MEASURE, [*DAY, worked("1", instant("8 01:50"), instant("8 03:10", "-05:00"))])) == [
        (20.0, 1.0)
    ]


def test_without_hours_or_without_any_work_there_is_no_value() -> None:
    assert values(rows_in_memory(MEASURE, WORK)) == [(None, 0.0)]
    assert values(rows_in_memory(MEASURE, DAY)) == [(None, 0.0)]
    assert values(rows_in_memory(MEASURE, [*DAY, worked("one", "2 10:00")])) == [(None, 0.0)], (
        "one moment alone lasts no time"
    )
