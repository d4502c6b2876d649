"""Numbers and dates in prose, brought to one form so that formatting does not matter."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

_ENGLISH = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_SPANISH = {"ene": 1, "abr": 4, "ago": 8, "dic": 12}
_MONTHS = {name: i for i, name in enumerate(_ENGLISH, start=1)} | _SPANISH
_MONTH = (
    r"(?P<{0}>jan(?:uary)?|feb(?:ruary|rero)?|mar(?:ch|zo)?|apr(?:il)?|mayo?|june?|junio|july?|julio|aug(?:ust)?"
    r"|sept?(?:ember|iembre)?|oct(?:ober|ubre)?|nov(?:ember|iembre)?|dec(?:ember)?|ene(?:ro)?|abr(?:il)?|ago(?:sto)?"
    r"|dic(?:iembre)?)\b\.?"
)
_DATES = tuple(
    re.compile(pattern, re.I)
    for pattern in (
        r"\b(?P<y>\d{4})-(?P<m>\d{1,2})(?:-(?P<d>\d{1,2}))?(?:T[\d:.]+(?:Z|[+-]\d\d:\d\d)?)?\b",
        r"\b(?P<m>\d{1,2})[/-](?P<d>\d{1,2})[/-](?P<y>\d{4}|\d{2})\b",
        r"\b" + _MONTH.format("name") + r"\s+(?P<d>\d{1,2})(?:st|nd|rd|th)?(?:,?\s+(?P<y>\d{4}))?\b",
        r"\b(?P<d>\d{1,2})(?:st|nd|rd|th)?\s+(?:de\s+)?"
        + _MONTH.format("name")
        + r"(?:,?\s+(?:de\s+)?(?P<y>\d{4}))?\b",
    )
)
_ONES = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
_ONES += " seventeen eighteen nineteen"
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_SPELT = {word: i for i, word in enumerate(_ONES.split())} | {word: 10 * i for i, word in enumerate(_TENS.split(), 2)}
_SPELT_OUT = re.compile(rf"\b(?:(?:{'|'.join(_SPELT)}|hundred|thousand)\b[ -]?(?:and (?=\w))?)+", re.I)
_UNIT_WORDS = (
    (r"milligrams?", "mg"),
    (r"micrograms?", "mcg"),
    (r"milliliters?", "ml"),
    (r"grams?", "g"),
    (r"percent", "%"),
)
_NUMBER = re.compile(
    r"(?<![\w.])(?P<value>\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)"
    r"(?:\s?-?\s?(?P<unit>mcg|µg|mg|g|kg|ml|l|units?|iu|meq|mmol|tablets?|capsules?|puffs?|drops?|%)"
    r"(?P<per>/[a-z]+)?)?(?![\w])",
    re.I,
)


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number as written in a text; ``unit`` in lower case and singular, empty when there is none."""

    value: Decimal
    unit: str
    shown: str


@dataclass(frozen=True, slots=True)
class Day:
    """A calendar date, as much of it as a text says."""

    year: int | None
    month: int
    day: int | None

    def agrees(self, other: "Day") -> bool:
        """Whether two dates can be the same day."""
        pairs = ((self.year, other.year), (self.month, other.month), (self.day, other.day))
        return all(a is None or b is None or a == b for a, b in pairs)


@lru_cache(maxsize=256)
def dates_in(text: str) -> tuple[tuple[Day, str], ...]:
    """The dates of a text with the words that say them, month first in slashed dates (US)."""
    return tuple((_day(found), found.group()) for found in _date_matches(text))


@lru_cache(maxsize=256)
def quantities_in(text: str, *, spelt: bool = False) -> tuple[Quantity, ...]:
    """The numbers of a text outside its dates; ``1,200.50`` is 1200.5 and list markers (``1.``) are left out.

    ``spelt`` reads numbers in words too, as dictation has them: for sources, not for what a draft claims ("one of us").
    """
    for found in _date_matches(text):
        text = text.replace(found.group(), " ", 1)
    text = _with_digits(text) if spelt else text
    text = re.sub(r"^\s*\d{1,2}[.)]\s", " ", text)
    return tuple(
        Quantity(
            Decimal(found["value"].replace(",", "")).normalize(),
            (found["unit"] or "").lower().rstrip("s").replace("µg", "mcg"),
            found.group().strip(),
        )
        for found in _NUMBER.finditer(text)
    )


def _with_digits(text: str) -> str:
    """Numbers and units that are spelt out, as in dictation, in digits as well: ``twenty milligrams`` is ``20 mg``."""
    text = _SPELT_OUT.sub(lambda found: f"{_spelt(found.group())} ", text)
    for words, unit in _UNIT_WORDS:
        text = re.sub(rf"(?<=\d) ?{words}\b", f" {unit}", text, flags=re.I)
    return text


def _spelt(words: str) -> int:
    """``two hundred and fifty`` is 250; what is said digit by digit (``one twenty``) is put together: 120."""
    total = 0
    part = 0
    for word in re.findall(r"[a-z]+", words.lower()):
        if word == "hundred":
            part = max(part, 1) * 100
        elif word == "thousand":
            total, part = (total + max(part, 1)) * 1000, 0
        elif word in _SPELT:
            value = _SPELT[word]
            joined = part and (value >= 10 or part % 10) and part % 100
            part = part * (100 if value >= 10 else 10) + value if joined else part + value
    return total + part


_MASS = {"mcg": Decimal(1), "mg": Decimal(1_000), "g": Decimal(1_000_000), "kg": Decimal(1_000_000_000)}


def same_mass(said: Quantity, known: Quantity) -> bool:
    """Whether two masses are the same in other units (0.5 g and 500 mg)."""
    if said.unit not in _MASS or known.unit not in _MASS:
        return False
    return said.value * _MASS[said.unit] == known.value * _MASS[known.unit]


def same_value(said: Decimal, known: Decimal) -> bool:
    """Whether a number is the known one, or that one rounded to the decimals that were said."""
    if said == known:
        return True
    places, known_places = _places(said), _places(known)
    return known_places > places and round(known, places) == said


def _places(value: Decimal) -> int:
    exponent = value.as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _date_matches(text: str) -> Iterator[re.Match[str]]:
    for pattern in _DATES:
        for found in pattern.finditer(text):
            day = _day(found)
            if 1 <= day.month <= 12 and (day.day is None or 1 <= day.day <= 31):
                yield found


def _day(found: re.Match[str]) -> Day:
    parts = found.groupdict()
    year = int(parts["y"]) if parts.get("y") else None
    if year is not None and year < 100:
        year += 2000 if year < 70 else 1900
    month = _MONTHS[parts["name"][:3].lower()] if parts.get("name") else int(parts["m"])
    return Day(year, month, int(parts["d"]) if parts.get("d") else None)
