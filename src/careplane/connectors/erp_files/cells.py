"""Cells of a table as values: each parser takes the text of one cell, and its refusal says what a good one looks like.

The text itself is never in a refusal: an export may name a patient.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from zoneinfo import ZoneInfo

LONGEST = 2000
MOST_DIGITS = 18

Parse = Callable[[str], object]


def text(cell: str) -> str:
    """Any text of reasonable length without control characters."""
    if len(cell) > LONGEST or not cell.isprintable():
        raise ValueError(f"is not a text of at most {LONGEST} printable characters")
    return cell


def money(cell: str) -> Decimal:
    """An exact amount with a dot for the decimals."""
    return quantity(cell, "an amount such as 1234.50")


def quantity(cell: str, example: str = "a number such as 12 or 0.5") -> Decimal:
    """An exact number; no thousands separators, no exponents, no infinities."""
    try:
        number = Decimal(cell)
    except InvalidOperation as error:
        raise ValueError(f"is not {example}") from error
    digits = cell.lstrip("+-").replace(".", "", 1)
    if not number.is_finite() or not digits.isascii() or not digits.isdigit() or len(digits) > MOST_DIGITS:
        raise ValueError(f"is not {example}")
    return number


def whole(cell: str) -> int:
    """A count."""
    if not (cell.isascii() and cell.isdigit() and len(cell) <= 9):
        raise ValueError("is not a whole number such as 3")
    return int(cell)


def day(cell: str) -> date:
    """``YYYY-MM-DD``."""
    if len(cell) != 10:
        raise ValueError("is not a date such as 2026-01-31")
    try:
        return date.fromisoformat(cell)
    except ValueError as error:
        raise ValueError("is not a date such as 2026-01-31") from error


def moment(zone: ZoneInfo) -> Callable[[str], datetime]:
    """ISO 8601 with an offset, or local time of the site; one that the clocks jump over is none."""

    def parse(cell: str) -> datetime:
        try:
            at = datetime.fromisoformat(cell)
        except ValueError as error:
            raise ValueError("is not a time such as 2026-01-31T07:00 or 2026-01-31T07:00-06:00") from error
        if at.tzinfo is not None:
            return at
        local = at.replace(tzinfo=zone)
        if local.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != at:
            raise ValueError("is a time that the clocks jump over that day")
        return local

    return parse


def reference(cell: str) -> str:
    """A FHIR reference such as ``Location/ward-1a``."""
    kind, slash, ident = cell.partition("/")
    if not slash or not kind.isalpha() or not ident or not ident.replace("-", "").replace(".", "").isalnum():
        raise ValueError("is not a reference such as Location/ward-1a")
    return cell


def one_of(*words: str) -> Callable[[str], str]:
    """One of some words."""

    def parse(cell: str) -> str:
        if cell not in words:
            raise ValueError(f"is not one of {', '.join(words)}")
        return cell

    return parse


def day_of(moment_text: str) -> date:
    """The day of an ISO 8601 time in UTC (FOCUS: ``2026-01-01T00:00:00Z``), or a date."""
    if len(moment_text) == 10:
        return day(moment_text)
    try:
        at = datetime.fromisoformat(moment_text)
    except ValueError as error:
        raise ValueError("is not a time such as 2026-01-01T00:00:00Z") from error
    return (at if at.tzinfo is None else at.astimezone(UTC)).date()
