"""The minimum context of a run: only the resources and fields that the manifest declares.

A rule whose search needs something that the event does not have (an encounter, a unit) reads nothing. A resource of
another patient than the event's is left out, and so is one with a label of restricted or sensitive content, unless an
active Consent of the patient permits it (:mod:`careplane.governance.labels`).

An event without a patient is about a unit, and its resources are of many patients on purpose, so there is no owner to
compare with. What limits them is the search alone: ``app check`` demands a placeholder in each, a placeholder that the
event cannot fill reads nothing, and a connector answers only if every parameter was heeded (see ``FhirReader.search``).
A resource does not always say its unit (a Task names an encounter), so a second comparison here would be a guess.
"""

import asyncio
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import parse_qsl

from careplane.apps.template import rule_name
from careplane.codecs.fhir import date_of, patient_of, reference, select_fields, text_of
from careplane.codecs.fhir.elements import as_list, as_object
from careplane.connectors import FhirReader
from careplane.errors import InputError, NotFound, UpstreamError
from careplane.governance.labels import RECIPIENTS, Recipient, labels, refusal
from careplane.records import JSON
from careplane.records.app import App, ContextRule
from careplane.records.run import Event, Seen, Source
from careplane.workflow.chart import seen_of

MESSAGE = "message"
"""The ``as_name`` of the rule that reads the untrusted message; it is quoted apart and is no source to cite."""

DEFAULT_LANGUAGE = "en"

_PLACEHOLDER = re.compile(r"\{(patient|encounter|unit|focus)\}")
_SOURCE_CHARACTERS = 2000


@dataclass(frozen=True, slots=True)
class Context:
    """What was read: numbered sources, also by the name of their rule, the message, and the chart for the shield."""

    sources: tuple[Source, ...] = ()
    by_name: dict[str, tuple[Source, ...]] = field(default_factory=dict)
    message: str = ""
    language: str = DEFAULT_LANGUAGE
    chart: tuple[JSON, ...] = ()
    withheld: int = 0
    seen: tuple[Seen, ...] = ()


async def read_context(fhir: FhirReader, app: App, event: Event, *, at: datetime, external: bool = True) -> Context:
    """Read what the app declares, for the patient, encounter, unit and focus of the event.

    ``at`` is the time by which consents hold, ``external`` whether the model runs outside the institution.
    """
    rules = app.spec.context
    found = await asyncio.gather(*(_read_rule(fhir, rule, event) for rule in rules))
    own = [[resource for resource in part if _is_own(resource, event)] for part in found]
    consents = await _consents(fhir, (resource for part in own for resource in part))
    recipient = Recipient(external, frozenset(RECIPIENTS[external]), app.spec.data_policy.purpose)
    kept = [[one for one in part if refusal(one, consents, recipient, at) is None] for part in own]
    sources: list[Source] = []
    by_name: dict[str, tuple[Source, ...]] = {}
    message, language = "", DEFAULT_LANGUAGE
    for rule, resources in zip(rules, kept, strict=True):
        chosen = [select_fields(resource, rule.fields) for resource in resources]
        if rule.as_name == MESSAGE:
            message = "\n".join(_message(resource) for resource in chosen)
            continue
        language = next(filter(None, map(_language, chosen)), language)
        fresh = tuple(_source(len(sources) + index, resource) for index, resource in enumerate(chosen, start=1))
        sources.extend(fresh)
        by_name[rule_name(rule.resource, rule.as_name)] = fresh
    return Context(
        sources=tuple(sources),
        by_name=by_name,
        message=message,
        language=language,
        seen=await _seen(fhir, event, zip(rules, kept, strict=True)),
        chart=await _chart(fhir, event, [resource for part in kept for resource in part]),
        withheld=sum(map(len, found)) - sum(map(len, kept)),
    )


async def _read_rule(fhir: FhirReader, rule: ContextRule, event: Event) -> Sequence[JSON]:
    given = {
        "patient": _id(event.patient),
        "encounter": _id(event.encounter),
        "unit": _id(event.unit),
        "focus": _id(event.focus),
    }
    if any(given[name] is None for name in _PLACEHOLDER.findall(rule.search)):
        return ()
    query = {
        name: _PLACEHOLDER.sub(lambda match: given[match[1]] or "", value) for name, value in parse_qsl(rule.search)
    }
    return await fhir.search(rule.resource, query, rule.limit)


def _id(value: str | None) -> str | None:
    return None if value is None else value.rpartition("/")[2]


def _is_own(resource: JSON, event: Event) -> bool:
    owner = patient_of(resource)
    return event.patient is None or owner is None or owner == event.patient


async def _consents(fhir: FhirReader, resources: Iterable[JSON]) -> Sequence[JSON]:
    """The consents of the patients of labelled resources; none are read when nothing is labelled. An EHR that does not
    answer gives none, and then the labelled resources are left out."""
    patients = sorted({patient_of(resource) or "" for resource in resources if labels(resource)} - {""})
    try:
        found = await asyncio.gather(*(fhir.search("Consent", {"patient": patient}) for patient in patients))
    except (InputError, NotFound, UpstreamError):
        return ()
    return [consent for part in found for consent in part]


def _language(resource: JSON) -> str | None:
    """The two letters of a Patient's (preferred) language, where the app may read it."""
    spoken = as_list(resource.get("communication")) if resource["resourceType"] == "Patient" else []
    for one in sorted(map(as_object, spoken), key=lambda item: not item.get("preferred", False)):
        for coding in as_list(as_object(one.get("language")).get("coding")):
            return str(as_object(coding).get("code", ""))[:2].lower() or None
    return None


def _message(resource: JSON) -> str:
    parts = [as_object(part).get("contentString") for part in as_list(resource.get("payload"))]
    texts = [part for part in parts if isinstance(part, str)]
    return "\n".join(texts) if texts else text_of(resource)


def _source(n: int, resource: JSON) -> Source:
    return Source(
        n=n,
        reference=reference(resource),
        label=resource["resourceType"],
        text=text_of(resource, _SOURCE_CHARACTERS),
        date=date_of(resource),
    )


async def _seen(fhir: FhirReader, event: Event, parts: Iterable[tuple[ContextRule, list[JSON]]]) -> tuple[Seen, ...]:
    """What the draft will rest on, with its versions; the focus too, though no rule may read it."""
    seen = {reference(one): seen_of(one, rule.fields) for rule, resources in parts for one in resources}
    if event.focus is not None and event.focus not in seen:
        focus = await fhir.read(event.focus)
        if focus is not None:
            seen[event.focus] = seen_of(focus, ())
    return tuple(seen.values())


async def _chart(fhir: FhirReader, event: Event, resources: Iterable[JSON]) -> tuple[JSON, ...]:
    """The resources that say whose identifiers to look for: every patient in sight, and who will review."""
    people = {event.patient, event.user, *(patient_of(resource) for resource in resources)}
    read = await asyncio.gather(*(fhir.read(person) for person in sorted(filter(None, people))))
    return tuple(resource for resource in read if resource is not None)
