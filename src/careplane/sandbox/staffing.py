"""The organisation: two hospitals, their clinics and wards, and the people who work there."""

from collections.abc import Iterator
from dataclasses import dataclass

from careplane.records import JSON
from careplane.records.people import Person
from careplane.sandbox.content import read
from careplane.sandbox.resources import SNOMED, concept, identifier, reference, resource, terminology
from careplane.sandbox.scenario import Scenario

WARDS = ("Medicine", "Surgery", "Cardiology and stroke", "Step-down")
BEDS = 12
HOSPITAL_JOBS = (("physician", 10), ("nurse", 4), ("charge_nurse", 4), ("pharmacist", 4), ("bed_manager", 2))
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri")
SHIFTS = {"day": ("07:00:00", "19:00:00"), "night": ("19:00:00", "23:59:00"), "office": ("08:00:00", "18:00:00")}


@dataclass(frozen=True, slots=True)
class Unit:
    """A clinic or ward. ``weight`` is a clinic's share of the patients; wards have 0."""

    id: str
    name: str
    site: str
    weight: float = 0.0


@dataclass(frozen=True, slots=True)
class Member:
    """A member of staff: the person and the shift."""

    person: Person
    shift: str


@dataclass(frozen=True, slots=True)
class Organisation:
    """Hospitals by id with name, clinics, wards and staff."""

    hospitals: dict[str, str]
    clinics: tuple[Unit, ...]
    wards: tuple[Unit, ...]
    staff: tuple[Member, ...]

    def people(self, unit: str, *jobs: str) -> list[Person]:
        """Who works in a unit, in the order of their ids; all jobs when none is named."""
        return [m.person for m in self.staff if m.person.unit == unit and (not jobs or m.person.job in jobs)]


def organise(scenario: Scenario) -> Organisation:
    """Lay out hospitals, clinics and wards, and hire 150 people with invented names."""
    names = read("names")
    hospitals = {f"Organization/hospital-{n}": name for n, name in enumerate(names["hospitals"], start=1)}
    sites = tuple(hospitals)
    clinics = tuple(
        Unit(f"Location/clinic-{n:02d}", name, sites[(n - 1) // 6], weight)
        for n, (name, weight) in enumerate(names["clinics"], start=1)
    )
    wards = tuple(
        Unit(f"Location/ward-{site_n}{letter}", f"{name} ward {site_n}{letter.upper()}", site)
        for site_n, site in enumerate(sites, start=1)
        for letter, name in zip("abcd", WARDS, strict=True)
    )
    return Organisation(hospitals, clinics, wards, tuple(_hire(scenario, clinics, wards, sites)))


def _hire(
    scenario: Scenario, clinics: tuple[Unit, ...], wards: tuple[Unit, ...], sites: tuple[str, ...]
) -> Iterator[Member]:
    posts = [(clinic, job, "office") for clinic in clinics for job in _clinic_jobs(clinic)]
    for site in sites:
        own = [ward for ward in wards if ward.site == site]
        jobs = [job for job, count in HOSPITAL_JOBS for _ in range(count)]
        posts += [
            (own[n % len(own)], job, "night" if job in ("nurse", "physician") and n % 4 == 3 else "day")
            for n, job in enumerate(jobs)
        ]
    for n, (unit, job, shift) in enumerate(posts, start=1):
        yield _member(scenario, n, unit, job, shift)


def _clinic_jobs(clinic: Unit) -> list[str]:
    """Six to thirteen posts, by the size of the clinic; about half of them physicians."""
    posts = 4 + round(clinic.weight * 54.5)
    nurses, assistants = round(posts * 0.28), round(posts * 0.22)
    return ["physician"] * (posts - nurses - assistants) + ["nurse"] * nurses + ["medical_assistant"] * assistants


def _member(scenario: Scenario, n: int, unit: Unit, job: str, shift: str) -> Member:
    names, draw = read("names"), scenario.draw("staff", n)
    given = draw.choice(names["female" if draw.random() < 0.6 else "male"])
    person = Person(
        id=f"Practitioner/p{n:03d}",
        name=f"{given} {draw.choice(names['family'])}",
        job=job,
        unit=unit.id,
        site=unit.site,
        department=unit.name,
        synthetic=True,
    )
    return Member(person, shift)


def organisation_resources(organisation: Organisation) -> Iterator[JSON]:
    """Organization, Location, Practitioner and PractitionerRole."""
    for ident, name in organisation.hospitals.items():
        yield resource(
            "Organization", ident.split("/")[1], active=True, name=name,
            type=[concept(terminology("organization-type"), "prov", "Healthcare Provider")],
        )  # fmt: skip
    for clinic in organisation.clinics:
        yield _location(clinic.id, clinic.name, clinic.site, "bu", "Building", status="active")
    for ward in organisation.wards:
        yield _location(ward.id, ward.name, ward.site, "wa", "Ward", status="active")
        for bed in range(1, BEDS + 1):
            yield _location(
                bed_of(ward.id, bed), f"{ward.name} bed {bed}", ward.site, "bd", "Bed",
                status="active", partOf=reference(ward.id),
            )  # fmt: skip
    for member in organisation.staff:
        yield _practitioner(member)
        yield _role(member)


def bed_of(ward: str, bed: int) -> str:
    """The Location of a bed of a ward."""
    return f"{ward.replace('ward', 'bed')}-{bed:02d}"


def _location(ident: str, name: str, site: str, code: str, display: str, **elements: object) -> JSON:
    return resource(
        "Location", ident.split("/")[1], name=name, mode="instance", managingOrganization=reference(site),
        physicalType=concept(terminology("location-physical-type"), code, display), **elements,
    )  # fmt: skip


def _practitioner(member: Member) -> JSON:
    given, family = member.person.name.split(" ", 1)
    ident = member.person.id.split("/")[1]
    return resource(
        "Practitioner", ident, active=True, name=[{"use": "official", "family": family, "given": [given]}],
        identifier=[identifier("staff", ident.upper(), "EI")],
        telecom=[{"system": "email", "value": f"{ident}@staff.sandbox.example", "use": "work"}],
    )  # fmt: skip


def _role(member: Member) -> JSON:
    person, (begins, ends) = member.person, SHIFTS[member.shift]
    code, display = read("names")["jobs"][person.job]
    return resource(
        "PractitionerRole", f"role-{person.id.split('/')[1]}", active=True,
        practitioner=reference(person.id, person.name),
        organization=reference(person.site), code=[concept(SNOMED, code, display)], location=[reference(person.unit)],
        availableTime=[{"daysOfWeek": list(WEEKDAYS), "availableStartTime": begins, "availableEndTime": ends}],
    )  # fmt: skip
