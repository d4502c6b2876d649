"""What equity asks about patients beyond the register: interpreter, disability, payer class, rurality.

Each has draws of its own, so that nothing else of a data set depends on them; some patients were never asked.
"""

from datetime import date

from careplane.records import JSON
from careplane.sandbox.resources import LOINC, SNOMED, coding, concept, reference, resource
from careplane.sandbox.scenario import Scenario

_NEEDED = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-interpreter-needed"
_CATEGORY = "http://hl7.org/fhir/us/core/CodeSystem/us-core-category"
_YES, _NO = ("373066001", "Yes"), ("373067005", "No")

SOPT = "https://nahdo.org/sopt"
_CLASSES = {"Medicare": ("1", "MEDICARE"), "State Medicaid": ("2", "MEDICAID"), "Self-pay": ("81", "Self-pay")}
_PRIVATE = ("5", "PRIVATE HEALTH INSURANCE")

RUCA = {"00501": 1, "00502": 4, "00503": 7, "00504": 10}
"""Primary Rural-Urban Commuting Area code of the invented towns by postal code."""


def interpreter(scenario: Scenario, patient: str, language: str) -> list[JSON]:
    """US Core ``interpreter-needed`` of a patient: most who prefer another language than English need one."""
    draw = scenario.draw("interpreter", patient)
    if draw.random() < 0.06:
        return []
    needs = language != "en" and draw.random() < 0.85
    return [{"url": _NEEDED, "valueCoding": coding(SNOMED, *(_YES if needs else _NO))}]


def disability(scenario: Scenario, patient: str, born: date) -> list[JSON]:
    """The answer to one question of the American Community Survey (difficulty walking or climbing stairs)."""
    draw = scenario.draw("disability", patient)
    if draw.random() < 0.12:
        return []
    years = (scenario.start - born).days / 365.25
    yes = draw.random() < 0.04 + max(0.0, years - 45) * 0.006
    body = resource(
        "Observation", f"obs-{patient.split('-')[1]}-disability", status="final", subject=reference(patient),
        category=[concept(_CATEGORY, "disability-status", "Disability Status")],
        code=concept(LOINC, "69859-7", "Do you have serious difficulty walking or climbing stairs"),
        effectiveDateTime=scenario.start.isoformat(), valueCodeableConcept=concept(SNOMED, *(_YES if yes else _NO)),
    )  # fmt: skip
    return [body]


def payer_class(payer: str) -> JSON:
    """The type of a Coverage in the Source of Payment Typology, with the payer's name as its text."""
    code, display = _CLASSES.get(payer, _PRIVATE)
    return concept(SOPT, code, display, payer)
