"""Folding text for matching while keeping the exact place of every character.

Compatibility forms become plain (NFKD without combining marks, so ``José`` is ``Jose`` and full-width is narrow);
zero-width characters and soft hyphens vanish; runs of white space become one space, and underscores a space each.
"""

import unicodedata
from dataclasses import dataclass

_INVISIBLE = frozenset("\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff\u180e")
_DASHES = dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212\ufe63\uff0d", "-")
_QUOTES = {"\u2019": "'", "\u2018": "'", "\u02bc": "'"}


@dataclass(frozen=True, slots=True)
class Folded:
    """A folded text. ``starts[i]`` and ``ends[i]`` are where its i-th character lies in the original; ``raw`` is the
    same with its underscores kept, for addresses that need them."""

    text: str
    raw: str
    lower: str
    starts: tuple[int, ...]
    ends: tuple[int, ...]

    def original(self, start: int, end: int) -> tuple[int, int]:
        """The place in the original of ``text[start:end]`` (not empty)."""
        return self.starts[start], self.ends[end - 1]


def fold(text: str) -> Folded:
    """Fold a text."""
    out: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    for i, char in enumerate(text):
        for part in _fold_character(char):
            if part == " " and out and out[-1] == " ":
                ends[-1] = i + 1
                continue
            out.append(part)
            starts.append(i)
            ends.append(i + 1)
    raw = "".join(out)
    folded = raw.replace("_", " ")
    return Folded(folded, raw, _lower(folded), tuple(starts), tuple(ends))


def fold_key(text: str) -> str:
    """The folded, lower-case form of a short text, without outer space."""
    return fold(text).lower.strip()


def _fold_character(char: str) -> str:
    if char in _INVISIBLE:
        return ""
    if char.isspace():
        return " "
    if char.isascii():
        return char
    plain = unicodedata.normalize("NFKD", _DASHES.get(char) or _QUOTES.get(char) or char)
    kept = "".join(part for part in plain if not unicodedata.combining(part))
    return "".join(" " if part.isspace() else part for part in kept)


def _lower(text: str) -> str:
    """Lower case of the same length, whatever the script."""
    lower = text.lower()
    if len(lower) == len(text):
        return lower
    return "".join(char.lower() if len(char.lower()) == 1 else char for char in text)
