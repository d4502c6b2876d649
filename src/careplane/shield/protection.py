"""``protect``: identifiers out, surrogates in; and the way back. If anything fails, nothing leaves."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import re2

from careplane.errors import Refused, ShieldError
from careplane.records import JSON
from careplane.records.model import Message
from careplane.shield.detect import Detector
from careplane.shield.identifiers import known_identifiers
from careplane.shield.restoring import Aliases, Restorer
from careplane.shield.spans import Span
from careplane.shield.surrogates import Surrogates

_KEPT_IN_LIMITED = frozenset({"DATE", "GEO", "AGE"})
"""45 CFR 164.514(e)(2): a limited data set may keep dates, ages, town, state and ZIP."""

_FAILURES = (ValueError, KeyError, IndexError, TypeError, AttributeError, UnicodeError, RecursionError, re2.error)


@dataclass(frozen=True, slots=True)
class Protected:
    """Messages that may leave, and the way back; ``count`` surrogates stand in for identifiers."""

    messages: tuple[Message, ...]
    count: int
    aliases: Aliases

    def restore(self, text: str) -> str:
        """The text with originals in place of surrogates."""
        restorer = self.restorer()
        return restorer.feed(text) + restorer.finish()

    def restorer(self) -> Restorer:
        """The same for a stream."""
        return Restorer(self.aliases)


def protect(messages: Sequence[Message], chart: Sequence[JSON], policy: str, surrogates: str) -> Protected:
    """Replace what the policy does not let out.

    Args:
        messages: what is about to leave.
        chart: FHIR resources that say whose identifiers to look for.
        policy: ``identifiable`` (nothing is replaced), ``limited`` (164.514(e): dates, ages and towns stay),
            ``deidentified`` (164.514(b)(2): all go), ``none`` (any identifier is refused).
        surrogates: ``bracketed`` or ``realistic``.

    Raises:
        Refused: the policy is ``none`` and there is an identifier.
        ShieldError: the shield could not do its work; nothing may leave. The message holds no text.
    """
    choose = _POLICIES.get(policy)
    if choose is None or surrogates not in ("bracketed", "realistic"):
        raise ShieldError("The shield does not know this data policy, so nothing left.")
    try:
        detector = Detector(known_identifiers(chart))
        found = [choose(detector.find(message.content)) for message in messages]
        if policy == "none" and any(found):
            raise Refused(_kinds(found), "Remove the identifiers, or ask for another data policy of this app.")
        protected = _replace(messages, found, realistic=surrogates == "realistic")
        if not _reversible(messages, protected) and surrogates == "realistic":
            protected = _replace(messages, found, realistic=False)
        if not _reversible(messages, protected):
            raise ShieldError("The shield could not prove that its surrogates can be undone, so nothing left.")
    except _FAILURES as error:
        raise ShieldError(f"The shield failed ({type(error).__name__}), so nothing left.") from None
    return protected


def _all(spans: Sequence[Span]) -> Sequence[Span]:
    return spans


def _direct(spans: Sequence[Span]) -> Sequence[Span]:
    return [span for span in spans if span.category not in _KEPT_IN_LIMITED]


def _nothing(_spans: Sequence[Span]) -> Sequence[Span]:
    return ()


_POLICIES: Mapping[str, Callable[[Sequence[Span]], Sequence[Span]]] = {
    "identifiable": _nothing,
    "limited": _direct,
    "deidentified": _all,
    "none": _all,
}


def _kinds(found: Sequence[Sequence[Span]]) -> tuple[str, ...]:
    kinds = sorted({span.category for spans in found for span in spans})
    return (f"The request holds identifiers ({', '.join(kinds)}) and the data policy of this app lets none out.",)


def _replace(messages: Sequence[Message], found: Sequence[Sequence[Span]], *, realistic: bool) -> Protected:
    table = Surrogates("\n".join(message.content for message in messages), realistic=realistic)
    changed = tuple(
        Message(role=message.role, content=_substitute(message.content, spans, table))
        for message, spans in zip(messages, found, strict=True)
    )
    originals = table.originals
    return Protected(changed, len(originals), Aliases(originals))


def _substitute(text: str, spans: Sequence[Span], table: Surrogates) -> str:
    out: list[str] = []
    at = 0
    for span in spans:
        out += (text[at : span.start], table.of(span.category, span.entity, text[span.start : span.end]))
        at = span.end
    return "".join((*out, text[at:]))


def _reversible(messages: Sequence[Message], protected: Protected) -> bool:
    pairs = zip(messages, protected.messages, strict=True)
    return all(protected.restore(sent.content) == message.content for message, sent in pairs)
