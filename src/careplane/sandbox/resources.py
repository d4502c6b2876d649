"""Small builders of FHIR R4 JSON. Every resource carries HL7's code for test data (HTEST), so it is never mistaken."""

from typing import Any

from careplane.records import JSON

TEST_DATA = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ActReason",
    "code": "HTEST",
    "display": "test health data",
}
SNOMED = "http://snomed.info/sct"
LOINC = "http://loinc.org"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
ICD10 = "http://hl7.org/fhir/sid/icd-10-cm"
CVX = "http://hl7.org/fhir/sid/cvx"
UCUM = "http://unitsofmeasure.org"
ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
IDENTIFIERS = "https://sandbox.example/identifiers/"
"""Identifier systems of the synthetic health system (a reserved domain)."""


def resource(kind: str, ident: str, **elements: Any) -> JSON:
    """A resource of type ``kind``, labelled synthetic; elements that are ``None`` or empty are left out."""
    body: JSON = {"resourceType": kind, "id": ident, "meta": {"tag": [TEST_DATA]}}
    body.update((name, value) for name, value in elements.items() if value not in (None, [], ""))
    return body


def terminology(name: str) -> str:
    """The URL of a code system of HL7 terminology."""
    return f"http://terminology.hl7.org/CodeSystem/{name}"


def coding(system: str, code: str, display: str = "") -> JSON:
    """A Coding."""
    return {"system": system, "code": code, **({"display": display} if display else {})}


def concept(system: str, code: str, display: str = "", text: str = "") -> JSON:
    """A CodeableConcept with one coding."""
    return {"coding": [coding(system, code, display)], "text": text or display or code}


def reference(target: str, display: str = "") -> JSON:
    """A literal reference, ``Type/id``."""
    return {"reference": target, **({"display": display} if display else {})}


def quantity(value: float, unit: str) -> JSON:
    """A Quantity in UCUM."""
    return {"value": value, "unit": unit, "system": UCUM, "code": unit}


def identifier(system: str, value: str, kind: str = "") -> JSON:
    """An Identifier of the synthetic health system; ``kind`` is a code of HL7 v2 table 0203 (MR, NPI, MB)."""
    typed = {"type": concept(terminology("v2-0203"), kind)} if kind else {}
    return {**typed, "system": IDENTIFIERS + system, "value": value}
