"""What stands in for an identifier. Numbers and names are drawn at random and never derived from the identifier
(45 CFR 164.514(c)); within a run the same words get the same surrogate, and one person keeps one number."""

import secrets

from careplane.shield.restoring import loosen
from careplane.shield.spans import Category

_FIRST = (
    "Avery",
    "Blair",
    "Casey",
    "Devon",
    "Ellis",
    "Finley",
    "Harper",
    "Jules",
    "Kendall",
    "Logan",
    "Morgan",
    "Noel",
)
_LAST = ("Abbott", "Barlow", "Colby", "Dalton", "Easton", "Fenwick", "Granger", "Holloway", "Ingram", "Kirby", "Lowell")
_FEW, _MANY = (100, 1000), (10_000, 100_000)


class Surrogates:
    """The map of one run, from identifiers to surrogates and back. It never leaves the process."""

    def __init__(self, text: str, *, realistic: bool = False) -> None:
        """``text`` is everything that will leave: no surrogate may occur in it."""
        self._text = loosen(text)
        self._realistic = realistic
        self._by_words: dict[tuple[Category, str], str] = {}
        self._numbers: dict[tuple[Category, str], int] = {}
        self._forms: dict[tuple[Category, int], int] = {}
        self._used: set[str] = set()

    def of(self, category: Category, entity: str, words: str) -> str:
        """The surrogate of these very words; other words for the same entity get its number with a suffix."""
        known = self._by_words.get((category, words))
        if known is None:
            known = self._draw(category, entity, words)
            self._by_words[category, words] = known
        return known

    @property
    def originals(self) -> dict[str, str]:
        """From surrogate to original."""
        return {surrogate: words for (_, words), surrogate in self._by_words.items()}

    def _draw(self, category: Category, entity: str, words: str) -> str:
        if self._realistic:
            lifelike = self._draw_lifelike(category, words)
            if lifelike:
                return lifelike
        number = self._numbers.get((category, entity))
        if number is None:
            number = self._draw_number(category)
            self._numbers[category, entity] = number
        form = self._forms[category, number] = self._forms.get((category, number), 0) + 1
        return f"[{category}-{number}]" if form == 1 else f"[{category}-{number}-{form}]"

    def _draw_number(self, category: Category) -> int:
        taken = {number for (kind, _), number in self._numbers.items() if kind == category}
        low, high = _FEW if len(taken) < 400 else _MANY
        while True:
            number = low + secrets.randbelow(high - low)
            if number not in taken and f"{category}-{number}".lower() not in self._text:
                return number

    def _draw_lifelike(self, category: Category, words: str) -> str | None:
        """A name, phone or address that looks real and is nobody's; ``None`` when there is none that is free."""
        for _ in range(40):
            drawn = _lifelike(category, words)
            if drawn is None:
                return None
            parts = {loosen(part) for part in drawn.split()}
            if not parts & self._used and not any(part in self._text for part in parts):
                self._used |= parts
                return drawn
        return None


def _lifelike(category: Category, words: str) -> str | None:
    if category == "NAME":
        last = secrets.choice(_LAST)
        return f"{secrets.choice(_FIRST)} {last}" if " " in words else last
    if category == "PHONE":
        return f"{200 + secrets.randbelow(700)}-555-01{secrets.randbelow(100):02d}"
    if category == "EMAIL":
        return f"{secrets.token_hex(4)}@example.org"
    return None
