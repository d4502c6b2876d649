"""What the gateway benchmarks ask: a chat of 2,182 bytes about a made-up patient, and their FHIR Bundle."""

import json
from collections.abc import Mapping
from typing import Any

SIZE = 2182
CANARY = "CANARY-0000000000000000"
SYSTEM = "You draft replies to portal messages. A clinician reads and changes each before it is sent."
NOTE = (
    "Portal message from Marisol Quintero, born 1961-04-17, MRN 40021873, about her visit of 2026-03-02 with Dr. "
    "Anselm Whitcombe at Juniper Street Clinic. Her daughter Paloma Quintero (415-555-0142) drives her. She writes: "
    "since the metformin was raised to 1000 mg twice a day my stomach is upset in the mornings, my sugar at home is "
    "130 to 150, and I ran out of lisinopril on 2026-03-09. Please send refills to 2210 Alder Court, Fresno 93722 or "
    "call 559-555-0117. My member number is HX-7729104 and my e-mail is marisol.q@example.org. "
)
FILLER = "Blood pressure at home 128 over 76. No chest pain, no dizziness, walks twenty minutes each day. "


def chat(stream: bool = False, text: str | None = None) -> dict[str, Any]:
    """A chat of SIZE bytes as JSON; ``stream`` asks for events, ``text`` stands before the note."""
    body: dict[str, Any] = {"model": "mock", "messages": [{"role": "system", "content": SYSTEM}], "max_tokens": 500}
    if stream:
        body["stream"] = True
    user = {"role": "user", "content": (text or "") + NOTE}
    body["messages"].append(user)
    short = SIZE - len(json.dumps(body))
    user["content"] += (FILLER * (short // len(FILLER) + 1))[: max(0, short)]
    return body


def bundle(mrn: str = "40021873") -> dict[str, Any]:
    """The FHIR Bundle of that patient, with 30 identifiers: names, dates, numbers, places, telecoms of four people."""
    patient = {
        "resourceType": "Patient",
        "id": "pat-40021873",
        "identifier": [
            {"type": {"coding": [{"code": "MR"}]}, "system": "urn:oid:1.2.36.146.595.217.0.1", "value": mrn},
            {"type": {"coding": [{"code": "SS"}]}, "system": "http://hl7.org/fhir/sid/us-ssn", "value": "900-12-3456"},
            {"type": {"coding": [{"code": "MB"}]}, "system": "urn:plan", "value": "HX-7729104"},
            {"type": {"coding": [{"code": "DL"}]}, "system": "urn:dl", "value": "D8842017"},
        ],
        "name": [{"family": "Quintero", "given": ["Marisol", "Inés"]}, {"use": "maiden", "family": "Abascal"}],
        "birthDate": "1961-04-17",
        "telecom": [
            {"system": "phone", "value": "559-555-0117"},
            {"system": "phone", "value": "559-555-0188"},
            {"system": "email", "value": "marisol.q@example.org"},
        ],
        "address": [{"line": ["2210 Alder Court"], "city": "Fresno", "state": "CA", "postalCode": "93722"}],
    }
    related = {
        "resourceType": "RelatedPerson",
        "id": "rel-1",
        "name": [{"family": "Quintero", "given": ["Paloma"]}],
        "telecom": [{"system": "phone", "value": "415-555-0142"}],
        "birthDate": "1988-11-30",
        "address": [{"line": ["77 Bluff Road"], "city": "Daly City", "postalCode": "94015"}],
    }
    doctor = {
        "resourceType": "Practitioner",
        "id": "prac-1",
        "identifier": [{"system": "http://hl7.org/fhir/sid/us-npi", "value": "1043298765"}],
        "name": [{"family": "Whitcombe", "given": ["Anselm"]}],
        "telecom": [{"system": "phone", "value": "559-555-0100"}],
    }
    visit = {
        "resourceType": "Encounter",
        "id": "enc-1",
        "status": "finished",
        "class": {"code": "AMB"},
        "identifier": [{"system": "urn:visit", "value": "V-20260302-118"}],
        "period": {"start": "2026-03-02T09:20:00Z", "end": "2026-03-02T09:45:00Z"},
        "location": [{"location": {"display": "Juniper Street Clinic"}}],
    }
    device = {"resourceType": "Device", "id": "dev-1", "serialNumber": "GLM-5521-88213"}
    entries = [{"resource": resource} for resource in (patient, related, doctor, visit, device)]
    return {"resourceType": "Bundle", "type": "collection", "entry": entries}


def with_context(body: Mapping[str, Any], mrn: str = "40021873") -> dict[str, Any]:
    """The same chat with the patient's Bundle, as Careplane's callers send it."""
    return {**body, "careplane": {"context": bundle(mrn)}}
