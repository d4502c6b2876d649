"""The shield of one call: identifiers out, surrogates in, and the way back. If anything fails, nothing leaves."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import re2

from careplane.errors import Refused, ShieldError
from careplane.records import JSON
from careplane.records.model import Message, texts
from careplane.shield import json_text, lifelike, outgoing, remembered, structured
from careplane.shield.detect import Detector, detector_for
from careplane.shield.lifelike import fold_word
from careplane.shield.outgoing import Place, Sent
from careplane.shield.restoring import Aliases, Restorer
from careplane.shield.spans import Span
from careplane.shield.structured import Slot
from careplane.shield.surrogates import SurrogateMap

_KEPT_IN_LIMITED = frozenset({"DATE", "GEO", "AGE"})
"""45 CFR 164.514(e)(2): a limited data set may keep dates, ages, town, state and ZIP."""

_FAILURES = (
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    RuntimeError,
    AssertionError,
    msgspec.MsgspecError,
    re2.error,
)
_NO_ALIASES = Aliases()
_KNOWN = re.compile(r"([A-Z][A-Za-z]+)(\d+)(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Protected:
    """A request that may leave, and the way back; ``count`` surrogates stand in for identifiers in it."""

    body: JSON
    count: int
    aliases: Aliases

    @property
    def messages(self) -> tuple[Message, ...]:
        """The messages as plain text."""
        return texts(self.body)

    @property
    def texts(self) -> tuple[str, ...]:
        """The texts that were given to :meth:`Shield.texts`."""
        return tuple(self.body["texts"])

    def restore(self, text: str) -> str:
        """Prose with originals in place of surrogates."""
        return self.aliases.restore(text)

    def restore_json(self, text: str) -> str:
        """JSON text with originals, escaped, in place of surrogates: tool-call arguments, structured output."""
        return self.aliases.restore(text, as_json=True)

    def restorer(self) -> Restorer:
        """The same for a stream of prose; every stream (choice, reasoning) takes its own."""
        return Restorer(self.aliases)

    def json_restorer(self) -> Restorer:
        """The same for a stream of JSON text; every tool call takes its own."""
        return Restorer(self.aliases, as_json=True)


class Shield:
    """Protects the requests of one call or run.

    Args:
        chart: FHIR resources that say whose identifiers to look for.
        policy: ``identifiable`` (nothing is replaced), ``limited`` (164.514(e): dates, ages and towns stay),
            ``deidentified`` (164.514(b)(2): all go), ``none`` (any identifier is refused).
        surrogates: ``bracketed`` or ``realistic``.
        dates: ``surrogate``, or ``shifted``: all by the same number of weeks.
        known: the map of an earlier call of the same run (see :mod:`careplane.shield.vault`); it is extended, and its
            own style counts.
        detector: the detector of this chart, where the caller keeps one.

    Raises:
        ShieldError: the policy or style is unknown, or the chart cannot be read; nothing may leave.
    """

    def __init__(
        self,
        chart: Sequence[JSON] = (),
        policy: str = "deidentified",
        surrogates: str = "bracketed",
        *,
        dates: str = "surrogate",
        known: SurrogateMap | None = None,
        detector: Detector | None = None,
    ) -> None:
        choose = _POLICIES.get(policy)
        if choose is None or surrogates not in ("bracketed", "realistic") or dates not in ("surrogate", "shifted"):
            raise ShieldError("The shield does not know this data policy, so nothing left.")
        self._policy = policy
        self._choose = choose
        self._chart = chart
        self._shifted = dates == "shifted"
        self.map = SurrogateMap(realistic=surrogates == "realistic", shifted=self._shifted) if known is None else known
        self._detector = detector_for(chart) if detector is None and policy != "identifiable" else detector

    def request(self, body: JSON) -> Protected:
        """A canonical chat body (see :mod:`careplane.records.model`) that may leave.

        Raises:
            Refused: the policy is ``none`` and there is an identifier; there is an image, sound or file and the policy
                is not ``identifiable``; or the name of a function or field is an identifier of the chart.
            ShieldError: the shield could not do its work; nothing may leave. The message holds no text.
        """
        try:
            return self._protect(body)
        except _FAILURES as error:
            raise ShieldError(f"The shield failed ({type(error).__name__}), so nothing left.") from None

    def texts(self, given: Sequence[str]) -> Protected:
        """The same for texts alone, as embeddings take them."""
        return self.request({"texts": list(given)})

    def _protect(self, body: JSON) -> Protected:
        if self._policy == "identifiable":
            return Protected(body, 0, _NO_ALIASES)
        if kinds := structured.other_than_text(body):
            raise Refused(
                (f"The request holds {', '.join(kinds)}, in which identifiers cannot be found.",),
                "Send text only, or ask for the data policy 'identifiable' of this app.",
            )
        slots = structured.slots(body)
        found = self._found(slots)
        structure = [slot for slot in slots if slot.structure and slot.text not in structured.WIRE_WORDS]
        named = {(slot.text, f"The field {slot.place}") for slot in structure if slot.text}
        self._check_names(named | {(key, "The name of a field") for key in structured.own_keys(body)})
        if self._policy == "none" and any(found):
            raise Refused(_kinds(found), "Remove the identifiers, or ask for another data policy of this app.")
        return self._replaced(body, slots, found)

    def _find(self, text: str) -> list[Span]:
        assert self._detector is not None  # noqa: S101 - only the policy "identifiable" has none
        return _in_order(self._choose(remembered.find(self._detector, text)))

    def _found(self, slots: Sequence[Slot]) -> list[list[Place]]:
        """The places of every slot."""
        found: list[list[Place]] = [[] for _ in slots]
        short: list[int] = []
        for i, slot in enumerate(slots):
            if not slot.text:
                continue
            if _as_json(slot):
                found[i] = outgoing.places_in_json(slot.text, self._find)
            elif slot.spoken and not slot.structure:
                found[i] = outgoing.places_in_text(slot.text, self._find)
            elif not slot.structure:
                short.append(i)
        for i, places in zip(short, outgoing.places_in_texts([slots[i].text for i in short], self._find), strict=True):
            found[i] = places
        return found

    def _check_names(self, given: set[tuple[str, str]]) -> None:
        """Refuse what cannot be replaced and holds an identifier of the chart; each text comes with what it is."""
        names = sorted(given)
        texts = [text for text, _ in names]
        if not names:
            return
        for (_, what), spans in zip(names, outgoing.clipped(self._find(outgoing.CUT.join(texts)), texts), strict=True):
            if any(span.known for span in spans):
                raise Refused(
                    (f"{what} holds an identifier of the chart, and it cannot be replaced there.",),
                    "Use a name that says nothing about a person.",
                )

    def _replaced(self, body: JSON, slots: Sequence[Slot], found: Sequence[Sequence[Place]]) -> Protected:
        sent, aliases = self._sent(slots, found, self.map)
        if not outgoing.prove(sent, aliases):
            # only names that read as parts of each other can do that; in brackets nothing can
            sent, aliases = self._sent(slots, found, SurrogateMap())
            if not outgoing.prove(sent, aliases):
                raise ShieldError("The shield could not prove that its surrogates can be undone, so nothing left.")
        count = len({one.outgoing[start:end] for one in sent for start, end, _, _ in one.moves})
        return Protected(structured.filled(body, iter([one.outgoing for one in sent])), count, aliases)

    def _sent(
        self, slots: Sequence[Slot], found: Sequence[Sequence[Place]], table: SurrogateMap
    ) -> tuple[list[Sent], Aliases]:
        words = [(place.category, place.words) for places in found for place in places]
        avoided = [slot.text for slot in slots]
        givens: frozenset[str] = frozenset()
        if table.realistic:
            avoided.append(msgspec.json.encode(self._chart).decode())
            givens = frozenset(_givens(self._chart))
        table.prepare(avoided, words, givens)
        entities = _entities(self._chart)
        trim = _trimmed if table.realistic else _whole
        sent = [
            outgoing.replaced(slot.text, map(trim, _stable(places, entities)), table, as_json=_as_json(slot))
            for slot, places in zip(slots, found, strict=True)
        ]
        return sent, table.aliases()


def _in_order(spans: Sequence[Span]) -> list[Span]:
    """Spans by place; where two overlap, the second begins where the first ends."""
    kept: list[Span] = []
    for span in sorted(spans, key=lambda span: (span.start, -span.end)):
        start = max(span.start, kept[-1].end) if kept else span.start
        if start < span.end:
            kept.append(span if start == span.start else replace(span, start=start))
    return kept


def _as_json(slot: Slot) -> bool:
    return slot.arguments and json_text.is_json(slot.text)


def protect(messages: Sequence[Message], chart: Sequence[JSON], policy: str, surrogates: str) -> Protected:
    """Protect messages of text; arguments and errors as for :class:`Shield`."""
    shield = Shield(chart, policy, surrogates)
    return shield.request({"messages": [{"role": message.role, "content": message.content} for message in messages]})


def _all(spans: Sequence[Span]) -> Sequence[Span]:
    return spans


def _direct(spans: Sequence[Span]) -> Sequence[Span]:
    return [span for span in spans if span.category not in _KEPT_IN_LIMITED]


_POLICIES: Mapping[str, Callable[[Sequence[Span]], Sequence[Span]]] = {
    "identifiable": _all,
    "limited": _direct,
    "deidentified": _all,
    "none": _all,
}


def _kinds(found: Sequence[Sequence[Place]]) -> tuple[str, ...]:
    kinds = sorted({place.category for places in found for place in places})
    return (f"The request holds identifiers ({', '.join(kinds)}) and the data policy of this app lets none out.",)


def _entities(chart: Sequence[JSON]) -> dict[str, str]:
    """From the place of a resource in this chart to its reference: in the next call it may stand elsewhere."""
    return {
        f"{resource.get('resourceType', '')}{i}": f"{resource['resourceType']}/{resource['id']}"
        for i, resource in enumerate(chart)
        if resource.get("resourceType") and resource.get("id")
    }


def _stable(places: Sequence[Place], entities: Mapping[str, str]) -> Iterator[Place]:
    for place in places:
        known = _KNOWN.fullmatch(place.entity)
        reference = entities.get(known[1] + known[2]) if known else None
        if known and reference:
            place = replace(place, entity=reference + known[3])
        yield place


def _whole(place: Place) -> Place:
    return place


def _trimmed(place: Place) -> Place:
    """The part that a lifelike surrogate replaces: no full stop at its end, no country code or bracket of a phone."""
    if place.bare or place.end - place.start != len(place.words) or place.source not in (None, place.words):
        return place  # its source has escapes, of which no offsets are known any more
    core = lifelike.phone_core(place.words) if place.category == "PHONE" else None
    start, end = core or _word_bounds(place.words)
    words = place.words[start:end]
    if not words:
        return place
    return replace(place, start=place.start + start, end=place.start + end, words=words, source=place.source and words)


def _word_bounds(words: str) -> tuple[int, int]:
    kept = [i for i, char in enumerate(words) if char.isalnum()]
    return (kept[0], kept[-1] + 1) if kept else (0, 0)


def _givens(chart: Sequence[JSON]) -> Iterator[str]:
    for resource in chart:
        people = (resource, *(contact for contact in resource.get("contact") or () if isinstance(contact, dict)))
        for person in people:
            names: Any = person.get("name")
            for name in names if isinstance(names, list) else [names]:
                if isinstance(name, dict):
                    yield from (fold_word(given) for given in name.get("given") or () if isinstance(given, str))
