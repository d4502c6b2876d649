"""Where identifiers lie in a text, and how overlapping finds become one."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Category = Literal[
    "NAME",
    "STREET",
    "GEO",
    "DATE",
    "PHONE",
    "EMAIL",
    "SSN",
    "MRN",
    "PLAN",
    "ACCOUNT",
    "LICENSE",
    "DEVICE",
    "VEHICLE",
    "URL",
    "IP",
    "AGE",
    "OTHERID",
]
"""The identifiers of 45 CFR 164.514(b)(2). GEO is what a limited data set may keep (town, ZIP), STREET is not."""


@dataclass(frozen=True, slots=True)
class Span:
    """``text[start:end]`` is an identifier. ``entity`` is the same for two spans that name the same thing."""

    start: int
    end: int
    category: Category
    entity: str
    known: bool = False


def disjoint(spans: Iterable[Span]) -> list[Span]:
    """Spans in order without overlap: what the chart knows wins over patterns, then the longer; a rest that sticks out
    of a winner is kept, so nothing found stays uncovered."""
    taken: list[Span] = []
    for span in sorted(spans, key=lambda span: (not span.known, span.start - span.end, span.start)):
        for start, end in _outside(span.start, span.end, taken):
            taken.append(Span(start, end, span.category, span.entity, span.known))
    return sorted(taken, key=lambda span: span.start)


def _outside(start: int, end: int, taken: Iterable[Span]) -> list[tuple[int, int]]:
    left = [(start, end)]
    for span in taken:
        parts = [((a, min(b, span.start)), (max(a, span.end), b)) for a, b in left]
        left = [part for pair in parts for part in pair if part[0] < part[1]]
    return left
