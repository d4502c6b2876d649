"""Labelled data: whether a resource with security labels may go to a model, given the patient's consents.

Labels are those of HL7 v3 Confidentiality and ActCode (sensitivity policies) as HL7's DS4P guide puts them into
``meta.security``, and of 42 CFR Part 2. Without an active FHIR R4 Consent that permits each of its labels, a labelled
resource goes to no model; to a model outside the institution the consent has to name who receives it (42 CFR
2.31(a)(4)), and psychotherapy notes need a permission of their own (45 CFR 164.508(a)(2)): a permission counts only for
the labels that it names. What cannot be read is denied. This decides for the platform; it is not legal advice, and a
site whose state asks for more leaves such data out of the apps' context.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal

from careplane.codecs.fhir import patient_of, reference
from careplane.errors import Refused
from careplane.records import JSON

RESTRICTED = frozenset({"R", "V"})
SENSITIVE = frozenset(
    {"42CFRPart2", "ALC", "BH", "ETH", "ETHUD", "GDIS", "HIV", "MH", "MST", "OPIOIDUD", "PSY", "PSYTHPN", "SCA", "SDV"}
    | {"SEX", "SEXUALITY", "SICKLE", "STD", "SUD"}
)
LABELS = RESTRICTED | SENSITIVE
"""Codes of HL7 v3 Confidentiality and ActCode whose resources need a consent, and the mark of 42 CFR Part 2."""

RECIPIENTS = {
    False: ("Device/careplane", "careplane-local-model"),
    True: ("Device/careplane-external", "careplane-external-model"),
}
"""What a consent calls the models of this installation, and those outside: a reference, or an identifier's value."""

Purpose = Literal["treatment", "payment", "operations", "research"]
_PURPOSES = {"treatment": "TREAT", "payment": "HPAYMT", "operations": "HOPERAT", "research": "HRESCH"}
_USES = {False: frozenset({"access", "use"}), True: frozenset({"disclose"})}
_UNREADABLE = (TypeError, ValueError, LookupError, AttributeError, OverflowError, RecursionError)
_DEEPEST = 8


@dataclass(frozen=True, slots=True)
class Recipient:
    """The model that would receive the data.

    ``external``: outside the institution. ``names`` are what a consent may call it by: a reference, an identifier's
    value, or a display name.
    """

    external: bool = True
    names: frozenset[str] = frozenset()
    purpose: Purpose = "treatment"


def labels(resource: JSON) -> frozenset[str] | None:
    """The labels of a resource that need a consent, contained resources included; ``None`` when they cannot be read."""
    try:
        return frozenset(_labels(resource, 0))
    except _UNREADABLE:
        return None


def _labels(resource: JSON, depth: int) -> Iterator[str]:
    if depth > _DEEPEST:
        raise ValueError(depth)
    codings = list(_listed(resource.get("meta", {}), "security"))
    for concept in _listed(resource, "securityLabel") if resource.get("resourceType") == "DocumentReference" else ():
        codings += _listed(concept, "coding")
    yield from (coding["code"] for coding in codings if _code(coding) in LABELS)
    if resource.get("confidentiality") in RESTRICTED:
        yield resource["confidentiality"]
    for contained in _listed(resource, "contained"):
        yield from _labels(contained, depth + 1)


def _listed(element: Any, name: str) -> list[Any]:
    """A list of an element: empty when absent.

    Raises:
        TypeError, AttributeError: it is there, and not as FHIR has it.
    """
    found = element.get(name, [])
    if not isinstance(found, list):
        raise TypeError(name)
    return found


def _code(coding: Any) -> str:
    code = coding.get("code", "")
    if not isinstance(code, str):
        raise TypeError(code)
    return code


def refusal(resource: JSON, consents: Iterable[JSON], recipient: Recipient, at: datetime) -> str | None:
    """Why a resource may not go to a model, or ``None`` when it may. The reason names labels and no person."""
    found = labels(resource)
    if found is None:
        return "The security labels of a resource cannot be read."
    if not found:
        return None
    patient = patient_of(resource)
    active = [consent for consent in consents if _in_force(consent, patient)]
    for label in sorted(found):
        answers = [_answer(consent, label, resource, recipient, at) for consent in active]
        if "deny" in answers:
            return f"A consent denies data labelled {label} to this model."
        if "permit" not in answers:
            return f"No active consent permits data labelled {label} to go to this model."
    return None


def check_chart(chart: Sequence[JSON], consents: Sequence[JSON], recipient: Recipient, at: datetime) -> None:
    """Refuse a call whose chart holds labelled data that may not go to the model.

    Raises:
        Refused: at least one resource may not; the reasons name labels only.
    """
    reasons = {refusal(resource, consents, recipient, at) for resource in chart}
    refused = sorted(reason for reason in reasons if reason)
    if refused:
        raise Refused(
            refused,
            "Leave the labelled resources out of the context, or record a FHIR Consent that permits these labels"
            + (" and names who receives the data." if recipient.external else "."),
        )


def _in_force(consent: JSON, patient: str | None) -> bool:
    try:
        return (
            consent.get("resourceType") == "Consent"
            and consent.get("status") == "active"
            and patient is not None
            and patient_of(consent) == patient
        )
    except _UNREADABLE:
        return False


def _answer(
    consent: JSON, label: str, resource: JSON, recipient: Recipient, at: datetime
) -> Literal["permit", "deny"] | None:
    """What a consent says about a label: nested provisions are exceptions from what holds them; of two, deny wins."""
    try:
        return _decide(consent.get("provision") or {}, _Question(label, resource, recipient, at), named=False, depth=0)
    except _UNREADABLE:
        return "deny"


@dataclass(frozen=True, slots=True)
class _Question:
    label: str
    resource: JSON
    recipient: Recipient
    at: datetime


def _decide(provision: JSON, asked: _Question, *, named: bool, depth: int) -> Literal["permit", "deny"] | None:
    if depth > _DEEPEST:
        raise ValueError(depth)
    if not _in_period(provision.get("period"), asked.at):
        return None
    kind = provision.get("type")
    codes = {_code(coding) for coding in provision.get("securityLabel") or ()}
    if codes and asked.label not in codes:
        return None
    named = named or asked.label in codes
    answer: Literal["permit", "deny"] | None = None
    if kind == "permit" and named and _covers(provision, asked):
        answer = "permit"
    elif kind == "deny" and _may_cover(provision, asked):
        answer = "deny"
    nested = [_decide(inner, asked, named=named, depth=depth + 1) for inner in provision.get("provision") or ()]
    if "deny" in nested:
        return "deny"
    return "permit" if "permit" in nested else answer


def _in_period(period: Any, at: datetime) -> bool:
    if not period:
        return True
    start, end = period.get("start"), period.get("end")
    return (start is None or _moment(start) <= at) and (end is None or at < _moment(end, end=True))


def _moment(text: str, *, end: bool = False) -> datetime:
    """A FHIR dateTime; a day as an end includes the day."""
    if len(text) == 4:
        text += "-12-31" if end else "-01-01"
    elif len(text) == 7:
        first = date.fromisoformat(f"{text}-01")
        last = (first.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
        text = (last if end else first).isoformat()
    if len(text) == 10:
        day = datetime.fromisoformat(text).replace(tzinfo=UTC)
        return day + timedelta(days=1) if end else day
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _covers(provision: JSON, asked: _Question) -> bool:
    """Whether a permission certainly covers this: a condition that cannot be checked does not."""
    if provision.get("code") or provision.get("dataPeriod"):
        return False
    actors = provision.get("actor") or ()
    named = _names(actors) & asked.recipient.names
    return (bool(named) or (not actors and not asked.recipient.external)) and _may_cover(provision, asked)


def _may_cover(provision: JSON, asked: _Question) -> bool:
    recipient = asked.recipient
    actors, purposes = provision.get("actor") or (), {_code(one) for one in provision.get("purpose") or ()}
    uses = {_code(coding) for concept in provision.get("action") or () for coding in concept.get("coding") or ()}
    kinds = {_code(one) for one in provision.get("class") or ()}
    data = {(one.get("reference") or {}).get("reference") for one in provision.get("data") or ()}
    return (
        (not actors or bool(_names(actors) & recipient.names))
        and (not purposes or _PURPOSES[recipient.purpose] in purposes)
        and (not uses or bool(uses & _USES[recipient.external]))
        and (not kinds or asked.resource.get("resourceType") in kinds)
        and (not data or reference(asked.resource) in data)
    )


def _names(actors: Sequence[JSON]) -> frozenset[str]:
    found = set()
    for actor in actors:
        target = actor.get("reference") or {}
        found |= {target.get("reference"), target.get("display"), (target.get("identifier") or {}).get("value")}
    return frozenset(name for name in found if isinstance(name, str) and name)
