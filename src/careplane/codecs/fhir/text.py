"""One human line for a FHIR resource, as a clinician would say it and as a model reads it.

::

    2026-03-01 Observation: Hemoglobin A1c 8.2 % (ref 4-6)
    MedicationRequest: lisinopril 10 mg tablet, 1 daily (active)
    Condition: Type 2 diabetes (active since 2019)
"""

import re
from collections.abc import Callable
from html import unescape

from careplane.codecs.fhir import datatypes as dt
from careplane.codecs.fhir import text_admin
from careplane.codecs.fhir.elements import as_list, as_object, choice, date_of, first_object
from careplane.records import JSON

Line = Callable[[JSON], str]

_UNDATED = frozenset({"Condition", "AllergyIntolerance", "MedicationRequest", "MedicationStatement", "Patient"})


def text_of(resource: JSON, limit: int | None = 4000) -> str:
    """A short human line: ``date Type: what (how)``.

    Works for every resource type; one without a rule of its own is told by its code, title, narrative or id.

    Args:
        resource: the resource as parsed JSON.
        limit: longest answer in characters (a long note is cut with ``…``); ``None`` keeps all of it.
    """
    kind = dt.plain(resource.get("resourceType")) or "Resource"
    body = _LINES.get(kind, _any)(resource) or _any(resource)
    when = "" if kind in _UNDATED else dt.day(date_of(resource))
    line = f"{dt.joined((when, kind))}: {' '.join(body.split())}"
    return line if limit is None or len(line) <= limit else line[: limit - 1].rstrip() + "…"


def value_text(resource: JSON, name: str = "value") -> str:
    """A choice element (``value[x]``) as text, whatever type it came in."""
    typed = choice(resource, name)
    if typed is None:
        return ""
    kind, value = typed
    node = as_object(value)
    by_type: dict[str, Callable[[object], str]] = {
        "CodeableConcept": dt.concept,
        "Coding": dt.concept,
        "Range": dt.interval,
        "Period": dt.period,
        "Reference": dt.display,
        "HumanName": dt.human_name,
    }
    if kind in by_type:
        return by_type[kind](value)
    if kind == "Ratio":
        return dt.joined((dt.quantity(node.get("numerator")), dt.quantity(node.get("denominator"))), " / ")
    return dt.quantity(value) if node else dt.plain(value)


def _status(resource: JSON) -> str:
    return dt.plain(resource.get("status"))


def _any(resource: JSON) -> str:
    named = (
        dt.concept(resource.get(name))
        for name in ("code", "title", "name", "type", "category", "serviceType", "description", "class")
    )
    narrative = unescape(re.sub(r"<[^>]*>", " ", dt.plain(as_object(resource.get("text")).get("div"))))
    what = next((text for text in named if text), "") or value_text(resource, "medication") or narrative.strip()
    return dt.noted(what or dt.plain(resource.get("id")) or "no details given", _status(resource))


def _observation(resource: JSON) -> str:
    measured = [_measured(resource)]
    measured += [_measured(as_object(part)) for part in as_list(resource.get("component"))]
    notes = dt.joined((dt.plain(as_object(note).get("text")) for note in as_list(resource.get("note"))), "; ")
    status = _status(resource)
    return dt.joined(
        (dt.joined(measured, "; "), notes, "" if status in ("final", "") else f"[{status}]"),
    )


def _measured(part: JSON) -> str:
    value = value_text(part) or dt.concept(part.get("dataAbsentReason"))
    normal = dt.interval(part.get("referenceRange"))
    flag = dt.concept(part.get("interpretation"))
    what = dt.joined((dt.concept(part.get("code")), value))
    return dt.noted(what, f"ref {normal}" if normal else "", flag)


def _condition(resource: JSON) -> str:
    typed = choice(resource, "onset")
    since = (
        dt.day(date_of(resource)) if not typed or typed[0] in ("DateTime", "Period") else value_text(resource, "onset")
    )
    status = dt.concept(resource.get("clinicalStatus"))
    life = dt.joined((status, f"since {since}" if since else ""))
    ended = dt.day(resource.get("abatementDateTime"))
    doubt = dt.concept(resource.get("verificationStatus"))
    return dt.noted(
        dt.concept(resource.get("code")),
        life,
        f"ended {ended}" if ended else "",
        "" if doubt.lower() == "confirmed" else doubt,
        dt.concept(resource.get("severity")),
    )


def _medication(resource: JSON) -> str:
    what = _contained(resource) or value_text(resource, "medication")
    how = dt.dosage(resource.get("dosageInstruction") or resource.get("dosage"))
    ordered = dt.day(date_of(resource)) if resource.get("resourceType") in _UNDATED else ""
    return dt.noted(dt.joined((what, how), ", "), _status(resource), f"from {ordered}" if ordered else "")


def _contained(resource: JSON) -> str:
    target = dt.plain(as_object(resource.get("medicationReference")).get("reference"))
    inside = (as_object(item) for item in as_list(resource.get("contained")))
    return next((dt.concept(item.get("code")) for item in inside if f"#{item.get('id')}" == target), "")


def _allergy(resource: JSON) -> str:
    reactions = (dt.concepts(as_object(item).get("manifestation")) for item in as_list(resource.get("reaction")))
    manifested = dt.joined(reactions, ", ")
    what = dt.joined((dt.concept(resource.get("code")), manifested), ": ")
    risk = dt.plain(resource.get("criticality"))
    return dt.noted(what, dt.concept(resource.get("clinicalStatus")), f"{risk} criticality" if risk else "")


def _encounter(resource: JSON) -> str:
    what = dt.concept(resource.get("type")) or dt.concept(resource.get("serviceType"))
    reason = dt.concepts(resource.get("reasonCode"))
    place = dt.display(first_object(resource.get("location")).get("location"))
    stay = dt.period(resource.get("period"))
    told = dt.joined((what or dt.concept(resource.get("class")), reason), ": ")
    return dt.noted(told, dt.concept(resource.get("class")), _status(resource), place, stay if " to " in stay else "")


def _document(resource: JSON) -> str:
    attachments = [as_object(item).get("attachment") for item in as_list(resource.get("content"))]
    body = dt.attachment_text(attachments)
    title = dt.concept(resource.get("type")) or dt.plain(resource.get("description"))
    return dt.joined((dt.noted(title or "Document", _status(resource)), body), ": ")


def _communication(resource: JSON) -> str:
    said = [as_object(item) for item in as_list(resource.get("payload"))]
    body = dt.joined(
        dt.plain(item.get("contentString")) or dt.attachment_text(item.get("contentAttachment")) for item in said
    )
    topic = dt.concept(resource.get("topic")) or dt.concept(resource.get("category"))
    return dt.joined((topic, body), ": ")


def _appointment(resource: JSON) -> str:
    what = dt.concept(resource.get("serviceType")) or dt.concept(resource.get("appointmentType"))
    reason = dt.concepts(resource.get("reasonCode")) or dt.plain(resource.get("description"))
    time = dt.plain(resource.get("start"))[11:16]
    return dt.noted(dt.joined((what or "Appointment", reason), ": "), f"at {time}" if time else "", _status(resource))


def _report(resource: JSON) -> str:
    body = dt.plain(resource.get("conclusion")) or dt.attachment_text(resource.get("presentedForm"))
    results = dt.joined((dt.plain(as_object(item).get("display")) for item in as_list(resource.get("result"))), ", ")
    return dt.joined((dt.noted(dt.concept(resource.get("code")), _status(resource)), body or results), ": ")


def _procedure(resource: JSON) -> str:
    reason = dt.concepts(resource.get("reasonCode")) or dt.display(resource.get("reasonReference"))
    return dt.noted(dt.concept(resource.get("code")), _status(resource), f"for {reason}" if reason else "")


def _immunization(resource: JSON) -> str:
    return dt.noted(dt.concept(resource.get("vaccineCode")), _status(resource))


def _task(resource: JSON) -> str:
    what = dt.plain(resource.get("description")) or dt.concept(resource.get("code"))
    due = dt.day(as_object(as_object(resource.get("restriction")).get("period")).get("end"))
    return dt.noted(what, _status(resource), f"due {due}" if due else "", dt.display(resource.get("owner")))


def _location(resource: JSON) -> str:
    return dt.noted(dt.plain(resource.get("name")), dt.concept(resource.get("type")), _status(resource))


def _patient(resource: JSON) -> str:
    born, died = dt.day(resource.get("birthDate")), dt.plain(resource.get("deceasedDateTime"))
    spoken = (dt.concept(as_object(item).get("language")) for item in as_list(resource.get("communication")))
    languages = dt.joined(spoken, ", ")
    dead = f"died {died[:10]}" if died else ("deceased" if resource.get("deceasedBoolean") is True else "")
    facts = (
        dt.human_name(resource.get("name")),
        dt.plain(resource.get("gender")),
        f"born {born}" if born else "",
        dead,
        f"speaks {languages}" if languages else "",
        dt.address(resource.get("address")),
    )
    return dt.joined(facts, ", ")


def _person(resource: JSON) -> str:
    return dt.human_name(resource.get("name"))


_LINES: dict[str, Line] = {
    "AllergyIntolerance": _allergy,
    "Appointment": _appointment,
    "CarePlan": text_admin.care_plan,
    "Claim": text_admin.claim,
    "ClaimResponse": text_admin.claim_response,
    "Communication": _communication,
    "Condition": _condition,
    "Coverage": text_admin.coverage,
    "DiagnosticReport": _report,
    "DocumentReference": _document,
    "Encounter": _encounter,
    "Flag": text_admin.flag,
    "HealthcareService": text_admin.healthcare_service,
    "Immunization": _immunization,
    "Location": _location,
    "MedicationAdministration": _medication,
    "MedicationDispense": _medication,
    "MedicationRequest": _medication,
    "MedicationStatement": _medication,
    "Observation": _observation,
    "Patient": _patient,
    "Person": _person,
    "Practitioner": _person,
    "Procedure": _procedure,
    "RelatedPerson": _person,
    "ServiceRequest": text_admin.service_request,
    "Slot": text_admin.slot,
    "Task": _task,
}
