"""Hospital stays and emergency visits: past ones, and the patients who lie in the wards when the history ends."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from careplane.records import JSON
from careplane.sandbox.chart import condition, laboratory, measured, prescription, vitals
from careplane.sandbox.content import read
from careplane.sandbox.notes import document
from careplane.sandbox.people import Patient
from careplane.sandbox.resources import ACT, SNOMED, coding, concept, identifier, reference, resource, terminology
from careplane.sandbox.scenario import Scenario, instant
from careplane.sandbox.staffing import BEDS, Organisation, Unit, bed_of

OCCUPANCY = 0.72
"""Share of beds taken when the history ends."""


@dataclass(frozen=True, slots=True)
class Stay:
    """One inpatient encounter; ``end`` is ``None`` while the patient is in the bed."""

    ident: str
    patient: Patient
    ward: Unit
    bed: int
    diagnosis: str
    begin: datetime
    end: datetime | None
    attending: str

    @property
    def encounter(self) -> str:
        return f"Encounter/enc-{self.ident}"


def hospital(scenario: Scenario, organisation: Organisation, patients: Sequence[Patient]) -> Iterator[JSON]:
    """Everything that happened in the hospitals: stays with their records, and emergency visits."""
    for stay in stays(scenario, organisation, patients):
        yield from _stay(scenario, organisation, stay)
    for patient in patients:
        yield from _emergency(scenario, patient)


def stays(scenario: Scenario, organisation: Organisation, patients: Sequence[Patient]) -> Iterator[Stay]:
    """Each patient has at most one stay: the first ones drawn lie in the wards now, others went home before."""
    order = sorted(patients, key=lambda patient: scenario.draw("stay", patient.id).random())
    beds = [(ward, bed) for bed in range(1, BEDS + 1) for ward in organisation.wards]
    now = min(round(OCCUPANCY * len(beds)), len(order) // 12)
    past = round(len(order) * 0.12)
    for rank, patient in enumerate(order[: now + past]):
        draw = scenario.draw("stay", patient.id, "what")
        days = 1 + min(20.0, draw.expovariate(1 / 4))
        ward, bed = beds[rank % len(beds)]
        end: datetime | None = None
        begin = scenario.now - timedelta(days=days * draw.random() + 0.2)
        if rank >= now:
            history = (scenario.pilot_start - scenario.start).days
            begin = scenario.now - timedelta(days=22 + draw.random() * max(1, history - 22))
            end = _whole(begin + timedelta(days=days))
        doctors = [person.id for person in organisation.people(ward.id, "physician")]
        diagnosis = draw.choice(sorted(read("terms")["acute"]))
        ident = f"{patient.id.split('-')[1]}-s1"
        yield Stay(ident, patient, ward, bed, diagnosis, _whole(begin), end, draw.choice(doctors))


def _whole(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)


def _stay(scenario: Scenario, organisation: Organisation, stay: Stay) -> Iterator[JSON]:
    draw = scenario.draw("stay", stay.patient.id, "record")
    terms, patient = read("terms"), stay.patient
    yield _encounter(stay)
    term = terms["acute"][stay.diagnosis]
    yield condition(f"{stay.ident}-dx", patient, term, instant(stay.begin), stay.encounter, "encounter-diagnosis")
    yield from _measurements(scenario, draw, stay)
    drug = draw.choice(("furosemide", "apixaban", "omeprazole"))
    yield prescription(f"{stay.ident}-{drug}", patient, drug, instant(stay.begin), "inpatient", stay.encounter)
    if stay.diagnosis in terms["procedures"]:
        yield _procedure(stay, terms["procedures"][stay.diagnosis])
    yield from _notes(scenario, draw, stay, term["text"].lower())
    if stay.end is None:
        yield from _barriers(scenario, organisation, draw, stay)


def _encounter(stay: Stay) -> JSON:
    term = read("terms")["acute"][stay.diagnosis]
    period = {"start": instant(stay.begin), **({"end": instant(stay.end)} if stay.end else {})}
    state = "completed" if stay.end else "active"
    return resource(
        "Encounter", f"enc-{stay.ident}", status="finished" if stay.end else "in-progress",
        identifier=[identifier("visit", f"V-{stay.ident}", "VN")],
        subject=reference(stay.patient.id), period=period, reasonCode=[concept(SNOMED, term["snomed"], term["text"])],
        type=[concept(SNOMED, "32485007", "Hospital admission")],
        **{"class": coding(ACT, "IMP", "inpatient encounter")},
        participant=[{"type": [concept(terminology("v3-ParticipationType"), "ATND", "attender")],
                      "individual": reference(stay.attending)}],
        location=[
            {"location": reference(stay.ward.id, stay.ward.name), "status": state},
            {"location": reference(bed_of(stay.ward.id, stay.bed)), "status": state},
        ],
        serviceProvider=reference(stay.ward.site),
        hospitalization={"dischargeDisposition": {"text": "Home"}} if stay.end else None,
    )  # fmt: skip


def _measurements(scenario: Scenario, draw: Random, stay: Stay) -> Iterator[JSON]:
    """Vitals and two lab tests on the first day, and again on the latest day."""
    last = (stay.end or scenario.now) - timedelta(hours=6)
    for number, at in enumerate(sorted({stay.begin + timedelta(hours=1), max(last, stay.begin + timedelta(hours=2))})):
        ident = f"{stay.ident}-{number}"
        yield from vitals(draw, ident, stay.patient, at, stay.encounter)
        for key in ("creatinine", "hemoglobin"):
            yield laboratory(f"{ident}-{key}", stay.patient, measured(draw, key, at), stay.encounter)


def _procedure(stay: Stay, code: Sequence[str]) -> JSON:
    return resource(
        "Procedure", f"proc-{stay.ident}", status="completed", subject=reference(stay.patient.id),
        code=concept(SNOMED, code[0], code[1]), encounter=reference(stay.encounter),
        performedDateTime=instant(stay.begin + timedelta(hours=4)), location=reference(stay.ward.id, stay.ward.name),
    )  # fmt: skip


def _notes(scenario: Scenario, draw: Random, stay: Stay, problem: str) -> Iterator[JSON]:
    phrases, patient = read("phrases")["stay"], stay.patient
    first = draw.choice(phrases["admission"]).format(
        relative=patient.relative, family=patient.family, phone=patient.phone, clinic=patient.clinic.name
    )
    opening = f"{patient.name}, {patient.mrn}, admitted to {stay.ward.name} bed {stay.bed} with {problem}."
    kind = ("34117-2", "History and physical note")
    yield document(f"{stay.ident}-hp", patient, stay.encounter, stay.begin + timedelta(hours=2), kind, [opening, first])
    latest = (stay.end or scenario.now) - timedelta(hours=3)
    if latest > stay.begin + timedelta(hours=8):
        line = draw.choice(phrases["course"])
        kind = ("11506-3", "Progress note")
        yield document(f"{stay.ident}-pn", patient, stay.encounter, latest, kind, [f"{patient.name}: {problem}.", line])


def _barriers(scenario: Scenario, organisation: Organisation, draw: Random, stay: Stay) -> Iterator[JSON]:
    """Zero to two open tasks that keep the patient from going home; each has an owner of the ward."""
    owners = organisation.people(stay.ward.id, "charge_nurse", "nurse", "bed_manager", "pharmacist")
    for number, (text, team) in enumerate(draw.sample(read("terms")["barriers"], draw.choice((0, 1, 1, 2)))):
        opened = max(stay.begin, scenario.now - timedelta(hours=draw.randrange(4, 60)))
        yield resource(
            "Task", f"task-{stay.ident}-{number}", status="in-progress", intent="order", description=text,
            code={"text": "Discharge barrier"}, focus=reference(stay.encounter), encounter=reference(stay.encounter),
            **{"for": reference(stay.patient.id)}, authoredOn=instant(opened), owner=reference(draw.choice(owners).id),
            performerType=[{"text": team}], location=reference(stay.ward.id),
        )  # fmt: skip


def _emergency(scenario: Scenario, patient: Patient) -> Iterator[JSON]:
    """A visit to the emergency department for about one patient in five."""
    draw = scenario.draw("emergency", patient.id)
    if draw.random() > 0.2:
        return
    ident = f"{patient.id.split('-')[1]}-e1"
    hours = (scenario.pilot_start - scenario.start).days * 24
    begin = _whole(scenario.now - timedelta(hours=12 + draw.random() * (hours - 12)))
    yield resource(
        "Encounter", f"enc-{ident}", status="finished", subject=reference(patient.id),
        type=[concept(SNOMED, "50849002", "Emergency department patient visit")],
        **{"class": coding(ACT, "EMER", "emergency")}, serviceProvider=reference(patient.clinic.site),
        period={"start": instant(begin), "end": instant(begin + timedelta(hours=4))},
        reasonCode=[{"text": draw.choice(read("phrases")["emergency"])}],
    )  # fmt: skip
    yield from vitals(draw, ident, patient, begin, f"Encounter/enc-{ident}")
