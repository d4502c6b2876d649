"""Finding identifiers in a text: what the chart names first, then patterns."""

from collections.abc import Iterator, Sequence

import ahocorasick_rs

from careplane.errors import ShieldError
from careplane.records import JSON
from careplane.shield.folding import Folded, fold, fold_key
from careplane.shield.identifiers import Identifier, known_identifiers
from careplane.shield.patterns import find_patterns
from careplane.shield.spans import Category, Span, disjoint

_COMMON_WORDS = frozenset(
    {
        "may",
        "will",
        "hope",
        "grace",
        "rose",
        "mark",
        "art",
        "bill",
        "sue",
        "pat",
        "drew",
        "van",
        "long",
        "young",
        "white",
    }
    | {
        "black",
        "brown",
        "green",
        "gray",
        "day",
        "love",
        "price",
        "wood",
        "rich",
        "small",
        "short",
        "best",
        "case",
        "page",
    }
)
"""Names that are everyday words: alone they count only when written with a capital inside a sentence."""


def detector_for(chart: Sequence[JSON]) -> "Detector":
    """The detector of a chart.

    Raises:
        ShieldError: a resource is not of the shape that FHIR gives it; the message quotes no value.
    """
    try:
        return Detector(known_identifiers(chart))
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise ShieldError(f"The chart could not be read ({type(error).__name__}).") from None


class Detector:
    """Finds the identifiers of one chart; built once per chart, used for every text of it."""

    def __init__(self, identifiers: Sequence[Identifier]) -> None:
        owners: dict[str, tuple[Category, str]] = {}
        for identifier in identifiers:
            for variant in sorted(identifier.variants):
                key = fold_key(variant)
                if len(key) >= 3:
                    owners.setdefault(key, (identifier.category, identifier.entity))
        self._keys = sorted(owners)
        self._owners = [owners[key] for key in self._keys]
        self._matcher = ahocorasick_rs.AhoCorasick(self._keys) if self._keys else None

    def find(self, text: str) -> list[Span]:
        """All identifiers of a text, in order, without overlap."""
        folded = fold(text)
        return disjoint((*self._known(folded), *find_patterns(folded)))

    def _known(self, folded: Folded) -> Iterator[Span]:
        if self._matcher is None:
            return
        for index, start, end in self._matcher.find_matches_as_indexes(folded.lower, overlapping=True):
            if not _whole_word(folded.lower, start, end):
                continue
            if self._keys[index] in _COMMON_WORDS and not folded.text[start].isupper():
                continue
            category, entity = self._owners[index]
            first, last = folded.original(start, end)
            yield Span(first, last, category, entity, known=True)


def _whole_word(text: str, start: int, end: int) -> bool:
    before = text[start - 1] if start else " "
    after = text[end] if end < len(text) else " "
    return not (before.isalnum() and text[start].isalnum()) and not (after.isalnum() and text[end - 1].isalnum())
