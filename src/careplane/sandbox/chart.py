"""What the record of a patient holds: problems, drugs, allergies, vaccinations, visits with vitals, labs and a note."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any

from careplane.records import JSON
from careplane.sandbox.content import read
from careplane.sandbox.notes import visit_note
from careplane.sandbox.people import Patient
from careplane.sandbox.resources import (
    ACT,
    CVX,
    ICD10,
    LOINC,
    RXNORM,
    SNOMED,
    UCUM,
    coding,
    concept,
    quantity,
    reference,
    resource,
    terminology,
)
from careplane.sandbox.scenario import Scenario, instant, midnight
from careplane.sandbox.transcripts import SHARE, transcript

VISITS = 1.35
"""Clinic visits per patient over the default history, on average (more with more problems)."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A value of a lab test with its time, so that notes and messages can speak of it."""

    key: str
    value: float
    at: datetime


def chart(scenario: Scenario, patient: Patient) -> Iterator[JSON]:
    """The ambulatory record of one patient up to the pilot start."""
    yield from _background(scenario, patient)
    for number, at in enumerate(_visit_times(scenario, patient), start=1):
        yield from _visit(scenario, patient, number, at)
    yield from _appointment(scenario, patient)


def _ident(patient: Patient, *parts: str | int) -> str:
    return "-".join((patient.id.split("-")[1], *map(str, parts)))


def _background(scenario: Scenario, patient: Patient) -> Iterator[JSON]:
    terms, draw = read("terms"), scenario.draw("background", patient.id)
    for key in patient.conditions:
        term = terms["conditions"][key]
        onset = scenario.start - timedelta(days=draw.randrange(120, 4000))
        yield condition(_ident(patient, key.replace("_", "-")), patient, term, onset.isoformat())
        for drug in term["drugs"]:
            if draw.random() < 0.85:
                yield prescription(_ident(patient, drug), patient, drug, onset.isoformat(), "community")
    if draw.random() < 0.3:
        yield _allergy(patient, draw)
    for vaccine in draw.sample(terms["vaccines"], draw.choice((0, 1, 1, 2))):
        given = scenario.start - timedelta(days=draw.randrange(5, 900))
        yield resource(
            "Immunization", f"imm-{_ident(patient, vaccine[0])}", status="completed", patient=reference(patient.id),
            vaccineCode=concept(CVX, *vaccine), occurrenceDateTime=given.isoformat(), primarySource=True,
        )  # fmt: skip


def condition(
    ident: str,
    patient: Patient,
    term: Any,
    onset: str,
    encounter: str | None = None,
    category: str = "problem-list-item",
) -> JSON:
    """A confirmed, active Condition, coded in SNOMED CT and ICD-10-CM."""
    return resource(
        "Condition", f"cond-{ident}", subject=reference(patient.id),
        clinicalStatus=concept(terminology("condition-clinical"), "active", "Active"),
        verificationStatus=concept(terminology("condition-ver-status"), "confirmed", "Confirmed"),
        category=[concept(terminology("condition-category"), category)],
        code={
            "coding": [coding(SNOMED, term["snomed"], term["text"]), coding(ICD10, term["icd10"])], "text": term["text"]
        },
        encounter=reference(encounter) if encounter else None, onsetDateTime=onset, recordedDate=onset[:10],
    )  # fmt: skip


def prescription(ident: str, patient: Patient, drug: str, on: str, category: str, encounter: str | None = None) -> JSON:
    """An active MedicationRequest with its dosage in words."""
    term = read("terms")["drugs"][drug]
    return resource(
        "MedicationRequest", f"med-{ident}", status="active", intent="order", subject=reference(patient.id),
        category=[concept(terminology("medicationrequest-category"), category)],
        medicationCodeableConcept=concept(RXNORM, term["rxnorm"], term["text"]), authoredOn=on,
        requester=reference(patient.physician), encounter=reference(encounter) if encounter else None,
        dosageInstruction=[{"text": term["dose"]}],
    )  # fmt: skip


def _allergy(patient: Patient, draw: Random) -> JSON:
    code, name, reaction = draw.choice(read("terms")["allergens"])
    return resource(
        "AllergyIntolerance", f"alg-{_ident(patient)}", patient=reference(patient.id), code=concept(RXNORM, code, name),
        clinicalStatus=concept(terminology("allergyintolerance-clinical"), "active", "Active"),
        verificationStatus=concept(terminology("allergyintolerance-verification"), "confirmed", "Confirmed"),
        type="allergy", criticality=draw.choice(("low", "low", "high")),
        reaction=[{"manifestation": [{"text": reaction}]}],
    )  # fmt: skip


def _visit_times(scenario: Scenario, patient: Patient) -> list[datetime]:
    """Times of the clinic visits, in order: on weekdays from 08:00 to 16:40."""
    draw = scenario.draw("visits", patient.id)
    history = (scenario.pilot_start - scenario.start).days
    expected = VISITS * history / 96 * (0.6 + 0.25 * len(patient.conditions))
    count = min(6, int(expected) + (draw.random() < expected % 1))
    return sorted(office_time(scenario, draw, draw.randrange(history)) for _ in range(count))


def office_time(scenario: Scenario, draw: Random, day: int) -> datetime:
    """A time in clinic hours on a day counted from the start; Saturday and Sunday move to the Friday before."""
    moment = midnight(scenario.start) + timedelta(days=day)
    moment -= timedelta(days=max(0, moment.weekday() - 4))
    return moment + timedelta(hours=8, minutes=20 * draw.randrange(27))


def _visit(scenario: Scenario, patient: Patient, number: int, at: datetime) -> Iterator[JSON]:
    draw = scenario.draw("visit", patient.id, number)
    ident = _ident(patient, "v", number)
    encounter = f"Encounter/enc-{ident}"
    reason = draw.choice(patient.conditions) if patient.conditions else None
    yield _encounter(patient, ident, at, reason)
    taken = list(_labs(draw, patient, at))
    for result in taken:
        yield laboratory(f"{ident}-{result.key}", patient, result, encounter)
    if taken:
        yield _panel(patient, ident, encounter, at, taken)
    yield from vitals(draw, ident, patient, at, encounter)
    yield visit_note(draw, ident, patient, encounter, at, reason, [(r.key, r.value) for r in taken])
    spoken = scenario.draw("transcript", patient.id, number)
    if spoken.random() < SHARE:
        yield transcript(spoken, ident, patient, encounter, at, reason)


def _encounter(patient: Patient, ident: str, at: datetime, reason: str | None) -> JSON:
    term = read("terms")["conditions"].get(reason)
    return resource(
        "Encounter", f"enc-{ident}", status="finished", subject=reference(patient.id),
        type=[concept(SNOMED, "185349003", "Encounter for check up")], **{"class": coding(ACT, "AMB", "ambulatory")},
        participant=[{"individual": reference(patient.physician)}],
        period={"start": instant(at), "end": instant(at + timedelta(minutes=20))},
        reasonCode=[concept(SNOMED, term["snomed"], term["text"])] if term else None,
        location=[{"location": reference(patient.clinic.id, patient.clinic.name)}],
        serviceProvider=reference(patient.clinic.site),
    )  # fmt: skip


def _labs(draw: Random, patient: Patient, at: datetime) -> Iterator[Measured]:
    table = read("terms")
    wanted = {lab for key in patient.conditions for lab in table["conditions"][key]["labs"]}
    for key in table["labs"]:
        if key in wanted or (key == "glucose" and draw.random() < 0.2):
            yield measured(draw, key, at)


def measured(draw: Random, key: str, at: datetime) -> Measured:
    """A plausible value of a lab test, never at or below zero."""
    lab = read("terms")["labs"][key]
    value = max(lab["mean"] / 4, draw.gauss(lab["mean"], lab["sd"]))
    return Measured(key, round(value, lab["digits"]), at)


def laboratory(ident: str, patient: Patient, result: Measured, encounter: str) -> JSON:
    """A final laboratory Observation with reference range and, outside of it, its interpretation."""
    lab = read("terms")["labs"][result.key]
    flag = ("H", "High") if result.value > lab["high"] else ("L", "Low") if result.value < lab["low"] else None
    system = terminology("v3-ObservationInterpretation")
    return resource(
        "Observation", f"obs-{ident}", status="final", subject=reference(patient.id), encounter=reference(encounter),
        category=[concept(terminology("observation-category"), "laboratory", "Laboratory")],
        code=concept(LOINC, lab["loinc"], lab["text"]), effectiveDateTime=instant(result.at),
        valueQuantity=quantity(result.value, lab["unit"]), interpretation=[concept(system, *flag)] if flag else None,
        referenceRange=[{"low": quantity(lab["low"], lab["unit"]), "high": quantity(lab["high"], lab["unit"])}],
    )  # fmt: skip


def _panel(patient: Patient, ident: str, encounter: str, at: datetime, taken: list[Measured]) -> JSON:
    return resource(
        "DiagnosticReport", f"rep-{ident}", status="final", subject=reference(patient.id),
        encounter=reference(encounter),
        category=[concept(terminology("v2-0074"), "LAB", "Laboratory")],
        code=concept(LOINC, "11502-2", "Laboratory report"), effectiveDateTime=instant(at),
        issued=instant(at + timedelta(hours=5)), performer=[reference(patient.clinic.site)],
        result=[reference(f"Observation/obs-{ident}-{result.key}") for result in taken],
    )  # fmt: skip


def vitals(draw: Random, ident: str, patient: Patient, at: datetime, encounter: str) -> Iterator[JSON]:
    """Blood pressure, and one or two of weight, pulse, temperature and oxygen saturation."""
    common = {
        "status": "final",
        "subject": reference(patient.id),
        "encounter": reference(encounter),
        "category": [concept(terminology("observation-category"), "vital-signs", "Vital Signs")],
        "effectiveDateTime": instant(at + timedelta(minutes=4)),
    }
    raised = 12 if "hypertension" in patient.conditions else 0
    upper, lower = round(draw.gauss(122 + raised, 13)), round(draw.gauss(75 + raised / 2, 8))
    yield resource(
        "Observation", f"obs-{ident}-bp", code=concept(LOINC, "85354-9", "Blood pressure panel"),
        component=[
            {"code": concept(LOINC, "8480-6", "Systolic blood pressure"), "valueQuantity": _pressure(upper)},
            {"code": concept(LOINC, "8462-4", "Diastolic blood pressure"), "valueQuantity": _pressure(lower)},
        ],
        **common,
    )  # fmt: skip
    table = read("terms")["vitals"]
    for key in draw.sample(sorted(table), draw.choice((1, 2))):
        vital = table[key]
        value = round(min(vital.get("most", 400), draw.gauss(vital["mean"], vital["sd"])), vital["digits"])
        yield resource(
            "Observation", f"obs-{ident}-{key}", code=concept(LOINC, vital["loinc"], vital["text"]),
            valueQuantity=quantity(value, vital["unit"]), **common,
        )  # fmt: skip


def _pressure(value: int) -> JSON:
    return {"value": value, "unit": "mmHg", "system": UCUM, "code": "mm[Hg]"}


def _appointment(scenario: Scenario, patient: Patient) -> Iterator[JSON]:
    """At most one booked appointment ahead, in the pilot window."""
    draw = scenario.draw("appointment", patient.id)
    if draw.random() > 0.3:
        return
    ahead = 2 + draw.randrange(scenario.pilot_days - 2)
    begins = office_time(scenario, draw, scenario.days - scenario.pilot_days + ahead)
    created = scenario.now - timedelta(days=draw.randrange(1, 60))
    yield resource(
        "Appointment", f"apt-{_ident(patient)}", status="booked", start=instant(begins),
        end=instant(begins + timedelta(minutes=20)), minutesDuration=20,
        serviceType=[{"text": "Follow-up visit"}], created=instant(created),
        participant=[
            {"actor": reference(target), "status": "accepted"}
            for target in (patient.id, patient.physician, patient.clinic.id)
        ],
    )  # fmt: skip
