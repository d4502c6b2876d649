"""Dates in text: read, moved by whole weeks, and written in the format in which they were found.

Only what can be read without doubt is moved: a date with a year, a month with a year, or a month with a day. The order
of a numeric date is month first, unless the first number is no month.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

MONTHS = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)
_MONTH = r"(?P<month>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"  # noqa: E501
_D = r"(?P<d>\d{1,2})"
_M = r"(?P<m>\d{1,2})"
_Y = r"(?P<y>(?:19|20)\d\d)"
_ORD = r"(?P<ord>st|nd|rd|th)?"
_PATTERNS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"{_Y}(?P<sep>\W{{1,2}}){_M}(?P=sep){_D}",
        r"(?P<y>(?:19|20)\d\d)(?P<m>\d\d)(?P<d>\d\d)",
        rf"{_M}(?P<sep>\W{{1,2}}){_D}(?P=sep)(?P<y>(?:19|20)?\d\d)",
        rf"{_D}(?P<sep>\W{{1,2}}){_M}(?P=sep){_Y}",
        rf"{_MONTH}\.?\s+{_D}{_ORD},?\s+{_Y}",
        rf"{_D}{_ORD}[\s-]+(?:of )?{_MONTH}\.?,?[\s-]+{_Y}",
        rf"{_MONTH}\.?,?\s+(?:of )?{_Y}",
        rf"{_MONTH}\.?\s+{_D}{_ORD}",
        rf"{_D}{_ORD}[\s-]+(?:of )?{_MONTH}\.?",
    )
)
_MIDDLE = 15
"""The day by which a month without a day is moved."""


@dataclass(frozen=True, slots=True)
class Written:
    """A date as it stands in a text: its value, what of it is written, and how."""

    day: date
    parts: Mapping[str, tuple[int, int]]
    text: str

    @property
    def kind(self) -> str:
        """``day``, ``month`` (no day) or ``anniversary`` (no year)."""
        if "d" not in self.parts:
            return "month"
        return "day" if "y" in self.parts else "anniversary"

    def written(self, day: date) -> str:
        """Another date in the same format."""
        out: list[str] = []
        at = 0
        for name, (start, end) in sorted(self.parts.items(), key=lambda part: part[1]):
            out += (self.text[at:start], _RENDER[name](self.text[start:end], day, self._padded))
            at = end
        return "".join((*out, self.text[at:]))

    @property
    def _padded(self) -> bool:
        numbers = [self.text[slice(*self.parts[name])] for name in ("m", "d") if name in self.parts]
        return any(number[0] == "0" for number in numbers) or all(len(number) == 2 for number in numbers)


def read_date(text: str, year: int, today: date) -> Written | None:
    """The date that a text is; ``year`` is assumed where it names none. ``None`` when it cannot be told."""
    for pattern in _PATTERNS:
        found = pattern.fullmatch(text)
        day = _day(found, year, today) if found else None
        if found and day:
            spans = {name: found.span(name) for name in ("y", "m", "d", "month", "ord") if _has(found, name)}
            return Written(day, spans, text)
    return None


def _has(found: re.Match[str], name: str) -> bool:
    return bool(found.groupdict().get(name))


def _day(found: re.Match[str], year: int, today: date) -> date | None:
    parts = found.groupdict()
    month = int(parts["m"]) if parts.get("m") else month_of(parts["month"])
    if parts.get("y"):
        year = _year(parts["y"], today)
    try:
        return date(year, month, int(parts["d"]) if parts.get("d") else _MIDDLE)
    except ValueError:
        return None


def _year(digits: str, today: date) -> int:
    if len(digits) == 4:
        return int(digits)
    century = today.year // 100 * 100
    year = century + int(digits)
    return year if year <= today.year + 1 else year - 100


def month_of(name: str) -> int:
    """The number of a month by its name or abbreviation."""
    return 1 + next(i for i, month in enumerate(MONTHS) if month.startswith(name[:3].lower()))


def _render_month(sample: str, day: date, _padded: bool) -> str:
    name = MONTHS[day.month - 1]
    if len(sample) <= 4 and sample.lower() not in MONTHS:
        name = "sept" if day.month == 9 and len(sample) == 4 else name[:3]
    if sample.isupper():
        return name.upper()
    return name.capitalize() if sample[0].isupper() else name


def _render_ordinal(_sample: str, day: date, _padded: bool) -> str:
    return ordinal(day.day)


def ordinal(day: int) -> str:
    """The ending of an ordinal number: ``st`` for 1."""
    return "th" if 10 <= day % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")


def _number(value: Callable[[date], int]) -> Callable[[str, date, bool], str]:
    return lambda _sample, day, padded: f"{value(day):02d}" if padded else str(value(day))


_RENDER: Mapping[str, Callable[[str, date, bool], str]] = {
    "y": lambda sample, day, _padded: f"{day.year:04d}"[-len(sample) :],
    "m": _number(lambda day: day.month),
    "d": _number(lambda day: day.day),
    "month": _render_month,
    "ord": _render_ordinal,
}


def moved(day: date, days: int) -> date:
    """A day later or earlier.

    Raises:
        OverflowError: there is no such date.
    """
    return day + timedelta(days=days)


def token_forms(day: date, kind: str) -> Sequence[tuple[str, ...]]:
    """The token sequences by which a date may be written (see :mod:`careplane.shield.restoring`)."""
    y, m, d = str(day.year), str(day.month), str(day.day)
    names = {MONTHS[day.month - 1], MONTHS[day.month - 1][:3]} | ({"sept"} if day.month == 9 else set())
    end = ordinal(day.day)
    short: list[tuple[str, ...]] = [
        form for name in names for form in ((name, d), (name, d, end), (d, name), (d, end, name))
    ]
    short += [(d, end, "of", name) for name in names]
    if kind == "month":
        return [(name, *of, y) for name in names for of in ((), ("of",))]
    if kind == "anniversary":
        return _with_zero(short)
    numeric = [(y, m, d), (m, d, y), (m, d, y[2:]), (f"{day:%Y%m%d}",)]
    if m != d and day.day > 12:
        numeric += [(d, m, y)]
    return _with_zero([*numeric, *((*form, y) for form in short), *short])


def _with_zero(found: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Forms, those that begin with one digit also with a zero before it."""
    padded = [("0" + form[0], *form[1:]) for form in found if form[0].isdigit() and len(form[0]) == 1]
    return [*found, *padded]
