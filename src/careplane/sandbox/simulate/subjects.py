"""Whom and what a trigger is fired about: synthetic patients that have what the app reads.

The app's own context rules say what is needed: a focus of some type, a patient, an encounter, a unit. Among the
resources of the sandbox the one is taken that fits the trigger best (an order in draft for ``order-sign``, an answer
that says "denied" for ``claim.denied``).
"""

import json
import re
from collections.abc import Sequence

from careplane.codecs.fhir import patient_of, reference, references
from careplane.codecs.fhir.elements import as_list, as_object
from careplane.connectors import FhirReader
from careplane.records import JSON, Record
from careplane.records.app import App, Trigger

_BY_ID = "_id={focus}"
_LOOKED_AT = 400


class Subject(Record, frozen=True):
    """What an event is about, as references."""

    patient: str | None = None
    encounter: str | None = None
    focus: str | None = None
    unit: str | None = None
    resource: JSON | None = None


async def find_subject(fhir: FhirReader, app: App, trigger: Trigger) -> Subject | None:
    """The best subject in the EHR for an app and its trigger; ``None`` if nothing there fits."""
    needs = " ".join(rule.search for rule in app.spec.context)
    kind = _focus_type(app)
    if kind is not None:
        return await _about(fhir, kind, trigger)
    if "{patient}" not in needs and "{unit}" in needs:
        return await _unit(fhir, app)
    if "{encounter}" in needs or "encounter" in trigger.on or trigger.kind == "hl7v2":
        return await _stay(fhir)
    return await _visit(fhir)


def _focus_type(app: App) -> str | None:
    """The type of resource that the app's event is about."""
    for rule in app.spec.context:
        if _BY_ID in rule.search:
            return rule.resource
        if "schedule={focus}" in rule.search:
            return "Schedule"
    return None


async def _about(fhir: FhirReader, kind: str, trigger: Trigger) -> Subject | None:
    found = await fhir.search(kind, {}, _LOOKED_AT)
    words = [word for word in re.split(r"[.^_-]", trigger.on.lower()) if len(word) > 3]
    best = max(found, key=lambda resource: _fit(resource, words), default=None)
    if best is None:
        return None
    encounter = _encounter_of(best)
    return Subject(
        patient=patient_of(best),
        encounter=encounter,
        focus=reference(best),
        unit=_place(best) or await _place_of(fhir, encounter),
        resource=best,
    )


def _fit(resource: JSON, words: Sequence[str]) -> int:
    """How well a resource fits what happened: the words of the trigger in it, something still to be decided, a patient
    whose message it is."""
    text = json.dumps(resource).lower()
    own = resource.get("resourceType") == "Communication" and "inResponseTo" not in resource
    exact = sum(isinstance(value, str) and value.lower() in words for value in resource.values())
    return 2 * sum(word in text for word in words) + exact + (resource.get("status") == "draft") + own


async def _stay(fhir: FhirReader) -> Subject | None:
    stays = await fhir.search("Encounter", {"class": "IMP", "status": "in-progress"}, 1)
    return _of_encounter(stays[0]) if stays else None


async def _visit(fhir: FhirReader) -> Subject | None:
    booked = await fhir.search("Appointment", {"status": "booked"}, 1)
    if not booked:
        return None
    actors = [
        str(as_object(as_object(part).get("actor")).get("reference")) for part in as_list(booked[0]["participant"])
    ]
    place = next((actor for actor in actors if actor.startswith("Location/")), None)
    patient = next((actor for actor in actors if actor.startswith("Patient/")), None)
    return Subject(patient=patient, focus=reference(booked[0]), unit=place, resource=booked[0])


async def _unit(fhir: FhirReader, app: App) -> Subject | None:
    """The ward of which the app's rules read most."""
    stays = await fhir.search("Encounter", {"class": "IMP"}, _LOOKED_AT)
    places = sorted({place for stay in stays if (place := _place(stay))})
    counts = {place: await _read(fhir, app, place) for place in places}
    best = max(places, key=lambda place: counts[place], default=None)
    return Subject(unit=best) if best else None


async def _read(fhir: FhirReader, app: App, place: str) -> tuple[int, int]:
    """How many rules find something in a unit, and how much in all."""
    ident = place.rpartition("/")[2]
    sizes = []
    for rule in app.spec.context:
        pairs = [part.partition("=") for part in rule.search.replace("{unit}", ident).split("&")]
        sizes.append(len(await fhir.search(rule.resource, {name: value for name, _, value in pairs}, 20)))
    return sum(size > 0 for size in sizes), sum(sizes)


def _of_encounter(encounter: JSON) -> Subject:
    return Subject(
        patient=patient_of(encounter),
        encounter=reference(encounter),
        focus=reference(encounter),
        unit=_place(encounter),
        resource=encounter,
    )


def _encounter_of(resource: JSON) -> str | None:
    return next((target for target in references(resource) if target.startswith("Encounter/")), None)


async def _place_of(fhir: FhirReader, encounter: str | None) -> str | None:
    found = await fhir.read(encounter) if encounter else None
    return _place(found) if found else None


def _place(resource: JSON) -> str | None:
    """The clinic or ward that a resource names (not a bed)."""
    places = [target for target in references(resource) if target.startswith(("Location/ward", "Location/clinic"))]
    return places[0] if places else None
