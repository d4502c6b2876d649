"""The identifiers that a chart names: what the shield looks for first.

Read from FHIR R4 resources: Patient with contacts, RelatedPerson, Practitioner, Organization, Location, Coverage,
Account, Device, and the patients' own ids. 45 CFR 164.514(b)(2) covers the individual, relatives, employers and
household members; clinicians and places are covered here as well.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from careplane.records import JSON
from careplane.shield import variants
from careplane.shield.spans import Category


@dataclass(frozen=True, slots=True)
class Identifier:
    """One identifier with all its variants; ``entity`` names the person or thing within this chart."""

    category: Category
    entity: str
    variants: frozenset[str]


_BY_TYPE: Mapping[str, Category] = {"MR": "MRN", "SS": "SSN", "DL": "LICENSE", "MD": "LICENSE", "MB": "PLAN"}
_BY_SYSTEM: tuple[tuple[str, Category], ...] = (("us-ssn", "SSN"), ("mrn", "MRN"), ("us-npi", "LICENSE"))
_TELECOM: Mapping[str, tuple[Category, Callable[[str], Iterator[str]]]] = {
    "phone": ("PHONE", variants.phone_variants),
    "fax": ("PHONE", variants.phone_variants),
    "sms": ("PHONE", variants.phone_variants),
    "pager": ("PHONE", variants.phone_variants),
    "email": ("EMAIL", lambda text: iter((text,))),
    "url": ("URL", lambda text: iter((text,))),
}
_PEOPLE = frozenset({"Patient", "RelatedPerson", "Practitioner", "Person"})
_PLACES = frozenset({"Organization", "Location"})


def known_identifiers(chart: Sequence[JSON]) -> tuple[Identifier, ...]:
    """The identifiers of all resources of a chart.

    Raises:
        TypeError, AttributeError: a resource is not of the shape that FHIR gives it.
    """
    found: list[Identifier] = []
    for i, resource in enumerate(chart):
        kind = resource.get("resourceType", "")
        entity = f"{kind}{i}"
        if kind in _PEOPLE:
            found += _person(entity, resource, own_id=kind == "Patient")
            contacts = resource.get("contact") or ()
            found += [one for j, contact in enumerate(contacts) for one in _contact(f"{entity}.{j}", contact)]
        elif kind in _PLACES:
            found += _place(entity, resource)
        else:
            found += _thing(entity, kind, resource)
    return tuple(identifier for identifier in found if identifier.variants)


def _person(entity: str, resource: JSON, *, own_id: bool) -> Iterator[Identifier]:
    names = resource.get("name") or ()
    yield _made("NAME", entity, (variant for name in names for variant in _name(name)))
    yield _made("DATE", f"{entity}.born", variants.date_variants(resource.get("birthDate") or ""))
    yield _made("DATE", f"{entity}.died", variants.date_variants(resource.get("deceasedDateTime") or ""))
    yield from _telecoms(entity, resource)
    yield from _addresses(entity, resource)
    yield from _numbers(entity, resource)
    ident = resource.get("id") or ""
    if own_id and len(ident) >= 6 and any(char.isdigit() for char in ident):
        yield _made("OTHERID", f"{entity}.id", (ident,))


def _contact(entity: str, contact: JSON) -> Iterator[Identifier]:
    yield from _person(entity, {**contact, "name": [contact["name"]] if contact.get("name") else []}, own_id=False)


def _place(entity: str, resource: JSON) -> Iterator[Identifier]:
    names = [resource.get("name"), *(resource.get("alias") or ())]
    yield _made("GEO", entity, (name for name in names if name and len(name) >= 4))
    yield from _telecoms(entity, resource)
    yield from _addresses(entity, resource)


def _thing(entity: str, kind: str, resource: JSON) -> Iterator[Identifier]:
    if kind == "Coverage":
        given = (resource.get("subscriberId"), resource.get("policyNumber"))
        yield _made("PLAN", entity, (form for value in given if value for form in variants.number_variants(value)))
        yield from _numbers(entity, resource, "PLAN")
    elif kind == "Account":
        yield from _numbers(entity, resource, "ACCOUNT")
    elif kind == "Device":
        marks = (resource.get("serialNumber"), resource.get("lotNumber"), resource.get("distinctIdentifier"))
        yield _made("DEVICE", entity, (form for value in marks if value for form in variants.number_variants(value)))
        yield from _numbers(entity, resource, "DEVICE")
    elif kind == "Encounter":
        period = resource.get("period") or {}
        for end in ("start", "end"):
            yield _made("DATE", f"{entity}.{end}", variants.date_variants(period.get(end) or ""))


def _name(name: JSON) -> Iterator[str]:
    if name.get("family") or name.get("given"):
        yield from variants.name_variants(name.get("given") or (), name.get("family") or "")
    if name.get("text"):
        yield from variants.text_name_variants(name["text"])


def _telecoms(entity: str, resource: JSON) -> Iterator[Identifier]:
    for i, telecom in enumerate(_list(resource.get("telecom"))):
        known = _TELECOM.get(telecom.get("system", ""))
        if known and telecom.get("value"):
            category, forms = known
            yield _made(category, f"{entity}.telecom{i}", forms(telecom["value"]))


def _addresses(entity: str, resource: JSON) -> Iterator[Identifier]:
    for i, address in enumerate(_list(resource.get("address"))):
        lines = address.get("line") or ()
        yield _made(
            "STREET", f"{entity}.street{i}", (form for line in lines for form in variants.street_variants(line))
        )
        town, state, code = (address.get(part) or "" for part in ("city", "state", "postalCode"))
        if town and state:
            whole = (f"{town}, {state}", f"{town} {state}", f"{town}, {state} {code}", f"{town} {state} {code}")
            yield _made("GEO", f"{entity}.town{i}", whole)
        for part in ("city", "district", "postalCode"):
            value = address.get(part) or ""
            forms = (value, value[:5]) if part == "postalCode" else (value,)
            yield _made("GEO", f"{entity}.{part}{i}", (form for form in forms if len(form) >= 3))


def _numbers(entity: str, resource: JSON, default: Category = "OTHERID") -> Iterator[Identifier]:
    for i, identifier in enumerate(_list(resource.get("identifier"))):
        value = identifier.get("value") or ""
        if len(value) >= 4:
            forms = variants.number_variants(value)
            yield _made(_category(identifier, default), f"{entity}.number{i}", forms)


def _category(identifier: JSON, default: Category) -> Category:
    for coding in (identifier.get("type") or {}).get("coding") or ():
        if coding.get("code") in _BY_TYPE:
            return _BY_TYPE[coding["code"]]
    system = (identifier.get("system") or "").lower()
    return next((category for part, category in _BY_SYSTEM if part in system), default)


def _list(value: Any) -> Sequence[JSON]:
    """FHIR gives a list; Organization.contact-like elements of older charts give one object."""
    return [value] if isinstance(value, dict) else value or ()


def _made(category: Category, entity: str, forms: Iterable[str]) -> Identifier:
    return Identifier(category, entity, frozenset(form for form in forms if len(form.strip()) >= 3))
