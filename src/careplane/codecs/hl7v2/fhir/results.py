"""Results: OBR and OBX as DiagnosticReport and Observation."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from careplane.codecs.hl7v2.fhir.datatypes import (
    V2_TABLE,
    clean,
    coded,
    concept,
    date_time,
    each,
    entity,
    practitioner,
)
from careplane.codecs.hl7v2.fhir.site import Site, facility_of, resource_id, without_empty
from careplane.codecs.hl7v2.fhir.subjects import encounter_reference, patient_reference
from careplane.codecs.hl7v2.message import Message, Part, Segment
from careplane.records import JSON

_REPORT = {
    "F": "final",
    "C": "corrected",
    "P": "preliminary",
    "A": "partial",
    "R": "partial",
    "X": "cancelled",
    "O": "registered",
    "I": "registered",
    "S": "registered",
}
_OBSERVATION = {
    "F": "final",
    "U": "final",
    "C": "corrected",
    "A": "amended",
    "P": "preliminary",
    "S": "preliminary",
    "R": "registered",
    "I": "registered",
    "X": "cancelled",
    "W": "entered-in-error",
    "D": "entered-in-error",
}
_NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?")
_FILES = ("ED", "RP")


@dataclass(slots=True)
class Order:
    """One OBR with what belongs to it; ``order`` is the ORC before it."""

    request: Segment
    order: Segment | None = None
    results: list[tuple[Segment, list[str]]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def orders(message: Message) -> list[Order]:
    """The orders of a message, each with its observations and the notes after them."""
    found: list[Order] = []
    order: Segment | None = None
    for segment in message.segments:
        if segment.id == "ORC":
            order = segment
        elif segment.id == "OBR":
            found.append(Order(segment, order))
            order = None
        elif segment.id == "OBX" and found:
            found[-1].results.append((segment, []))
        elif segment.id == "NTE" and found:
            held = found[-1].results[-1][1] if found[-1].results else found[-1].notes
            held.append(text_of(segment, 3))
    return found


def text_of(segment: Segment, number: int) -> str:
    """All repetitions of a field of text, one below the other."""
    return "\n".join(clean(part.text(1)) for part in segment.repetitions(number))


def order_numbers(one: Order, message: Message, site: Site) -> list[JSON]:
    """Placer's and filler's number of an order."""
    facility, found = facility_of(message), []
    for number, kind in ((2, "PLAC"), (3, "FILL")):
        parts = [one.request.part(number), *([one.order.part(number)] if one.order else [])]
        made = each(parts, partial(entity, site=site, facility=facility, kind=kind))
        found += made[:1]
    return found


def report_id(one: Order, index: int, message: Message, site: Site) -> str:
    """The id of the report of an order: by the filler's number, else the placer's, else the message."""
    numbers = order_numbers(one, message, site)
    if numbers:
        return resource_id("DiagnosticReport", numbers[-1]["system"], numbers[-1]["value"], one.request.text(4))
    return resource_id("DiagnosticReport", message.sender, message.control, str(index))


def reports(message: Message, site: Site) -> list[JSON]:
    """A DiagnosticReport for each order with results, and its Observations before it."""
    found: list[JSON] = []
    for index, one in enumerate(orders(message)):
        if not one.results:
            continue
        ident = report_id(one, index, message, site)
        values = list(_observations(one, ident, message, site))
        found += [*values, _report(one, ident, values, message, site)]
    return found


def _report(one: Order, ident: str, values: Sequence[JSON], message: Message, site: Site) -> JSON:
    request, facility = one.request, facility_of(message)
    who = partial(practitioner, site=site, facility=facility)
    section = request.text(24)
    return without_empty(
        {
            "resourceType": "DiagnosticReport",
            "id": ident,
            "identifier": order_numbers(one, message, site),
            "status": _REPORT.get(request.text(25), "unknown"),
            "category": [{"coding": [coded(f"{V2_TABLE}0074", section)]}] if section else None,
            "code": concept(request.part(4)) or {"text": "Result"},
            **_about(message, site),
            "effectiveDateTime": date_time(request.text(7), site.zone),
            "issued": _instant(date_time(request.text(22), site.zone)),
            "resultsInterpreter": each([_principal(request)], who),
            "result": [{"reference": f"Observation/{value['id']}"} for value in values],
            "conclusion": "\n".join(one.notes),
            "presentedForm": [file for segment, _ in one.results for file in attachments(segment)],
        }
    )


def _principal(request: Segment) -> Part:
    """OBR-32 is a CNN inside an NDL: its subcomponents are the components of a name."""
    return request.part(32).whole(1)


def _instant(text: str | None) -> str | None:
    """``issued`` must be exact to the second, with an offset."""
    return text if text and "T" in text else None


def _about(message: Message, site: Site) -> JSON:
    subject, visit = patient_reference(message, site), encounter_reference(message, site)
    return {
        "subject": {"reference": subject} if subject else None,
        "encounter": {"reference": visit} if visit else None,
    }


def _observations(one: Order, report: str, message: Message, site: Site) -> Iterator[JSON]:
    for segment, notes in one.results:
        if segment.text(2) in _FILES:
            continue
        key = (segment.text(3) or segment.text(3, 2), segment.text(4), segment.text(1))
        flags = [part.text(1) for part in segment.repetitions(8) if part.text(1)]
        taken = date_time(segment.text(14), site.zone) or date_time(one.request.text(7), site.zone)
        yield without_empty(
            {
                "resourceType": "Observation",
                "id": resource_id("Observation", report, *key),
                "status": _OBSERVATION.get(segment.text(11), "unknown"),
                "code": concept(segment.part(3)) or {"text": "Observation"},
                **_about(message, site),
                "effectiveDateTime": taken,
                **observed(segment, site),
                "interpretation": [{"coding": [coded(_INTERPRETATION, flag)], "text": flag} for flag in flags],
                "note": [{"text": text} for text in notes if text],
                "method": concept(segment.part(17)),
                "referenceRange": [{"text": clean(segment.text(7))}] if segment.text(7) else None,
            }
        )


_INTERPRETATION = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"


def observed(segment: Segment, site: Site) -> JSON:
    """OBX-5 by its type (OBX-2) as ``value[x]``; what is not of its type is kept as text."""
    kind, part, text = segment.text(2), segment.part(5), text_of(segment, 5)
    if not text and not any(part.text(number) for number in range(1, 6)):
        return {}
    if kind == "NM" and _NUMBER.fullmatch(text):
        return {"valueQuantity": _quantity(text, segment)}
    if kind == "SN" and _NUMBER.fullmatch(part.text(2)):
        return _structured(part, segment)
    if kind in ("CE", "CWE", "CNE", "CF", "IS", "ID"):
        value = concept(part)
        return {"valueCodeableConcept": value} if value else {}
    if kind in ("DT", "TS", "DTM") and (when := date_time(text, site.zone)):
        return {"valueDateTime": when}
    shown = text or " ".join(clean(part.text(number)) for number in range(1, len(part.components) + 1)).strip()
    return {"valueString": shown}


def _quantity(text: str, segment: Segment) -> JSON:
    unit, system = clean(segment.text(6)), segment.text(6, 3).upper()
    code = {"system": "http://unitsofmeasure.org", "code": unit} if unit and system == "UCUM" else {}
    value = int(text) if "." not in text else float(text)
    return without_empty({"unit": clean(segment.text(6, 2)) or unit, **code}) | {"value": value}


def _structured(part: Part, segment: Segment) -> JSON:
    """SN: ``<^5``, ``^1^:^128``, ``^3^-^6``, ``^2^+``."""
    comparator, first, mark, second = (part.text(number) for number in (1, 2, 3, 4))
    low = _quantity(first, segment)
    if mark in ("-", ":", "/") and _NUMBER.fullmatch(second):
        high = _quantity(second, segment)
        if mark == "-":
            return {"valueRange": {"low": low, "high": high}}
        return {"valueRatio": {"numerator": low, "denominator": high}}
    if comparator in ("<", "<=", ">", ">="):
        return {"valueQuantity": {"comparator": comparator, **low}}
    if comparator in ("", "=") and not mark:
        return {"valueQuantity": low}
    return {"valueString": f"{comparator}{first}{mark}{second}"}


def attachments(segment: Segment) -> list[JSON]:
    """OBX-5 of type ED (encapsulated data) or RP (a pointer to it) as Attachments."""
    kind, found = segment.text(2), []
    for part in segment.repetitions(5):
        main, sub = part.text(2).lower(), part.text(3).lower()
        if kind == "RP" and part.text(1):
            found.append({"url": clean(part.text(1)), "title": clean(segment.text(3, 2))})
        elif kind == "ED" and part.text(4).lower() == "base64" and part.text(5):
            found.append({"contentType": _media(main, sub), "data": "".join(part.text(5).split())})
    return [without_empty(one) for one in found]


def _media(main: str, sub: str) -> str:
    """ED-2 and ED-3 (tables 0191 and 0291) as a media type."""
    if "/" in main:
        return main
    known = {"pdf": "application/pdf", "rtf": "application/rtf", "jpeg": "image/jpeg", "html": "text/html"}
    return known.get(sub) or known.get(main) or "application/octet-stream"
