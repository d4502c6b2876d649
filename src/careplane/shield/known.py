"""Finding what the chart names: one pass over the canonical text for all variants, then the words that are misspelt.

Keys have a space at either end, so they match whole words only. Text that runs backwards, letters that were spaced out,
broken over lines or replaced by digits are matched on other forms of the text, where it shows a sign of them.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import accumulate
from typing import Any

import ahocorasick_rs
import re2

from careplane.shield.evidence import meant_as_name
from careplane.shield.folding import Folded, canonicals, rewrite
from careplane.shield.identifiers import Identifier
from careplane.shield.spans import Category, Span
from careplane.shield.vocabulary import everyday_words

_Owner = tuple[Category, str]
_UNSPACED_SCRIPTS = "\u2e80"
"""From here on scripts write words without space between them."""
_BROKEN = re.compile(r"\w[-=\u00ac] *\n")
_LONGEST = 20
"""No name of one word is longer."""
_LEADING = re.compile(r"[+(]*$")
_INITIAL = re.compile(r"\b[A-Z]\.[ _]?$")
_DIGIT_INITIAL = re.compile(r"(?<!\w)([013457])\. ?$")
_LOOKS = str.maketrans("013457829l@$!|", "oieastbzgiasii")
"""Digits and signs that stand in for letters; ``l`` and ``1`` both become ``i``."""
_LONG_NUMBER = re.compile(r"(?<!\d)\d(?:[ .()/-]{0,2}\d){6,19}(?!\d)")
_POSSESSIVE = re.compile(r"['\u2019][sS]")


class Known:
    """The matcher of one chart; built once, used for every text of it."""

    def __init__(self, identifiers: Sequence[Identifier]) -> None:
        owners: dict[str, _Owner] = {}
        self._slashed: set[str] = set()
        for identifier in identifiers:
            owner = (identifier.category, identifier.entity)
            for variant, key in zip(identifier.variants, canonicals(identifier.variants), strict=True):
                if _telling(key, identifier.category):
                    owners.setdefault(key, owner)
                    if identifier.category == "DATE" and "/" in variant:
                        self._slashed.add(key)
        self._owners = owners
        self._keys = list(owners)
        self._words = Matcher([_bounded(key) for key in self._keys])
        self._parts = frozenset(part for part in set(" ".join(owners).split()) if len(part) >= 3)
        self._named: dict[str, list[str]] = {}
        for key, (category, _) in owners.items():
            if _may_be_misspelt(key, category):
                self._named.setdefault(key[:2], []).append(key)
                self._named.setdefault(f" {key[-2:]}", []).append(key)
        self._numbers = {
            digits: owner
            for key, owner in owners.items()
            if owner[0] not in ("NAME", "GEO", "DATE") and (digits := _digits(key)) is not None
        }
        self._loose: tuple[Matcher, list[_Owner]] | None = None
        self._looks: dict[str, str] | None = None

    def find(self, folded: Folded, disguises: frozenset[str], *, hidden: bool = False) -> list[Span]:
        """The known identifiers of a text, in no order, overlapping; offsets are those of the original.

        ``disguises`` are those of :data:`careplane.shield.patterns.DISGUISES` of which the text shows a sign.
        ``hidden``: the text was decoded, so that an everyday word in it may well be a name.
        """
        if not self._keys:
            return []
        found = list(self._exact(folded, hidden=hidden))
        if self._numbers:
            found += self._glued(folded)
        rare = set(folded.words) - everyday_words()
        found += self._misspellings(folded, rare)
        if "/" in folded.plain or not self._parts.isdisjoint([word[::-1] for word in rare]):
            found += self._backwards(folded)
        if "loose" in disguises or "broken" in disguises:
            found += self._spelt_out(folded)
        if "mixed" in disguises:
            found += self._disguised(folded)
        return found

    def _exact(self, folded: Folded, *, hidden: bool = False) -> Iterator[Span]:
        """The longest variant at each place; a shorter one inside says nothing more."""
        text, covered = folded.canonical, 0
        for start, back, index in sorted((start, -end, index) for index, start, end in self._words.find(text)):
            if -back <= covered:
                continue
            key = self._keys[index]
            pad = key[0] < _UNSPACED_SCRIPTS
            # what overlaps the one before it counts with its rest only, so that names side by side stay apart
            first, last = folded.spot(max(start + pad, covered), -back - pad)
            category, entity = self._owners[key]
            doubtful = category == "NAME" and start + pad >= covered and not hidden
            if doubtful and not folded.disguised(first, last) and not meant_as_name(key, folded.plain, first, last):
                continue
            if _POSSESSIVE.fullmatch(folded.plain, max(0, first - 1), last):
                continue  # Kinsella's is no Kinsella S.
            if key in self._slashed and "/" not in folded.plain[first:last]:
                continue
            covered = -back
            if category == "PHONE":
                first -= len(_LEADING.search(folded.plain, max(0, first - 4), first)[0])  # type: ignore[index]
            if category == "NAME" and key[-2:-1] == " " and folded.plain[last : last + 1] == ".":
                last += 1  # the full stop of an initial
            yield Span(*folded.place(first, last), category, entity, known=True)

    def _backwards(self, folded: Folded) -> Iterator[Span]:
        """Variants in a text that runs from right to left."""
        size = len(folded.canonical)
        for index, start, end in self._words.find(folded.canonical[::-1]):
            key = self._keys[index]
            pad = key[0] < _UNSPACED_SCRIPTS
            if _reversible(key, self._owners[key][0]):
                place = folded.spot(size - end + pad, size - start - pad)
                yield Span(*folded.place(*place), *self._owners[key], known=True)

    def _glued(self, folded: Folded) -> Iterator[Span]:
        """Numbers of the chart that letters adjoin (``x00482917``, ``tel6174429085home``): long ones are telling."""
        for run in _LONG_NUMBER.finditer(folded.plain):
            digits = "".join(filter(str.isdigit, run[0])).lstrip("0")
            owner = self._numbers.get(digits) or self._numbers.get(digits.removeprefix("1"))
            if owner is not None:
                yield Span(*folded.place(*run.span()), *owner, known=True)

    def _misspellings(self, folded: Folded, rare: Iterable[str]) -> Iterator[Span]:
        """Words that are neither everyday words nor names of the chart, but one slip away from one."""
        text, named = folded.canonical, self._named
        for word in rare:
            if len(word) < 4:
                continue
            # one slip leaves either the first or the last two letters as they are
            near = named.get(word[:2], ()), named.get(f" {word[-2:]}", ())
            name = next((name for names in near for name in names if one_slip(word, name)), None)
            if name is None or word in self._owners:
                continue
            at = text.find(f" {word} ")
            while at >= 0:
                first, last = folded.spot(at + 1, at + 1 + len(word))
                initial = _INITIAL.search(folded.plain, max(0, first - 4), first)
                place = folded.place(initial.start() if initial else first, last)
                yield Span(*place, *self._owners[name], known=True)
                at = text.find(f" {word} ", at + 1)

    def _spelt_out(self, folded: Folded) -> Iterator[Span]:
        """``J o h n``, ``J.o.h.n``, and words broken over lines: keys and text without any space between."""
        if self._loose is None:
            forms = {key.replace(" ", ""): owner for key, owner in self._owners.items()}
            kept = {form: owner for form, owner in forms.items() if len(form) >= 3}
            self._loose = Matcher(list(kept)), list(kept.values())
        matcher, owners = self._loose
        words = folded.words
        ends = list(accumulate(map(len, words)))
        bounds = {0, *ends}
        text = "".join(words)
        for index, start, end in matcher.find(text):
            if start not in bounds or end not in bounds:
                continue
            i, j = bisect_right(ends, start), bisect_right(ends, end - 1)
            at = start + i + 1
            first, last = folded.spot(at, end + j + 1)
            if j > i and _taken_apart(words[i : j + 1], folded.plain[first:last]):
                yield Span(*folded.place(first, last), *owners[index], known=True)

    def _look_alikes(self) -> dict[str, str]:
        if self._looks is None:
            self._looks = {part.translate(_LOOKS): part for part in self._parts if len(part) >= 4}
        return self._looks

    def _read(self, text: str, start: int, end: int) -> list[tuple[int, int, str]]:
        """The edits that make the words of a variant out of ``text[start:end]``; the sign of an address parts words."""
        looks = self._look_alikes()
        word = text[start:end].lower().strip("!|")
        read = looks.get(word.translate(_LOOKS))
        if read is None and "@" in word:
            pieces = [piece.span() for piece in re.finditer(r"[^@]+", text[start:end])]
            return [edit for first, last in pieces for edit in self._read(text, start + first, start + last)]
        if read is None or read == word:
            return []
        initial = _DIGIT_INITIAL.search(text, max(0, start - 3), start)
        before = [(*initial.span(1), initial[1].translate(_LOOKS).upper())] if initial else []
        return [*before, (start, end, read.title())]

    def _disguised(self, folded: Folded) -> Iterator[Span]:
        """``J0hn Sm1th``, ``M@ria``: letters replaced by digits and signs that look like them, and the reverse.

        Each such word that is a word of a variant is read as that word, and the text is searched once more.
        """
        edits = [
            edit
            for found in _mixed_words().finditer(folded.octets)
            for edit in self._read(folded.plain, *found.span(1))
        ]
        if edits:
            text, offsets = rewrite(folded.plain, edits)
            for span in self._exact(Folded(text)):
                place = folded.place(*offsets.source(span.start, span.end))
                yield Span(*place, span.category, span.entity, known=True)


@lru_cache(maxsize=1)
def _mixed_words() -> Any:
    core = r"[a-z][013457892@$!|]{1,2}[a-z]|\b[0134578@$]{1,2}[a-z]{2}|[a-z]{2}[01345@$!|]{1,2}|\d[oilsbz]+\d"
    return re2.compile(rf"(?i)([a-z0-9@$!|]*(?:{core})[a-z0-9@$!|]*)".encode())  # type: ignore[no-untyped-call]


class Matcher:
    """All places of many keys in one pass, overlapping."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._automaton: Any = ahocorasick_rs.AhoCorasick(keys) if keys else None

    def find(self, text: str) -> list[tuple[int, int, int]]:
        """Index of the key, start and end of each place."""
        if self._automaton is None:
            return []
        return self._automaton.find_matches_as_indexes(text, overlapping=True)  # type: ignore[no-any-return] # untyped


def _bounded(key: str) -> str:
    return f" {key} " if key[0] < _UNSPACED_SCRIPTS else key


def _telling(key: str, category: Category) -> bool:
    """Whether a variant says enough to be looked for on its own."""
    if category not in ("NAME", "GEO"):
        return len(key) >= 4 or (category == "DATE" and key != "")
    if not key.isascii():
        return len(key) >= 2
    size = len(key.replace(" ", ""))
    if category == "NAME":
        return size >= 2
    return size >= 3 and (size >= 8 or key not in everyday_words())


def _digits(key: str) -> str | None:
    """The digits of a number of seven and more, without leading zeros; ``None`` for any other variant."""
    digits = "".join(filter(str.isdigit, key))
    plain = len(digits) >= 7 and all(char.isdigit() or char in " .()/-+" for char in key)
    return digits.lstrip("0") or None if plain else None


def _reversible(key: str, category: Category) -> bool:
    if category == "DATE":
        return len(key) >= 6 and key.count(" ") != 1
    return len(key) >= 4 and key[::-1] not in everyday_words() and key[::-1] != key


def _may_be_misspelt(key: str, category: Category) -> bool:
    return category in ("NAME", "GEO") and key.isalpha() and 4 <= len(key) <= _LONGEST


def one_slip(word: str, name: str) -> bool:
    """Whether a word is a name with two letters swapped, or one left out, put in or replaced.

    Names of four letters are too short for a replaced letter, or for one put in that does not double another.
    """
    longer, shorter = len(word), len(name)
    if abs(longer - shorter) > 1 or word == name or not word.isalpha():
        return False
    least = min(longer, shorter)
    start = 0
    while start < least and word[start] == name[start]:
        start += 1
    end = 0
    while end < least - start and word[-1 - end] == name[-1 - end]:
        end += 1
    if longer != shorter:
        doubled = longer > shorter and word[start - 1] == word[start]
        return least - start - end == 0 and (shorter >= 5 or longer < shorter or doubled)
    swapped = longer - start - end == 2 and word[start] == name[start + 1] and word[start + 1] == name[start]
    return swapped or (longer - start - end == 1 and shorter >= 5)


def _taken_apart(pieces: Sequence[str], original: str) -> bool:
    """Whether words were taken apart on purpose or by a line break: not just names that stand side by side."""
    if _BROKEN.search(original):
        return True
    short = sum(len(piece) <= 2 for piece in pieces)
    return short >= 3 and short >= len(pieces) - 1
