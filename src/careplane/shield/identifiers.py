"""The identifiers that a chart names: what the shield looks for first.

Read from FHIR R4 resources: Patient with contacts, RelatedPerson, Practitioner, Organization, Location, Coverage,
Account, Device, Encounter and Appointment dates, the patients' own ids, and the people and places that references
name. 45 CFR 164.514(b)(2) covers the individual, relatives, employers and household members; clinicians and
places are covered here as well.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from careplane.errors import ChartError
from careplane.records import JSON
from careplane.shield import pattern_checks, variants
from careplane.shield.element import Element
from careplane.shield.spans import Category


@dataclass(frozen=True, slots=True)
class Identifier:
    """One identifier with all its variants; ``entity`` names the person or thing within this chart."""

    category: Category
    entity: str
    variants: frozenset[str]


_BY_TYPE: Mapping[str, Category] = {
    "MR": "MRN", "SS": "SSN", "SB": "SSN", "DL": "LICENSE", "MD": "LICENSE", "NPI": "LICENSE", "DEA": "LICENSE",
    "MB": "PLAN",
    "SN": "PLAN", "MC": "PLAN", "MA": "PLAN", "AN": "ACCOUNT", "AC": "ACCOUNT", "VN": "OTHERID", "PPN": "LICENSE",
    "SNO": "DEVICE",
}  # fmt: skip
_BY_SYSTEM: tuple[tuple[str, Category], ...] = (
    ("us-ssn", "SSN"), ("ssn", "SSN"), ("mrn", "MRN"), ("us-npi", "LICENSE"), ("us-mbi", "PLAN"), ("medicare", "PLAN"),
    ("us-dea", "LICENSE"), ("license", "LICENSE"), ("account", "ACCOUNT"),
)  # fmt: skip
_Forms = Callable[[str], Iterable[str]]
_TELECOM: Mapping[str, tuple[Category, _Forms]] = {
    "phone": ("PHONE", variants.phone_variants),
    "fax": ("PHONE", variants.phone_variants),
    "sms": ("PHONE", variants.phone_variants),
    "pager": ("PHONE", variants.phone_variants),
    "email": ("EMAIL", variants.email_variants),
    "url": ("URL", variants.url_variants),
}
_PEOPLE = frozenset({"Patient", "RelatedPerson", "Practitioner", "Person"})
_PLACES = frozenset({"Organization", "Location"})
_NUMBERED: Mapping[str, tuple[Category, tuple[str, ...]]] = {
    "Coverage": ("PLAN", ("subscriberId", "policyNumber", "dependent")),
    "Account": ("ACCOUNT", ()),
    "Device": ("DEVICE", ("serialNumber", "lotNumber", "distinctIdentifier")),
}
_REACHED = frozenset({"PractitionerRole", "CareTeam", "HealthcareService"})
_NOBODYS = frozenset({"Medication", "Questionnaire", "ValueSet", "PlanDefinition", "ActivityDefinition", "Library"})
"""Their numbers name no person and no event of one."""
_PHONE_DIGITS = 7
_SHORT = 4
"""A number or the name of a place with fewer characters would be found everywhere."""


def known_identifiers(chart: Sequence[JSON]) -> tuple[Identifier, ...]:
    """The identifiers of all resources of a chart.

    Raises:
        ChartError: a resource is not of the shape that FHIR gives it; says where, and quotes no value.
    """
    found: list[Identifier] = []
    for i, resource in enumerate(chart):
        if not isinstance(resource, dict) or not isinstance(resource.get("resourceType"), str):
            raise ChartError(f"Resource {i + 1} of the chart is not a FHIR resource, so nothing left.")
        found += _of_resource(f"{resource['resourceType']}{i}", Element(resource, resource["resourceType"]))
    return tuple(identifier for identifier in found if identifier.variants)


def _of_resource(entity: str, resource: Element) -> Iterator[Identifier]:
    if resource.text("resourceType") == "Bundle":  # a batch or a document within the chart
        for j, entry in enumerate(resource.many("entry")):
            yield from _of_resource(f"{entity}.{j}", entry.one("resource"))
        return
    yield from _by_kind(entity, resource)
    for j, inner in enumerate(resource.many("contained")):  # one deep, as FHIR allows
        yield from _by_kind(f"{entity}.contained{j}", inner)
    yield from _referred(entity, resource.json)


def _by_kind(entity: str, resource: Element) -> Iterator[Identifier]:
    kind = resource.text("resourceType")
    if kind in _PEOPLE:
        yield from _person(entity, resource)
        ident = resource.text("id")
        if kind == "Patient" and len(ident) >= 6 and any(map(str.isdigit, ident)):
            yield _made("OTHERID", f"{entity}.id", (ident,))
        for j, contact in enumerate(resource.many("contact")):
            yield from _person(f"{entity}.{j}", contact)
            yield from _place_named(f"{entity}.{j}.of", contact.one("organization").text("display"))
    elif kind in _PLACES:
        yield from _place(entity, resource)
    elif kind in _NUMBERED:
        yield from _thing(entity, resource, *_NUMBERED[kind])
    elif kind not in _NOBODYS:
        yield from _record(entity, kind, resource)
    yield from _days(entity, kind, resource)


def _days(entity: str, kind: str, resource: Element) -> Iterator[Identifier]:
    for field in ("period", "servicePeriod"):
        if isinstance(resource.json.get(field), dict):
            period = resource.one(field)
            yield _dated(f"{entity}.start", period.text("start"))
            if period.text("end")[:10] != period.text("start")[:10]:
                yield _dated(f"{entity}.end", period.text("end"))
    if kind == "Appointment":
        yield _dated(f"{entity}.start", resource.text("start"))


def _record(entity: str, kind: str, resource: Element) -> Iterator[Identifier]:
    """What any other resource says of people: its own numbers, a relative's name, phones of a team."""
    if kind == "FamilyMemberHistory":
        yield _made("NAME", entity, variants.text_name_variants(resource.text("name")))
    if kind in _REACHED:
        yield from _telecoms(entity, resource)
    for field in ("identifier", "accessionIdentifier", "masterIdentifier"):
        for i, identifier in enumerate(resource.many(field)):
            value = identifier.text("value")
            if any(map(str.isdigit, value)):
                yield _numbered(_category(identifier, "OTHERID"), f"{entity}.{field}{i}", value)


def _further(entity: str, resource: Element) -> Iterator[Identifier]:
    """The mother's maiden name and the place of birth, which FHIR keeps in extensions."""
    for i, extension in enumerate(resource.many("extension")):
        name = extension.text("url").rpartition("/")[2]
        if name == "patient-mothersMaidenName":
            yield _made("NAME", f"{entity}.mother", variants.text_name_variants(extension.text("valueString")))
        elif name == "patient-birthPlace":
            yield from _addresses(f"{entity}.birthplace{i}", extension, "valueAddress")


def _person(entity: str, resource: Element) -> Iterator[Identifier]:
    forms = (form for name in resource.many("name") for form in _name(name))
    yield _made("NAME", entity, forms)
    yield _dated(f"{entity}.born", resource.text("birthDate"))
    yield _made("DATE", f"{entity}.year", pattern_checks.telling_year(resource.text("birthDate")[:4]))
    yield _dated(f"{entity}.died", resource.text("deceasedDateTime"))
    yield from _further(entity, resource)
    yield from _telecoms(entity, resource)
    yield from _addresses(entity, resource)
    yield from _numbers(entity, resource)


def _name(name: Element) -> Iterator[str]:
    given, family = name.texts("given"), name.text("family")
    if given or family:
        yield from variants.name_variants(given, family)
    yield from variants.text_name_variants(name.text("text"))


def _place(entity: str, resource: Element) -> Iterator[Identifier]:
    for name in (resource.text("name"), *resource.texts("alias")):
        yield from _place_named(entity, name)
    for j, contact in enumerate(resource.many("contact")):
        yield from _person(f"{entity}.{j}", contact)
    yield from _telecoms(entity, resource)
    yield from _addresses(entity, resource)
    yield from _numbers(entity, resource)


def _place_named(entity: str, name: str) -> Iterator[Identifier]:
    if len(name) >= _SHORT:
        yield _made("GEO", entity, variants.place_variants(name))


def _thing(entity: str, resource: Element, category: Category, fields: Sequence[str]) -> Iterator[Identifier]:
    values = [resource.text(field) for field in fields]
    values += [part.text("value") for part in resource.many("class") if category == "PLAN"]
    for i, value in enumerate(values):
        yield _numbered(category, f"{entity}.{i}", value)
    yield from _numbers(entity, resource, category)


def _telecoms(entity: str, resource: Element) -> Iterator[Identifier]:
    for i, telecom in enumerate(resource.many("telecom")):
        value = telecom.text("value")
        category, forms = _TELECOM.get(telecom.text("system") or _system(value), ("OTHERID", _as_given))
        yield _made(category, f"{entity}.telecom{i}", forms(value))


def _system(value: str) -> str:
    """What a contact without a system is, by how it looks."""
    if "@" in value:
        return "email"
    return "phone" if sum(map(str.isdigit, value)) >= _PHONE_DIGITS else "other"


def _as_given(text: str) -> tuple[str]:
    return (text,)


def _addresses(entity: str, resource: Element, field: str = "address") -> Iterator[Identifier]:
    for i, address in enumerate(resource.many(field)):
        town, state, code = address.text("city"), address.text("state"), address.text("postalCode")
        forms: dict[str, list[str]] = {"STREET": [], "GEO": []}
        for category, form in variants.address_variants(address.texts("line"), town, state, code):
            forms[category].append(form)
        yield _made("STREET", f"{entity}.street{i}", forms["STREET"])
        yield _made("GEO", f"{entity}.town{i}", [*forms["GEO"], address.text("district")])
        yield _made("STREET", f"{entity}.address{i}", (address.text("text"),))


def _numbers(entity: str, resource: Element, default: Category = "OTHERID") -> Iterator[Identifier]:
    for i, identifier in enumerate(resource.many("identifier")):
        yield _numbered(_category(identifier, default), f"{entity}.number{i}", identifier.text("value"))


def _numbered(category: Category, entity: str, value: str) -> Identifier:
    long_enough = sum(map(str.isalnum, value)) >= _SHORT
    return _made(category, entity, variants.number_variants(value) if long_enough else ())


def _category(identifier: Element, default: Category) -> Category:
    for coding in identifier.one("type").many("coding"):
        known = _BY_TYPE.get(coding.text("code"))
        if known:
            return known
    system = identifier.text("system").lower()
    return next((category for part, category in _BY_SYSTEM if part in system), default)


def _dated(entity: str, value: str) -> Identifier:
    return _made("DATE", entity, variants.date_variants(value))


_NAMES_PEOPLE = frozenset(
    {
        "individual",
        "performer",
        "practitioner",
        "requester",
        "author",
        "generalPractitioner",
        "asserter",
        "recorder",
        "actor",
    }
)
_NAMES_PLACES = frozenset({"managingOrganization", "serviceProvider", "location", "custodian", "organization"})


def _referred(entity: str, json: JSON) -> Iterator[Identifier]:
    """People and places that references name by ``display``; what they are is told by the reference or by the field."""
    pending: list[tuple[str, Any]] = [("", json)]
    seen = 0
    while pending:
        field, node = pending.pop()
        if isinstance(node, list):
            pending += [(field, one) for one in node]
        elif isinstance(node, dict):
            pending += [(name, value) for name, value in node.items() if isinstance(value, dict | list)]
            display, reference = node.get("display"), node.get("reference")
            if isinstance(display, str):
                seen += 1
                kind = _kind(node.get("type"), reference)
                yield from _displayed(f"{entity}.ref{seen}", field, kind, display)
            if isinstance(node.get("authorString"), str):
                seen += 1
                yield _made("NAME", f"{entity}.ref{seen}", variants.text_name_variants(node["authorString"]))


def _kind(told: Any, reference: Any) -> str:
    """The type of what a reference names; empty when only its field tells."""
    if isinstance(told, str) and told:
        return told
    path = reference.partition("?")[0] if isinstance(reference, str) else ""
    return "" if path.startswith(("urn:", "#")) else path.rpartition("/")[0].rpartition("/")[2] or path


def _displayed(entity: str, field: str, kind: str, display: str) -> Iterator[Identifier]:
    if kind in _PEOPLE or kind == "PractitionerRole" or (not kind and field in _NAMES_PEOPLE):
        yield _made("NAME", entity, variants.text_name_variants(display))
    elif kind in _PLACES or (not kind and field in _NAMES_PLACES):
        yield from _place_named(entity, display)


def _made(category: Category, entity: str, forms: Iterable[str]) -> Identifier:
    return Identifier(category, entity, frozenset(form for form in forms if form.strip()))
