"""The days of a plan as moments: a day begins at midnight of the site, at the offset from UTC that the plan states."""

from datetime import UTC, date, datetime, timedelta

from careplane.records.evidence import Plan


def epoch(plan: Plan, day: date) -> int:
    """Seconds since 1970 at which a day of the plan begins."""
    return midnight(day, plan.utc_offset_minutes)


def midnight(day: date, utc_offset_minutes: int) -> int:
    """Seconds since 1970 at which a day begins at an offset from UTC."""
    begins = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(minutes=utc_offset_minutes)
    return int(begins.timestamp())


def in_window(plan: Plan, at: datetime) -> bool:
    """Whether a moment lies in the pilot: from its first day up to, not including, its end."""
    return epoch(plan, plan.start) <= at.timestamp() < epoch(plan, plan.end)


def offset_minutes(at: datetime) -> int:
    """The offset from UTC that an aware time carries, in minutes."""
    return int((at.utcoffset() or timedelta()).total_seconds() // 60)
