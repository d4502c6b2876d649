"""Identifiers that the chart does not name, found by pattern on a linear-time engine (RE2: no backtracking).

Each pattern has one capture group: the identifier itself, without the cue before it. One pass of an automaton over all
patterns says which of them occur at all; only those are then searched for. Texts come as octets, so the engine has
nothing to convert and places in octets are places in the folded text.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import re2

from careplane.shield.decoding import SIGNS
from careplane.shield.folding import Folded
from careplane.shield.pattern_checks import Check
from careplane.shield.pattern_table import PATTERNS
from careplane.shield.spans import Category, Span

DISGUISES = {
    "loose": r"(?i)(?:^|[^a-z0-9])[a-z0-9][^a-z0-9]{1,3}[a-z0-9][^a-z0-9]{1,3}[a-z0-9](?:[^a-z0-9]|$)",
    "broken": r"\w[-=\x{ac}]\s*\n",
    "mixed": r"(?i)[a-z][013457892@$!|]{1,2}[a-z]|\b[0134578@$]{1,2}[a-z]{3}"
    r"|[a-z]{3}[01345@$!|]{1,2}(?:\W|$)|\d[oilsbz]+\d",
    **SIGNS,
}
"""Signs that a text hides something: letters apart, words broken over lines, digits for letters, encodings."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """One detector: the compiled pattern, its source, and a check of the words that it found."""

    category: Category
    source: str
    compiled: Any
    check: Check | None


@dataclass(frozen=True, slots=True)
class _Compiled:
    patterns: tuple[Pattern, ...]
    signs: tuple[str, ...]
    which: Any


class Signs:
    """What one pass over a text says about it: the patterns that occur, and the signs of disguise."""

    __slots__ = ("disguises", "patterns")

    def __init__(self, octets: bytes) -> None:
        """Look at a text once.

        Raises:
            re2.error: the engine could not run.
        """
        compiled = _compiled()
        indexes = compiled.which.Match(octets) or ()
        first, last = len(compiled.patterns), len(compiled.patterns) + len(compiled.signs)
        self.patterns: tuple[Pattern, ...] = compiled.patterns
        self.disguises = frozenset(compiled.signs)
        if last in indexes:  # else the automaton ran out of its memory, and everything is looked for
            self.patterns = tuple(compiled.patterns[index] for index in indexes if index < first)
            self.disguises = frozenset(compiled.signs[index - first] for index in indexes if first <= index < last)


@lru_cache(maxsize=1)
def _compiled() -> _Compiled:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = 64 << 20
    which = re2.Set.SearchSet(options)  # type: ignore[no-untyped-call] # it has no types
    made = []
    for category, source, check in PATTERNS:
        which.Add(source)
        made.append(Pattern(category, source, re2.compile(source.encode(), options), check))  # type: ignore[no-untyped-call]
    for sign in DISGUISES.values():
        which.Add(sign)
    which.Add("")  # always there: without it in an answer, the automaton gave up
    which.Compile()
    return _Compiled(tuple(made), tuple(DISGUISES), which)


def find_patterns(folded: Folded, signs: Signs) -> Iterator[Span]:
    """The identifiers that the patterns see, in no order; offsets are those of the original text.

    Raises:
        re2.error: the engine could not run.
    """
    for pattern in signs.patterns:
        for found in pattern.compiled.finditer(folded.octets):
            first, end = found.span(1)
            words = folded.plain[first:end]
            start = first + (pattern.check(words, folded, first) if pattern.check is not None else 0)
            if first <= start < end:
                yield Span(*folded.place(start, end), pattern.category, f"{pattern.category}:{words.lower()}")


_AFTER_PLACE = re.compile(r"(?i),?[ ]?((?:last|this past|next) (?:week|month|weekend|night))\b")
_BEFORE_PLACE = re.compile(r"(?i)\b((?:last|this past|next) (?:week|month|weekend|night)) (?:at|in|to) (?:the )?$")


def relative_dates(text: str, found: Sequence[Span]) -> Iterator[Span]:
    """``last week`` and the like, where it says when somebody was at a place: right after the place, or before it."""
    for place in found:
        if place.category != "GEO":
            continue
        after = _AFTER_PLACE.match(text, place.end)
        if after:
            yield Span(*after.span(1), "DATE", f"DATE:{after[1].lower()}")
        before = _BEFORE_PLACE.search(text, max(0, place.start - 30), place.start)
        if before:
            yield Span(*before.span(1), "DATE", f"DATE:{before[1].lower()}")
