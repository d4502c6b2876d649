"""The model: weights of features, the most likely labels of a run of words, and the spans that they make."""

import gzip
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from importlib.resources import files

from careplane.shield.folding import Folded
from careplane.shield.spans import Category, Span
from careplane.shield.tagger.features import features
from careplane.shield.tagger.tokens import Tokens
from careplane.shield.vocabulary import vocabulary

LABELS = ("O", "NAME", "GEO")
_CATEGORIES: tuple[Category | None, ...] = (None, "NAME", "GEO")
_WEIGHTS = "weights.json.gz"
_Row = tuple[float, float, float]
_ZERO: _Row = (0.0, 0.0, 0.0)


class Model:
    """A linear-chain model. It holds no state, so any thread may use it."""

    def __init__(
        self,
        weights: Mapping[str, Sequence[float]],
        transitions: Sequence[Sequence[float]],
        bias: Sequence[float] = (0.0, 0.0),
    ) -> None:
        """``weights``: from a feature to a weight for each of :data:`LABELS`; ``transitions``: from label to label.

        ``bias`` is added to the labels that are not O, in texts of mixed case and in lower-case ones: more of it finds
        more, and more that is none.
        """
        self._weights: dict[str, _Row] = {name: (row[0], row[1], row[2]) for name, row in weights.items()}
        self._moves = [(row[0], row[1], row[2]) for row in transitions]
        self._bias = (bias[0], bias[1])

    def find(self, folded: Folded) -> list[Span]:
        """People and places of a text, in order; offsets are those of the original."""
        known = vocabulary()
        tokens = Tokens(folded.plain, known)
        found: list[Span] = []
        bias = self._bias[tokens.in_lower_case]
        for run in tokens.runs():
            labels = self._labels([self._score(features(tokens, i, known), bias) for i in run])
            for label, first, last in _stretches(tokens, run, labels):
                category = _CATEGORIES[label]
                if tokens.written[first] in _NO_IDENTIFIERS:
                    continue
                if category is not None and not (category == "GEO" and _bare_acronym(tokens, first, last)):
                    start, end = tokens.span(first, last)
                    end = _whole(folded.plain, start, end, category)
                    words = folded.plain[start:end].lower()
                    found.append(Span(*folded.place(start, end), category, f"{category}:{words}"))
        return found

    def _score(self, names: list[str], bias: float) -> _Row:
        none = name = place = 0.0
        weights = self._weights
        for feature in names:
            row = weights.get(feature)
            if row is not None:
                none += row[0]
                name += row[1]
                place += row[2]
        return none, name + bias, place + bias

    def _labels(self, scores: list[_Row]) -> list[int]:
        """The most likely labels (Viterbi)."""
        moves, best = self._moves, scores[0]
        back: list[tuple[int, int, int]] = []
        for row in scores[1:]:
            came: list[int] = []
            reached: list[float] = []
            for label in range(3):
                ways = [best[origin] + moves[origin][label] for origin in range(3)]
                top = max(range(3), key=ways.__getitem__)
                came.append(top)
                reached.append(ways[top] + row[label])
            back.append((came[0], came[1], came[2]))
            best = (reached[0], reached[1], reached[2])
        labels = [max(range(3), key=best.__getitem__)]
        for step in reversed(back):
            labels.append(step[labels[-1]])
        return labels[::-1]


_NO_IDENTIFIERS = frozenset({"NP", "RN", "LPN", "APRN", "CRNA", "PT", "OT", "BID", "TID", "QID", "PRN", "SBA", "RW"})
"""Degrees and abbreviations of notes with which no person's and no place's name begins."""
_WHERE = frozenset({"at", "from", "to", "in", "by", "our", "the", "via", "@", "near", "of", "and", ",", "(", "/"})


def _bare_acronym(tokens: Tokens, first: int, last: int) -> bool:
    """One word in capitals that nothing before it makes a place: rather a test or a diagnosis."""
    word = tokens.written[first]
    return (
        first == last and word.isupper() and len(word) < 6 and (tokens.lows[first - 1] if first else "") not in _WHERE
    )


_REST = re.compile(r"['\u2019]s\b")


def _whole(text: str, start: int, end: int, category: Category) -> int:
    """The end of a span, with the full stop of an initial, or with what belongs to a place such as ``St. Luke's``."""
    if text[end : end + 1] == "." and end - start > 1 and not text[end - 2 : end - 1].isalnum():
        return end + 1
    rest = _REST.match(text, end) if category == "GEO" else None
    return rest.end() if rest else end


def _stretches(tokens: Tokens, run: Sequence[int], labels: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """Neighbouring words of one label as one stretch: label, first and last token."""
    at = 0
    while at < len(run):
        end = at
        while (
            end + 1 < len(run) and labels[end + 1] == labels[at] and _joined(tokens, run[end], run[end + 1], labels[at])
        ):
            end += 1
        yield labels[at], run[at], run[end]
        at = end + 1


def _joined(tokens: Tokens, i: int, j: int, label: int) -> bool:
    between = tokens.lows[i + 1 : j]
    if label == 1:
        return not any(low in (",", "and", "&", "of", "at", "for", "the") or low[0] == "\n" for low in between)
    return not any(low[0] == "\n" for low in between)


@lru_cache(maxsize=1)
def tagger() -> Model:
    """The model that ships; read when first needed."""
    content = json.loads(gzip.decompress(files(__package__).joinpath(_WEIGHTS).read_bytes()))
    scale = content["scale"]
    weights = {name: [value / scale for value in row] for name, row in content["weights"].items()}
    return Model(weights, content["transitions"], content["bias"])
