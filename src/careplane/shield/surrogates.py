"""What stands in for an identifier: the map of one run, from identifiers to surrogates and back.

Numbers, names and the shift of dates are drawn at random and never derived from the identifier (45 CFR 164.514(c));
within a run the same words get the same surrogate, and one person keeps one number or one invented name.
"""

import re
import secrets
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from typing import Literal

import msgspec

from careplane.records import Record
from careplane.shield import chance, dates, forms, lifelike, pools
from careplane.shield.branches import Form, Meaning, escape
from careplane.shield.lifelike import Persona
from careplane.shield.restoring import Aliases
from careplane.shield.spans import Category

_FEW, _MANY = (100, 1000), (10_000, 100_000)
_OLDEST = 89
"""Years: an older date tells an age over 89, and so does its year (45 CFR 164.514(b)(2)(i)(C))."""
_LONGEST_SHIFT = 52
"""Weeks. Whole weeks keep the day of the week."""


class Entry(Record, frozen=True):
    """One surrogate and what it stands for.

    ``source`` is how JSON text wrote the words where that was not the usual way, ``bare`` that they stood there as a
    number; ``kind`` says how it was made, and ``number``, ``spelling`` or ``persona`` with what.
    """

    category: Category
    entity: str
    words: str
    surrogate: str
    kind: Literal["code", "name", "like", "phone", "day"]
    source: str | None = None
    bare: bool = False
    number: int = 0
    spelling: int = 1
    persona: str = ""
    day: str = ""
    moved: str = ""
    written: str = ""


class _State(Record, frozen=True):
    """The map as it is kept."""

    entries: tuple[Entry, ...]
    numbers: tuple[tuple[str, str, int], ...]
    personas: dict[str, tuple[str, str]]
    shift: int


class SurrogateMap:
    """The map of one run. It stays in memory, unless a :class:`careplane.shield.vault.Vault` keeps it, encrypted."""

    def __init__(self, *, realistic: bool = False, shifted: bool = False) -> None:
        self.realistic = realistic
        self.shifted = shifted
        self._entries: dict[tuple[str, str, str | None, bool], Entry] = {}
        self._surrogates: set[str] = set()
        self._numbers: dict[tuple[str, str], int] = {}
        self._spellings: dict[tuple[str, int], int] = {}
        self._personas: dict[str, Persona] = {}
        self._owners: dict[str, set[str]] = {}
        self._shift = 0
        self._texts: Sequence[str] = ()
        self._originals: Sequence[str] = ()
        self._givens: frozenset[str] = frozenset()
        self._avoided: dict[re.Pattern[str], set[str]] = {}
        self._year = _today().year

    def __len__(self) -> int:
        return len(self._entries)

    def prepare(
        self, texts: Sequence[str], words: Iterable[tuple[Category, str]], givens: frozenset[str] = frozenset()
    ) -> None:
        """Say what is about to leave: no surrogate may occur in ``texts`` (nor in the chart, which belongs to them).

        ``words`` are the identifiers in it; no surrogate may contain one. ``givens`` are given names, folded.
        """
        self._texts, self._avoided = texts, {}
        self._givens = givens
        words = list(words)
        self._originals = sorted({text.lower() for _, text in words if len(text) > 1})
        if self.shifted:
            self._prepare_shift(text for category, text in words if category == "DATE")

    def of(self, category: Category, entity: str, words: str, source: str | None = None, *, bare: bool = False) -> str:
        """The surrogate of these very words; other words for the same entity get its number with a suffix.

        ``source`` is how JSON text wrote the words; ``bare``: it is a number there.
        """
        if source == escape(words):
            source = None
        key = (category, words, source, bare)
        entry = self._entries.get(key)
        if entry is None:
            plain = bare and not words.isdigit()  # a number such as -1.5e3 has no lifelike one
            draw = self._draw_code if plain else self._draw
            entry = draw(category, self._owner(category, entity, words), words)
            if source is not None or bare:
                entry = msgspec.structs.replace(entry, source=source, bare=bare)
            self._keep(key, entry)
        return entry.surrogate

    def aliases(self) -> Aliases:
        """The way back, for what the map holds now."""
        exact: dict[str, Meaning] = {}
        found: list[Form] = []
        named: dict[str, list[Entry]] = {}
        for entry in self._entries.values():
            exact[entry.surrogate] = forms.meaning(entry)
            if entry.kind == "name":
                named.setdefault(entry.persona, []).append(entry)
        for entry in self._entries.values():
            if entry.kind != "name":
                found += forms.of_entry(entry, exact[entry.surrogate])
        for persona, entries in named.items():
            found += forms.of_persona(self._personas[persona], entries, self._givens)
        return Aliases(exact, found)

    def encode(self) -> bytes:
        """The map as bytes. They hold identifiers: encrypt them."""
        return msgspec.json.encode(
            _State(
                entries=tuple(self._entries.values()),
                numbers=tuple((*key, number) for key, number in self._numbers.items()),
                personas={key: (one.given, one.family) for key, one in self._personas.items()},
                shift=self._shift,
            )
        )

    def decode(self, content: bytes) -> "SurrogateMap":
        """Take over what :meth:`encode` gave.

        Raises:
            msgspec.DecodeError, msgspec.ValidationError: it is not that.
        """
        state = msgspec.json.decode(content, type=_State)
        self._shift = state.shift
        self._personas = {key: Persona(*one) for key, one in state.personas.items()}
        self._numbers = {(category, entity): number for category, entity, number in state.numbers}
        for entry in state.entries:
            self._keep((entry.category, entry.words, entry.source, entry.bare), entry)
        return self

    def _keep(self, key: tuple[str, str, str | None, bool], entry: Entry) -> None:
        self._entries[key] = entry
        self._surrogates.add(entry.surrogate)
        if entry.kind == "code":
            spellings = self._spellings
            spellings[entry.category, entry.number] = max(
                entry.spelling, spellings.get((entry.category, entry.number), 0)
            )
        if entry.category == "NAME":
            for word in _name_words(entry.words):
                self._owners.setdefault(word, set()).add(entry.entity)

    def _owner(self, category: Category, entity: str, words: str) -> str:
        """Who a name that no chart knows belongs to: the one person of whom all its words are known."""
        if category != "NAME" or not entity.startswith("NAME:"):
            return entity
        owners = [self._owners.get(word, set()) for word in _name_words(words)]
        common = set.intersection(*owners) if owners else set()
        return next(iter(common)) if len(common) == 1 else entity

    def _draw(self, category: Category, entity: str, words: str) -> Entry:
        entry = self._draw_day(category, entity, words) if category == "DATE" and self.shifted else None
        if entry is None and self.realistic:
            entry = self._draw_name(entity, words) if category == "NAME" else self._draw_like(category, entity, words)
        return entry or self._draw_code(category, entity, words)

    def _draw_code(self, category: Category, entity: str, words: str) -> Entry:
        number = self._numbers.get((category, entity))
        if number is None:
            number = self._numbers[category, entity] = self._draw_number(category)
        spelling = self._spellings.get((category, number), 0) + 1
        suffix = "" if spelling == 1 else f"-{spelling}"
        return Entry(
            category=category,
            entity=entity,
            words=words,
            surrogate=f"[{category}-{number}{suffix}]",
            kind="code",
            number=number,
            spelling=spelling,
        )

    def _draw_number(self, category: Category) -> int:
        taken = {number for (kind, _), number in self._numbers.items() if kind == category}
        tries, (low, high) = 0, _FEW
        while True:
            tries += 1
            if tries > 200:
                low, high = _MANY
            number = low + chance.below(high - low)
            if number not in taken and self._may_number(str(number)):
                return number

    def _may_number(self, number: str) -> bool:
        plain = number.endswith("0") or number in pools.PLAIN_NUMBERS
        return not plain and self._free(number) and not self._tells(number)

    def _tells(self, drawn: str) -> bool:
        """Whether a surrogate contains an identifier."""
        drawn = drawn.lower()
        return any(original in drawn for original in self._originals)

    def _draw_name(self, entity: str, words: str) -> Entry | None:
        name = lifelike.read_name(words, self._givens)
        for attempt in range(4):
            key = f"{entity}#{attempt}" if attempt else entity
            persona = self._personas.get(key) or lifelike.draw_persona(self._free)
            if persona is None:
                return None
            middles = ["", *secrets.SystemRandom().sample("BCDFGHJKLMNPRSTW", 4)] if name.shape == "full" else [""]
            for middle in middles:
                drawn = lifelike.written_name(persona, name, words, middle)
                if drawn not in self._surrogates and not self._tells(drawn):
                    if key not in self._personas:
                        self._personas[key] = persona
                        self._avoid(persona.given, persona.family)
                    return Entry(category="NAME", entity=entity, words=words, surrogate=drawn, kind="name", persona=key)
        return None

    def _draw_like(self, category: Category, entity: str, words: str) -> Entry | None:
        for _ in range(8):
            drawn = lifelike.draw(category, words, self._free)
            if drawn is None:
                return None
            if drawn not in self._surrogates and not self._tells(drawn):
                self._avoid(drawn)
                kind: Literal["phone", "like"] = "phone" if category == "PHONE" else "like"
                return Entry(category=category, entity=entity, words=words, surrogate=drawn, kind=kind)
        return None

    def _draw_day(self, category: Category, entity: str, words: str) -> Entry | None:
        today = _today()
        read = dates.read_date(words, self._year, today)
        if read is None or not self._shift or (read.kind == "day" and today.year - read.day.year >= _OLDEST):
            return None
        try:
            moved = dates.moved(read.day, self._shift)
        except OverflowError:
            return None
        drawn = read.written(moved)
        if drawn in self._surrogates or self._tells(drawn):
            return None
        return Entry(
            category=category,
            entity=entity,
            words=words,
            surrogate=drawn,
            kind="day",
            day=read.day.isoformat(),
            moved=moved.isoformat(),
            written=read.kind,
        )

    def _prepare_shift(self, days: Iterable[str]) -> None:
        """Draw the shift of this run, so that no date becomes another one of the same text."""
        today = _today()
        read = [one for one in (dates.read_date(day, today.year, today) for day in days) if one]
        full = [one.day for one in read if one.kind == "day"]
        self._year = max(full).year if full else today.year
        if self._shift:
            return
        present = {day.toordinal() for day in full}
        for _ in range(200):
            weeks = 1 + chance.below(_LONGEST_SHIFT)
            shift = 7 * weeks * chance.choice((-1, 1))
            if not any(day + shift in present for day in present):
                self._shift = shift
                return
        # too many dates for any shift: they become bracketed surrogates

    def _free(self, word: str) -> bool:
        """Whether a word or number (lower case) is in no text and in no surrogate."""
        pattern = _NUMBERS if word.isdigit() else _LETTERS
        avoided = self._avoided.get(pattern)
        if avoided is None:
            avoided = self._avoided[pattern] = set()
            for text in (*self._texts, *self._surrogates):
                avoided.update(pattern.findall(text.lower()))
            for persona in self._personas.values():
                avoided.update((persona.given.lower(), persona.family.lower()))
        return word not in avoided

    def _avoid(self, *texts: str) -> None:
        for pattern, avoided in self._avoided.items():
            for text in texts:
                avoided.update(pattern.findall(text.lower()))


_LETTERS = re.compile(r"[^\W\d_]{2,}")
_NUMBERS = re.compile(r"\d+")


def _name_words(words: str) -> list[str]:
    found = [lifelike.fold_word(word) for word in _LETTERS.findall(words)]
    return [word for word in found if word not in pools.TITLES]


def _today() -> date:
    return datetime.now(UTC).date()
