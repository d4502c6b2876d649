"""Business hours forward and back are inverse, for any instant and length."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from careplane.sandbox.hours import add_business_hours, business_hours, open_at

FRIDAY_17 = "2026-07-10T17:00:00-06:00"
MOMENTS = st.datetimes(datetime.fromisoformat("2026-01-01"), datetime.fromisoformat("2027-01-01")).map(
    lambda moment: moment.isoformat(timespec="seconds") + "-06:00"
)
HOURS = st.floats(0, 200)


@pytest.mark.parametrize(
    ("since", "hours", "until"),
    [
        (FRIDAY_17, 0.5, "2026-07-10T17:30:00-06:00"),
        (FRIDAY_17, 1, "2026-07-10T18:00:00-06:00"),
        (FRIDAY_17, 2, "2026-07-13T09:00:00-06:00"),
        ("2026-07-11T23:15:00-06:00", 0, "2026-07-13T08:00:00-06:00"),
        ("2026-07-08T06:00:00-06:00", 25, "2026-07-10T13:00:00-06:00"),
        ("2026-07-08T20:00:00-06:00", 10, "2026-07-09T18:00:00-06:00"),
    ],
)
def test_a_reply_falls_where_a_calendar_says(since: str, hours: float, until: str) -> None:
    assert add_business_hours(since, hours) == until


@given(since=MOMENTS, hours=HOURS)
def test_counting_is_the_inverse_of_adding(since: str, hours: float) -> None:
    until = add_business_hours(since, hours)
    assert business_hours(since, until) == pytest.approx(hours, abs=0.5 / 3600 + 1e-9)


@given(since=MOMENTS, first=HOURS, second=HOURS)
def test_more_hours_end_no_earlier(since: str, first: float, second: float) -> None:
    low, high = sorted((first, second))
    assert add_business_hours(since, low) <= add_business_hours(since, high)


@given(since=MOMENTS, hours=HOURS)
def test_a_reply_is_sent_in_business_hours_or_at_their_end(since: str, hours: float) -> None:
    moment = datetime.fromisoformat(add_business_hours(since, hours)[:19])
    assert open_at(moment) or open_at(moment - timedelta(seconds=1))


def test_hours_do_not_run_backwards() -> None:
    with pytest.raises(ValueError, match="forward"):
        add_business_hours(FRIDAY_17, -1)
    assert business_hours("2026-07-10T09:00:00-06:00", "2026-07-09T09:00:00-06:00") == 0
