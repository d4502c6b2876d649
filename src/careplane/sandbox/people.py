"""The patients: who they are, who looks after them, who pays. Every name, address and number is invented."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random
from typing import Any

from careplane.records import JSON
from careplane.sandbox.content import read
from careplane.sandbox.equity import disability, interpreter, payer_class
from careplane.sandbox.resources import coding, concept, identifier, reference, resource, terminology
from careplane.sandbox.scenario import Scenario
from careplane.sandbox.staffing import Organisation, Unit

US_CORE = "http://hl7.org/fhir/us/core/StructureDefinition/"
OMB = "urn:oid:2.16.840.1.113883.6.238"
MESSAGE_JOBS = ("physician", "nurse")


@dataclass(frozen=True, slots=True)
class Patient:
    """One patient with all that the rest of the sandbox needs to know.

    ``clinician`` answers the portal messages; ``conditions`` are keys of ``content/terms.yaml``.
    """

    id: str
    given: str
    family: str
    gender: str
    born: date
    language: str
    race: tuple[str, str]
    hispanic: bool
    payer: str
    clinic: Unit
    physician: str
    clinician: str
    phone: str
    relative: str
    conditions: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"{self.given} {self.family}"

    @property
    def payer_id(self) -> str:
        """The payer's Organization; there is none for who pays alone."""
        return f"Organization/{_payer_id(self.payer)}"

    @property
    def mrn(self) -> str:
        return f"MRN-{int(self.id.split('-')[1]):07d}"


def people(scenario: Scenario, organisation: Organisation) -> tuple[Patient, ...]:
    """All patients, spread over the clinics by the clinics' weights."""
    return tuple(_patient(scenario, organisation, n) for n in range(1, scenario.patients + 1))


def _patient(scenario: Scenario, organisation: Organisation, n: int) -> Patient:
    names, terms, draw = read("names"), read("terms"), scenario.draw("patient", n)
    gender = "female" if draw.random() < 0.54 else "male"
    language = _pick(draw, names["languages"])[0]
    hispanic = draw.random() < (0.95 if language == "es" else 0.06)
    age = min(94, max(18, round(draw.gauss(54, 18))))
    clinic = draw.choices(organisation.clinics, [clinic.weight for clinic in organisation.clinics])[0]
    physicians = organisation.people(clinic.id, "physician")
    physician = draw.choice(physicians).id
    answers = physician if draw.random() < 0.6 else draw.choice(organisation.people(clinic.id, "nurse")).id
    scale = 0.5 + age / 100
    return Patient(
        id=f"Patient/pt-{n:05d}",
        given=draw.choice(names[gender]),
        family=draw.choice(names["family"]),
        gender=gender,
        born=scenario.start - timedelta(days=round(age * 365.25) + draw.randrange(365)),
        language=language,
        race=_race(draw, language),
        hispanic=hispanic,
        payer="Medicare" if age >= 66 else _pick(draw, names["payers"][1:])[0],
        clinic=clinic,
        physician=physician,
        clinician=answers,
        phone=f"({draw.randrange(200, 990)}) 555-01{draw.randrange(100):02d}",
        relative=draw.choice(names["female"] + names["male"]),
        conditions=tuple(key for key, term in terms["conditions"].items() if draw.random() < term["share"] * scale),
    )


def _race(draw: Random, language: str) -> tuple[str, str]:
    races = read("names")["races"]
    code, name, _ = races[2] if language in ("vi", "zh") else races[1] if language == "so" else _pick(draw, races)
    return code, name


def _pick(draw: Random, rows: Sequence[Sequence[Any]]) -> Sequence[Any]:
    """One row, weighted by its last value."""
    return draw.choices(rows, [row[-1] for row in rows])[0]


def people_resources(scenario: Scenario, patients: Sequence[Patient]) -> Iterator[JSON]:
    """Patient with Coverage and disability answer, and the payers' Organization."""
    payers = [row[0] for row in read("names")["payers"]]
    for payer in payers[:-1]:
        yield resource(
            "Organization", _payer_id(payer), active=True, name=payer,
            type=[concept(terminology("organization-type"), "pay", "Payer")],
        )  # fmt: skip
    for patient in patients:
        yield _resource(scenario, patient)
        yield _coverage(scenario, patient)
        yield from disability(scenario, patient.id, patient.born)


def _payer_id(payer: str) -> str:
    return "payer-" + payer.lower().replace(" ", "-")


def _resource(scenario: Scenario, patient: Patient) -> JSON:
    draw = scenario.draw("address", patient.id)
    names = read("names")
    city, postal = draw.choice(names["cities"])
    code, display = draw.choice(names["relationships"])
    number = patient.id.split("-")[1]
    return resource(
        "Patient", patient.id.split("/")[1], active=True, gender=patient.gender, birthDate=patient.born.isoformat(),
        extension=[
            _omb("us-core-race", *patient.race),
            _omb("us-core-ethnicity", *_ethnicity(patient)),
            *interpreter(scenario, patient.id, patient.language),
        ],
        identifier=[identifier("mrn", patient.mrn, "MR")],
        name=[{"use": "official", "family": patient.family, "given": [patient.given]}],
        telecom=[
            {"system": "phone", "value": patient.phone, "use": "mobile"},
            {"system": "email", "value": f"{patient.given}.{patient.family}.{number}@mail.example".lower()},
        ],
        address=[{
            "line": [f"{draw.randrange(1, 2400)} {draw.choice(names['streets'])}"], "city": city,
            "state": names["state"], "postalCode": postal, "country": "US",
        }],
        contact=[{
            "relationship": [concept(terminology("v2-0131"), code, display)],
            "name": {"family": patient.family, "given": [patient.relative]},
            "telecom": [{"system": "phone", "value": f"({draw.randrange(200, 990)}) 555-01{draw.randrange(100):02d}"}],
        }],
        communication=[{"language": _language(patient.language), "preferred": True}],
        generalPractitioner=[reference(patient.physician)],
        managingOrganization=reference(patient.clinic.site),
    )  # fmt: skip


def _language(code: str) -> JSON:
    name = next(row[1] for row in read("names")["languages"] if row[0] == code)
    return concept("urn:ietf:bcp:47", code, name)


def _ethnicity(patient: Patient) -> tuple[str, str]:
    return ("2135-2", "Hispanic or Latino") if patient.hispanic else ("2186-5", "Not Hispanic or Latino")


def _omb(name: str, code: str, display: str) -> JSON:
    """US Core race or ethnicity: the OMB category and its text."""
    return {
        "url": US_CORE + name,
        "extension": [
            {"url": "ombCategory", "valueCoding": coding(OMB, code, display)},
            {"url": "text", "valueString": display},
        ],
    }


def _coverage(scenario: Scenario, patient: Patient) -> JSON:
    self_pay = patient.payer == "Self-pay"
    payor = reference(patient.id) if self_pay else reference(f"Organization/{_payer_id(patient.payer)}", patient.payer)
    number = patient.id.split("-")[1]
    return resource(
        "Coverage", f"cov-{number}", status="active", beneficiary=reference(patient.id), payor=[payor],
        identifier=[identifier("member", f"MBR{number}", "MB")], period={"start": f"{scenario.start.year}-01-01"},
        type=payer_class(patient.payer),
    )  # fmt: skip
