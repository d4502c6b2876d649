# ruff: noqa: E501
"""Variation: other names and places in the labelled texts, and invented sentences with and without names."""

import random
import re
from collections.abc import Callable, Iterator

from careplane.shield.vocabulary import EVERYDAY, Word, vocabulary
from tagger_training.corpora import Document
from tagger_training.sentences import (
    ACRONYMS,
    ASKED,
    BODIES,
    DRUGS,
    EPONYMS,
    GENERAL,
    INSTITUTIONS,
    KINDS,
    ORDINARY,
    PEOPLE,
    SPOKEN,
    SPOKEN_WITHOUT,
    STATE_NAMES,
    STATES,
    WITHOUT,
)

_WORD = re.compile(r"[A-Za-z]+")
_FACILITY = re.compile(
    r"(?i)\b(?:hospital|clinic|center|ctr|medical|med|health|care|associates|institute|office|children)"
)
_TITLES = frozenset({"dr", "mr", "mrs", "ms", "miss", "doctor", "md", "nurse"})
_LETTERS = "ABCDEFGHIJKLMNOPRSTUVWXYZ"


class Names:
    """Draws names of people and places from the public lists, usual ones more often, and some of no list."""

    def __init__(self, rng: random.Random) -> None:
        table = vocabulary()
        self.rng = rng
        self._first = self._lists(table, Word.FIRST)
        self._last = self._lists(table, Word.LAST)
        self._towns = [name for name, flags in table.items() if flags & Word.TOWN]

    @staticmethod
    def _lists(table: dict[str, int], kind: Word) -> tuple[list[str], list[str]]:
        every = [name for name, flags in table.items() if flags & kind and len(name) > 2]
        return [name for name in every if table[name] & Word.USUAL], every

    def _drawn(self, lists: tuple[list[str], list[str]]) -> str:
        usual, every = lists
        chance = self.rng.random()
        if chance < 0.5:
            return self.rng.choice(usual)
        if chance < 0.88:
            return self.rng.choice(every)
        one, other = self.rng.choice(every), self.rng.choice(every)
        return one[: max(2, len(one) // 2)] + other[len(other) // 2 :]

    def first(self) -> str:
        return self._drawn(self._first).title()

    def last(self) -> str:
        name = self._drawn(self._last).title()
        if self.rng.random() < 0.04:
            return f"{name}-{self._drawn(self._last).title()}"
        return f"O'{name}" if self.rng.random() < 0.01 else name

    def person(self) -> str:
        rng, chance = self.rng, self.rng.random()
        if chance < 0.45:
            return f"{self.first()} {self.last()}"
        if chance < 0.7:
            return f"{self.first()} {rng.choice(_LETTERS)}."
        if chance < 0.8:
            return f"{rng.choice(_LETTERS)}. {self.last()}"
        return self.first() if chance < 0.9 else self.last()

    def town(self) -> str:
        return self.rng.choice(self._towns).title()

    def place(self) -> str:
        chance = self.rng.random()
        if chance < 0.4:
            return self.town()
        if chance < 0.5:
            return f"{self.town()}, {self.rng.choice(STATES)}"
        return self.rng.choice(INSTITUTIONS) if chance < 0.75 else self.facility()

    def facility(self) -> str:
        rng = self.rng
        stem = rng.choice(
            (self.town, self.last, self.last, lambda: f"St. {self.first()}", lambda: f"St. {self.first()}'s",
             lambda: rng.choice(INSTITUTIONS).removesuffix(" Hospital").removesuffix(" Medical Center"))
        )()  # fmt: skip
        return f"{stem} {rng.choice(KINDS)}"


def varied(document: Document, names: Names) -> Document:
    """The document with other people and places; what has digits, and words such as ``Dr``, stay."""
    out: list[str] = []
    spans: list[tuple[int, int, str]] = []
    at = length = 0
    swapped: dict[str, str] = {}
    for start, end, category in document.spans:
        if start < at:
            continue
        old = document.text[start:end]
        new = _another(old, category, names, swapped)
        out += (document.text[at:start], new)
        length += start - at
        spans.append((length, length + len(new), category))
        length += len(new)
        at = end
    out.append(document.text[at:])
    return Document("".join(out), tuple(spans), {})


def _another(old: str, category: str, names: Names, swapped: dict[str, str]) -> str:
    if category == "NAME":
        words = _WORD.findall(old)
        last = words[-1] if words else ""
        return _WORD.sub(lambda word: _other_name(word[0], word[0] == last and len(words) > 1, names, swapped), old)
    if category != "GEO" or any(map(str.isdigit, old)) or old.islower():
        return old
    if _FACILITY.search(old):
        return names.facility() if names.rng.random() < 0.7 else names.rng.choice(INSTITUTIONS)
    if "," in old:
        return f"{names.town()}, {names.rng.choice(STATES)}"
    return names.place()


def _other_name(word: str, is_last: bool, names: Names, swapped: dict[str, str]) -> str:
    low = word.lower()
    if low in _TITLES:
        return word
    if len(word) == 1:
        return names.rng.choice(_LETTERS) if word.isupper() else word
    if low not in swapped:
        flags = vocabulary().get(low, 0)
        swapped[low] = names.last() if is_last or not flags & Word.FIRST else names.first()
        if flags & EVERYDAY and names.rng.random() < 0.5:
            swapped[low] = word.title()
    new = swapped[low]
    return new.lower() if word.islower() else new.upper() if word.isupper() else new


def invented(names: Names, count: int) -> Iterator[Document]:
    """Sentences with names and places, and sentences with words that only look like them."""
    rng = names.rng
    groups = (
        (ASKED, False),
        (ASKED, False),
        (ASKED, True),
        (GENERAL, False),
        (SPOKEN, True),
        (WITHOUT, False),
        (WITHOUT, False),
        (ORDINARY, False),
        (SPOKEN_WITHOUT, True),
    )
    for _ in range(count):
        templates, spoken = rng.choice(groups)
        yield _filled(rng.choice(templates), names, spoken)


def _filled(template: str, names: Names, spoken: bool) -> Document:
    rng = names.rng
    draw: dict[str, tuple[Callable[[], str], str]] = {
        "n": (names.person, "NAME"), "f": (names.first, "NAME"), "l": (names.last, "NAME"), "g": (names.place, "GEO"),
        "a": (lambda: str(rng.randint(18, 88)), ""), "e": (lambda: rng.choice(EPONYMS), ""), "d": (lambda: rng.choice(DRUGS), ""),
        "b": (lambda: rng.choice(BODIES), ""), "p": (lambda: rng.choice(PEOPLE), ""), "s": (lambda: rng.choice(STATE_NAMES), ""),
        "c": (lambda: rng.choice(ACRONYMS), ""), "E": (lambda: rng.choice(EPONYMS).upper(), ""),
    }  # fmt: skip
    out, spans = "", []
    template = template.lower() if spoken else template
    for part in re.split(r"(\{\w+\})", template):
        if part.startswith("{"):
            make, category = draw[part[1]]
            part = make().lower() if spoken else make()
            if category:
                spans.append((len(out), len(out) + len(part), category))
        out += part
    return Document(out, tuple(spans), {})
