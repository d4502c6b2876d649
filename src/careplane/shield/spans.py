"""Where identifiers lie in a text, and how overlapping finds become one."""

from collections.abc import Callable, Iterable
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


Finder = Callable[[str], Iterable[Span]]
"""Any further detector: from a text to spans of it, in any order, overlapping or not."""


def layered(text: str, *layers: Iterable[Span]) -> list[Span]:
    """Spans in order without overlap; a span of an earlier layer wins, within a layer the one that starts first.

    What sticks out of a winner is kept if it holds a letter or digit, so nothing that was found stays uncovered; it
    joins a winner of its own category.
    """
    taken: list[Span] = []
    for layer in layers:
        found = _swept(text, layer)
        taken = _joined(text, taken, found) if taken else found
    return taken


def _swept(text: str, spans: Iterable[Span]) -> list[Span]:
    out: list[Span] = []
    for span in sorted(spans, key=lambda span: (span.start, -span.end)):
        if not out or span.start >= out[-1].end:
            out.append(span)
        elif span.end > out[-1].end:
            last = out[-1]
            if span.category == last.category:
                out[-1] = Span(last.start, span.end, last.category, last.entity, last.known)
            elif any(map(str.isalnum, text[last.end : span.end])):
                out.append(Span(last.end, span.end, span.category, span.entity, span.known))
    return out


def _joined(text: str, taken: list[Span], found: list[Span]) -> list[Span]:
    """Two lists in order without overlap become one; ``taken`` wins."""
    out: list[Span] = []
    i = 0
    for span in found:
        start = span.start
        while i < len(taken) and taken[i].end <= start:
            out.append(taken[i])
            i += 1
        while i < len(taken) and taken[i].start < span.end:
            _keep(text, out, span, start, taken[i].start)
            out.append(_grown(out, taken[i], span))
            start = taken[i].end
            i += 1
        _keep(text, out, span, start, span.end)
    return [*out, *taken[i:]]


def _keep(text: str, out: list[Span], span: Span, start: int, end: int) -> None:
    """Keep ``start:end`` of a span, unless it is only punctuation; grow the winner before it if it is of its kind."""
    if end <= start or not any(map(str.isalnum, text[start:end])):
        return
    last = out[-1] if out else None
    if last is not None and last.end == start and last.category == span.category:
        out[-1] = Span(last.start, end, last.category, last.entity, last.known)
    else:
        out.append(Span(start, end, span.category, span.entity, span.known))


def _grown(out: list[Span], winner: Span, span: Span) -> Span:
    """The winner, with the rest of a span of its kind that lies just before it."""
    last = out[-1] if out else None
    if last is None or last.end != winner.start or last.entity != span.entity or last.category != winner.category:
        return winner
    out.pop()
    return Span(last.start, winner.end, winner.category, winner.entity, winner.known)
