"""One text on its way out: what is replaced in it, the text that leaves, and the proof that it can be undone."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from careplane.shield import json_text
from careplane.shield.json_text import Leaf
from careplane.shield.restoring import Aliases, Found
from careplane.shield.spans import Category, Span
from careplane.shield.surrogates import SurrogateMap

Find = Callable[[str], Sequence[Span]]
"""A detector, with what the data policy keeps already left out."""

CUT = " \u00b6 "
"""Between texts that are searched together: no identifier goes across."""


@dataclass(frozen=True, slots=True)
class Place:
    """``start`` to ``end`` of a text is to be replaced. ``source`` is how JSON text wrote the words, ``bare``: it is a
    number there."""

    start: int
    end: int
    category: Category
    entity: str
    words: str
    source: str | None = None
    bare: bool = False


@dataclass(frozen=True, slots=True)
class Sent:
    """A text and what left in its stead; each of ``moves`` is a surrogate's start and end, then the original's."""

    text: str
    outgoing: str
    moves: Sequence[tuple[int, int, int, int]]
    as_json: bool


def places_in_text(text: str, find: Find) -> list[Place]:
    """What to replace in prose."""
    return [_place(text, span) for span in find(text)]


def _place(text: str, span: Span) -> Place:
    return Place(span.start, span.end, span.category, span.entity, text[span.start : span.end])


def places_in_texts(texts: Sequence[str], find: Find) -> list[list[Place]]:
    """The same for many short texts, searched together."""
    if not texts:
        return []
    return [
        [_place(text, span) for span in spans]
        for text, spans in zip(texts, clipped(find(CUT.join(texts)), texts), strict=True)
    ]


def clipped(spans: Sequence[Span], texts: Sequence[str], cues: Sequence[int] = ()) -> Iterator[list[Span]]:
    """The spans of joined texts, each text's own, counted from where its cue (so many characters) ends."""
    at = 0
    for text, skip in zip(texts, cues or [0] * len(texts), strict=True):
        first, last = at + skip, at + len(text)
        yield [
            Span(max(span.start, first) - first, min(span.end, last) - first, span.category, span.entity, span.known)
            for span in spans
            if span.start < last and span.end > first
        ]
        at = last + len(CUT)


def places_in_json(source: str, find: Find) -> list[Place]:
    """What to replace in JSON text: strings (their key gives the cue), numbers, and keys that are no plain words."""
    found = list(json_text.leaves(source))
    cues = [f"{leaf.key}: " if leaf.key else "" for leaf in found]
    texts = [cue + leaf.words for cue, leaf in zip(cues, found, strict=True)]
    split = clipped(find(CUT.join(texts)), texts, list(map(len, cues)))
    return [place for leaf, spans in zip(found, split, strict=True) for place in _in_leaf(source, leaf, spans)]


def _in_leaf(source: str, leaf: Leaf, spans: Sequence[Span]) -> Iterator[Place]:
    if leaf.kind == "key" and leaf.words.isidentifier():
        spans = [span for span in spans if span.known]
    if leaf.kind == "number":
        if spans:
            span = spans[0]
            yield Place(leaf.at[0], leaf.at[-1], span.category, span.entity, leaf.words, leaf.words, bare=True)
        return
    for span in spans:
        start, end = leaf.at[span.start], leaf.at[span.end]
        yield Place(start, end, span.category, span.entity, leaf.words[span.start : span.end], source[start:end])


def replaced(text: str, places: Iterable[Place], table: SurrogateMap, *, as_json: bool) -> Sent:
    """The text with surrogates in the places."""
    out: list[str] = []
    moves: list[tuple[int, int, int, int]] = []
    at = length = 0
    for place in places:
        surrogate = table.of(place.category, place.entity, place.words, place.source, bare=place.bare)
        if place.bare:
            surrogate = f'"{surrogate}"'
        out += (text[at : place.start], surrogate)
        length += place.start - at
        moves.append((length, length + len(surrogate), place.start, place.end))
        length += len(surrogate)
        at = place.end
    return Sent(text, "".join((*out, text[at:])), moves, as_json)


def prove(sent: Sequence[Sent], aliases: Aliases) -> bool:
    """Whether every text comes back byte for byte. Where chance put a surrogate beside what reads as a part of it, the
    stretch is noted in the aliases, to come back as it was."""
    if all(_comes_back(one, aliases) for one in sent):
        return True
    return all(_repaired(one, aliases) for one in sent) and all(_comes_back(one, aliases) for one in sent)


def _comes_back(sent: Sent, aliases: Aliases) -> bool:
    return aliases.restore(sent.outgoing, as_json=sent.as_json) == sent.text


def _repaired(sent: Sent, aliases: Aliases) -> bool:
    literals = aliases.json_literals if sent.as_json else aliases.literals
    found, _ = aliases.find(sent.outgoing, 0, last=True, as_json=sent.as_json)
    for one in found:
        expected = _original(sent, one)
        if expected is None:
            return False
        if expected != one.text:
            literals[sent.outgoing[one.start : one.end]] = expected
    return True


def _original(sent: Sent, found: Found) -> str | None:
    """What stood where something was found; ``None`` when the find begins or ends inside a surrogate."""
    start, end = (_before(sent, place) for place in (found.start, found.end))
    return None if start is None or end is None else sent.text[start:end]


def _before(sent: Sent, place: int) -> int | None:
    shift = 0
    for start, end, _, last in sent.moves:
        if place <= start:
            break
        if place < end:
            return None
        shift = last - end
    return place + shift
