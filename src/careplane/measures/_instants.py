"""FHIR instants as numbers, in operators that every engine answers alike."""

from typing import Any

Column = Any
"""An Ibis column expression; its arithmetic is dynamic, so it has no narrower type."""


def epoch_seconds(instant: Column) -> Column:
    """A FHIR instant (``2026-03-02T09:00:00-06:00``, ``...Z``) as seconds since 1970 in UTC; fractions are dropped."""
    return wall_seconds(instant) - offset_seconds(instant)


def wall_seconds(instant: Column) -> Column:
    """The wall time that an instant shows (its first 19 characters), as if it were UTC, in seconds since 1970."""
    return instant.substr(0, 19).cast("timestamp").epoch_seconds().cast("int64")


def offset_seconds(instant: Column) -> Column:
    """The offset from UTC that an instant carries, in seconds; ``Z``, and a date without a time, are 0."""
    tail = instant.substr(instant.length() - 6, 6)
    carried = (instant.length() > 19) & ~instant.endswith("Z")
    offset = carried.ifelse(tail, "+00:00")
    hours, minutes = offset.substr(1, 2).cast("int64"), offset.substr(4, 2).cast("int64")
    size = hours * 3600 + minutes * 60
    return offset.startswith("-").ifelse(-size, size)
