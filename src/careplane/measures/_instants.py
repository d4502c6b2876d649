"""FHIR instants as numbers, in operators that every engine answers alike."""

from typing import Any

import ibis

Column = Any
"""An Ibis column expression; its arithmetic is dynamic, so it has no narrower type."""


_YEAR = "([0-9]{3}[1-9]|[0-9]{2}[1-9]0|[0-9][1-9]00|[1-9]000)"
_LEAP = "([0-9]{2}(0[48]|[2468][048]|[13579][26])|(0[48]|[2468][048]|[13579][26])00)-02-29"
_DAY = "((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))"
_TIME = "T([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)([.][0-9]+)?(Z|[+-](0[0-9]|1[0-3]):[0-5][0-9]|[+-]14:00)"
INSTANT = f"^({_YEAR}(-(0[1-9]|1[0-2]))?|({_YEAR}-{_DAY}|{_LEAP})({_TIME})?)$"
"""A FHIR R4 dateTime or instant that the calendar has. Source: https://hl7.org/fhir/R4/datatypes.html#dateTime."""

_LAST, _FRACTION = "[0-9Z]", "[.][0-9]+"
PATTERNS = frozenset({INSTANT, _LAST, _FRACTION})
"""The regular expressions that measures use; each means the same to RE2, Java and PostgreSQL."""

_MIDNIGHT = "0001-01-01T00:00:00Z"


def epoch_seconds(instant: Column) -> Column:
    """A FHIR dateTime or instant (``2026-03-02T09:00:00-06:00``, ``...Z``) as seconds since 1970 in UTC.

    Fractions are dropped, a leap second is the one before it, a partial date is its first moment in UTC; what is no
    FHIR dateTime is null. The time zone of an engine has no say.
    """
    return _seconds(whole(instant))


def wall_seconds(instant: Column) -> Column:
    """The wall time that a FHIR dateTime shows, as if it were UTC, in seconds since 1970; null where it is none."""
    return _seconds(whole(instant).left(19) + "Z")


def offset_seconds(instant: Column) -> Column:
    """The offset from UTC that a FHIR dateTime carries, in seconds; 0 for ``Z`` and for a partial date."""
    return wall_seconds(instant) - epoch_seconds(instant)


def _seconds(text: Column) -> Column:
    return text.cast("timestamp('UTC')").epoch_seconds().cast("int64")


def whole(instant: Column) -> Column:
    """A dateTime with all its parts, to the second; null where it is none, as a cast of it might end the query."""
    # Java lets ``$`` match before a last line break, so the last character is looked at as well
    sound = instant.re_search(INSTANT) & instant.right(1).re_search(_LAST)
    text = sound.ifelse(instant, ibis.null("string")).re_replace(_FRACTION, "").replace(":60", ":59")
    midnight: Column = ibis.literal(_MIDNIGHT)
    return text + midnight.right(ibis.greatest(len(_MIDNIGHT) - text.length(), 0))
