"""Finding identifiers in a text: what the chart names first, then patterns."""

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from hashlib import blake2b

import orjson

from careplane.errors import ShieldError
from careplane.records import JSON
from careplane.shield.decoding import SIGNS, decoded, widened
from careplane.shield.folding import Folded
from careplane.shield.identifiers import Identifier, known_identifiers
from careplane.shield.known import Known
from careplane.shield.patterns import Signs, find_patterns, relative_dates
from careplane.shield.spans import Finder, Span, layered
from careplane.shield.tagger import Model
from careplane.shield.tagger import tagger as shipped_tagger

_DEPTH = 3
"""So many encodings around each other are read through."""


class Detector:
    """Finds the identifiers of one chart; built once per chart, used for every text of it, by any thread."""

    def __init__(
        self, identifiers: Sequence[Identifier], *, tagger: Model | bool = True, more: Sequence[Finder] = ()
    ) -> None:
        """``tagger``: whether the trained tagger looks for people and places that nothing else names, or another one.

        ``more`` are further detectors; what they find counts after everything else.
        """
        self._known = Known(identifiers)
        self._tagger = shipped_tagger() if tagger is True else tagger or None
        self._more = tuple(more)

    def find(self, text: str) -> list[Span]:
        """All identifiers of a text, in order, without overlap."""
        folded = Folded(text)
        known, patterns = self._layers(folded, 0)
        tagged = self._tagger.find(folded) if self._tagger is not None else ()
        found = layered(text, known, patterns, tagged, *(finder(text) for finder in self._more))
        return layered(text, found, relative_dates(text, found))

    def _layers(self, folded: Folded, depth: int) -> tuple[list[Span], list[Span]]:
        signs = Signs(folded.octets)
        known = self._known.find(folded, signs.disguises, hidden=depth > 0)
        patterns = list(find_patterns(folded, signs))
        if depth < _DEPTH and not signs.disguises.isdisjoint(SIGNS):
            inner = self._read_through(folded, signs, depth + 1)
            known += inner[0]
            patterns += inner[1]
        return known, patterns

    def _read_through(self, folded: Folded, signs: Signs, depth: int) -> tuple[list[Span], list[Span]]:
        """What lies behind encodings, layer by layer, at its place in the text that ``folded`` was made of."""
        view = decoded(folded, signs.disguises)
        if view is None:
            return [], []
        text, offsets = view
        known, patterns = self._layers(Folded(text), depth)

        def placed(span: Span) -> Span:
            place = widened(folded.plain, *offsets.source(span.start, span.end))
            return Span(*folded.place(*place), span.category, span.entity, span.known)

        # what reads the same before decoding has been looked at already, with more doubt about everyday words
        hidden = [
            span
            for span in known
            if text[span.start : span.end] != folded.plain[slice(*offsets.source(span.start, span.end))]
        ]
        return [placed(span) for span in hidden], [placed(span) for span in patterns]


class Detectors:
    """The detectors of the charts in use, so that a busy encounter pays for building one only once.

    Bounded in number and age; keyed by a keyed digest, so nothing of a chart serves as a key.
    """

    def __init__(
        self, *, tagger: bool = True, more: Sequence[Finder] = (), size: int = 128, seconds: float = 900.0
    ) -> None:
        """``size`` charts at most are kept, each for ``seconds`` after its last use."""
        self._tagger = tagger
        self._more = tuple(more)
        self._size = size
        self._seconds = seconds
        self._secret = secrets.token_bytes(32)
        self._lock = threading.Lock()
        self._made: OrderedDict[bytes, tuple[float, Detector]] = OrderedDict()

    def of(self, chart: Sequence[JSON]) -> Detector:
        """The detector of a chart.

        Raises:
            ShieldError: a resource is not of the shape that FHIR gives it; the message quotes no value.
        """
        try:
            content = orjson.dumps(chart)
        except TypeError:
            raise ShieldError("The chart is not JSON, so nothing left.") from None
        key = blake2b(content, key=self._secret, digest_size=16).digest()
        now = time.monotonic()
        with self._lock:
            while self._made and next(iter(self._made.values()))[0] < now - self._seconds:
                self._made.popitem(last=False)
            if key in self._made:
                self._made[key] = (now, self._made.pop(key)[1])
                return self._made[key][1]
        made = Detector(known_identifiers(chart), tagger=self._tagger, more=self._more)
        with self._lock:
            self._made[key] = (now, made)
            while len(self._made) > self._size:
                self._made.popitem(last=False)
        return made


_detectors = {True: Detectors(tagger=True), False: Detectors(tagger=False)}


def detector_for(chart: Sequence[JSON], *, tagger: bool = True) -> Detector:
    """The detector of a chart, kept for the next text of it.

    Raises:
        ShieldError: a resource is not of the shape that FHIR gives it; the message quotes no value.
    """
    return _detectors[tagger].of(chart)
