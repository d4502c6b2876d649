"""FHIR data types as short text: concepts, quantities, names, periods, dosages, attachments."""

import base64
import binascii
from collections.abc import Iterable

from careplane.codecs.fhir.elements import as_list, as_object, first_object
from careplane.records import JSON


def plain(value: object) -> str:
    """A primitive as text; objects and lists are empty."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (str, int, float)):
        return " ".join(str(value).split())
    return ""


def joined(parts: Iterable[str], separator: str = " ") -> str:
    """The parts that are not empty, joined."""
    return separator.join(part for part in parts if part)


def noted(what: str, *notes: str) -> str:
    """``what (note, note)``; the notes that are not empty."""
    inside = joined(notes, ", ")
    return f"{what} ({inside})" if what and inside else what


def day(value: object) -> str:
    """The calendar day of a date, dateTime or instant, as far as it is given."""
    return plain(value)[:10]


def concept(value: object) -> str:
    """A CodeableConcept, Coding or code (or the first of several): its text, else a display, else a code."""
    if isinstance(value, str):
        return plain(value)
    node = first_object(value)
    codings = [as_object(item) for item in as_list(node.get("coding"))] or [node]
    if plain(node.get("text")):
        return plain(node.get("text"))
    for key in ("display", "code"):
        for coding in codings:
            if plain(coding.get(key)):
                return plain(coding.get(key))
    return ""


def concepts(value: object) -> str:
    """Several concepts, separated by commas."""
    return joined((concept(item) for item in as_list(value)), ", ")


def quantity(value: object) -> str:
    """A Quantity: comparator, value and unit."""
    node = as_object(value)
    number = joined((plain(node.get("comparator")), plain(node.get("value"))), "")
    return joined((number, plain(node.get("unit")) or plain(node.get("code"))))


def interval(value: object) -> str:
    """A Range or an Observation.referenceRange: ``4-6``, ``>= 4``, ``<= 6`` or its text."""
    node = first_object(value)
    low, high = as_object(node.get("low")), as_object(node.get("high"))
    bounds = plain(low.get("value")), plain(high.get("value"))
    if all(bounds):
        return "-".join(bounds)
    if bounds[0]:
        return f">= {bounds[0]}"
    return f"<= {bounds[1]}" if bounds[1] else plain(node.get("text"))


def human_name(value: object) -> str:
    """A HumanName (or the first of several): its text, else given and family."""
    node = first_object(value)
    given = joined(plain(item) for item in as_list(node.get("given")))
    return plain(node.get("text")) or joined((given, plain(node.get("family"))))


def address(value: object) -> str:
    """An Address (or the first of several): its text, else line, city, state and postal code."""
    node = first_object(value)
    lines = [plain(line) for line in as_list(node.get("line"))]
    city = joined((plain(node.get("state")), plain(node.get("postalCode"))))
    return plain(node.get("text")) or joined((*lines, plain(node.get("city")), city), ", ")


def display(value: object) -> str:
    """A Reference (or the first of several) by its display, else its literal reference."""
    node = first_object(value)
    return plain(node.get("display")) or plain(node.get("reference"))


def period(value: object) -> str:
    """A Period: ``2026-03-01 to 2026-03-04``; the day alone when it began and ended on it."""
    node = as_object(value)
    start, end = day(node.get("start")), day(node.get("end"))
    if start and end and start != end:
        return f"{start} to {end}"
    return start or (f"until {end}" if end else "")


def dosage(value: object) -> str:
    """A Dosage (or the first of several): its text, else dose and timing."""
    node = first_object(value)
    dose = first_object(node.get("doseAndRate"))
    timing = as_object(node.get("timing"))
    repeat = as_object(timing.get("repeat"))
    often = concept(timing.get("code")) or _frequency(repeat)
    amount = quantity(dose.get("doseQuantity")) or interval(dose.get("doseRange"))
    needed = "as needed" if node.get("asNeededBoolean") is True else ""
    return plain(node.get("text")) or joined((amount, often, concept(node.get("route")), needed))


def _frequency(repeat: JSON) -> str:
    times, every, unit = (plain(repeat.get(name)) for name in ("frequency", "period", "periodUnit"))
    return f"{times} time(s) per {every} {unit}" if times and every and unit else ""


def attachment_text(value: object) -> str:
    """The text inside an Attachment (or the first of several that hold text), decoded from base64; else its title."""
    nodes = [as_object(item) for item in as_list(value)]
    for node in nodes:
        kind, data = plain(node.get("contentType")).lower(), node.get("data")
        if isinstance(data, str) and (kind.startswith("text/") or not kind):
            try:
                return base64.b64decode(data, validate=False).decode("utf-8", errors="replace").strip()
            except (binascii.Error, ValueError):
                continue
    return joined((plain(node.get("title")) or plain(node.get("url")) for node in nodes), ", ")
