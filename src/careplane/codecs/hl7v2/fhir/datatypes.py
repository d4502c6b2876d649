"""Data types of HL7 v2 as those of FHIR R4, after the HL7 v2-to-FHIR implementation guide (STU 1).

What cannot be a legal FHIR value is left out: a date that is none, a control character in a text.
"""

import re
from collections.abc import Callable, Iterable
from datetime import datetime, tzinfo

from careplane.codecs.hl7v2.fhir.site import Site, without_empty
from careplane.codecs.hl7v2.message import Part
from careplane.records import JSON

_TIME = re.compile(r"(\d{4})(\d\d)?(\d\d)?(\d\d)?(\d\d)?(\d\d)?(?:\.\d{1,4})?([+-]\d{4})?")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
V2_TABLE = "http://terminology.hl7.org/CodeSystem/v2-"
CODE_SYSTEMS = {
    "LN": "http://loinc.org",
    "SCT": "http://snomed.info/sct",
    "SCT2": "http://snomed.info/sct",
    "UCUM": "http://unitsofmeasure.org",
    "RXNORM": "http://www.nlm.nih.gov/research/umls/rxnorm",
    "NDC": "http://hl7.org/fhir/sid/ndc",
    "CVX": "http://hl7.org/fhir/sid/cvx",
    "MVX": "http://hl7.org/fhir/sid/mvx",
    "C4": "http://www.ama-assn.org/go/cpt",
    "CPT": "http://www.ama-assn.org/go/cpt",
    "HCPCS": "http://terminology.hl7.org/CodeSystem/HCPCS",
    "I9C": "http://hl7.org/fhir/sid/icd-9-cm",
    "I9": "http://hl7.org/fhir/sid/icd-9-cm",
    "I10": "http://hl7.org/fhir/sid/icd-10",
    "I10C": "http://hl7.org/fhir/sid/icd-10-cm",
    "ICD-10-CM": "http://hl7.org/fhir/sid/icd-10-cm",
    "ISO3166_1": "urn:iso:std:iso:3166",
}
"""Names of HL7 table 0396 and their URIs; the others are left without a system, with the text."""


def clean(text: str) -> str:
    """A text that FHIR allows."""
    return _CONTROL.sub("", text)


def date_time(text: str, zone: tzinfo) -> str | None:
    """TS, DTM or DT as a FHIR dateTime, as exact as it is given; ``None`` for what is no time."""
    match = _TIME.fullmatch(text.strip())
    if match is None:
        return None
    year, month, day, hour, minute, second, offset = match.groups()
    try:
        at = datetime(
            int(year), int(month or 1), int(day or 1), int(hour or 0), int(minute or 0), int(second or 0), tzinfo=zone
        )
        if hour is None:
            return "-".join(filter(None, (year, month, day)))
        if offset:
            return at.replace(tzinfo=datetime.strptime(offset, "%z").tzinfo).isoformat()
        return at.isoformat()
    except ValueError:
        return None


def moment(text: str, zone: tzinfo) -> datetime | None:
    """The same as a time to compare with; the first instant of a date."""
    found = date_time(text, zone)
    if found is None:
        return None
    padded = found + "0000-01-01"[len(found) :] if len(found) < 10 else found
    at = datetime.fromisoformat(padded)
    return at if at.tzinfo else at.replace(tzinfo=zone)


def date(text: str) -> str | None:
    """TS or DT as a FHIR date."""
    return date_time(text[:8], _UTC)


def concept(part: Part) -> JSON | None:
    """CE, CWE, CNE or a bare code (IS, ST) as a CodeableConcept."""
    codings = [_coding(part, first) for first in (1, 4)]
    text = clean(part.text(9) or part.text(2) or part.text(5) or part.text(1))
    found = without_empty({"coding": [one for one in codings if one], "text": text})
    return found or None


def _coding(part: Part, first: int) -> JSON | None:
    code, system = clean(part.text(first)), part.text(first + 2)
    if not code or not system:
        return None
    uri = CODE_SYSTEMS.get(system.upper()) or (f"{V2_TABLE}{system[3:]}" if re.fullmatch(r"HL7\d{4}", system) else None)
    return without_empty({"system": uri, "code": code, "display": clean(part.text(first + 1))}) if uri else None


def coded(system: str, code: str, display: str = "") -> JSON:
    """One coding."""
    return without_empty({"system": system, "code": code, "display": display})


def identifier(part: Part, site: Site, facility: str) -> JSON | None:
    """CX as an Identifier; its type is a code of table 0203."""
    value = clean(part.text(1))
    if not value:
        return None
    kind = part.text(5)
    return without_empty(
        {
            "type": {"coding": [coded(f"{V2_TABLE}0203", kind)]} if kind else None,
            "system": site.system(part.whole(4), facility),
            "value": value,
            "period": period(date(part.text(7)), date(part.text(8))),
        }
    )


def entity(part: Part, site: Site, facility: str, kind: str = "") -> JSON | None:
    """EI (a number that a system gave) as an Identifier; components 2 to 4 are its authority."""
    value = clean(part.text(1))
    if not value:
        return None
    authority = Part(part.components[1:4], part.encoding)
    coding = {"coding": [coded(f"{V2_TABLE}0203", kind)]} if kind else None
    return without_empty({"type": coding, "system": site.system(authority, facility), "value": value})


def period(start: str | None, end: str | None) -> JSON | None:
    """A Period, or ``None``."""
    return without_empty({"start": start, "end": end}) or None


def name(part: Part) -> JSON | None:
    """XPN as a HumanName."""
    given = [clean(one) for one in (part.text(2), part.text(3)) if one]
    use = {"L": "official", "D": "usual", "M": "maiden", "N": "nickname", "T": "temp", "A": "anonymous"}.get(
        part.text(7)
    )
    found = {
        "family": clean(part.text(1)),
        "given": given,
        "prefix": [clean(part.text(5))] if part.text(5) else None,
        "suffix": [clean(one) for one in (part.text(4), part.text(6)) if one],
    }
    named = without_empty(found)
    return without_empty({"use": use, **named}) if named else None


def address(part: Part) -> JSON | None:
    """XAD as an Address."""
    lines = [clean(one) for one in (part.text(1), part.text(2)) if one]
    found = {
        "line": lines,
        "city": clean(part.text(3)),
        "state": clean(part.text(4)),
        "postalCode": clean(part.text(5)),
        "country": clean(part.text(6)),
        "district": clean(part.text(9)),
    }
    use = {"H": "home", "B": "work", "O": "work", "C": "temp", "M": None}.get(part.text(7))
    placed = without_empty(found)
    return without_empty({"use": use, **placed}) if placed else None


def telecom(part: Part, use: str) -> JSON | None:
    """XTN as a ContactPoint."""
    mail = part.text(4)
    if mail and "@" in mail:
        return {"system": "email", "value": clean(mail), "use": use}
    number = part.text(12) or part.text(1) or "".join((part.text(5), part.text(6), part.text(7)))
    system = {"FX": "fax", "BP": "pager", "Internet": "email", "X.400": "email"}.get(part.text(3), "phone")
    mobile = "mobile" if part.text(3) == "CP" else use
    return {"system": system, "value": clean(number), "use": mobile} if number else None


def practitioner(part: Part, site: Site, facility: str) -> JSON | None:
    """XCN (or CNN) as a reference by identifier, with the name to show."""
    number = clean(part.text(1))
    shown = " ".join(
        clean(one) for one in (part.text(6), part.text(3), part.text(4), part.text(2), part.text(5)) if one
    )
    if not number and not shown:
        return None
    known = {"system": site.system(part.whole(9), facility), "value": number} if number else None
    return without_empty({"type": "Practitioner", "identifier": known, "display": shown})


def each(parts: Iterable[Part], make: Callable[[Part], JSON | None]) -> list[JSON]:
    """What is made of each repetition, without what makes nothing."""
    return [one for one in map(make, parts) if one is not None]


_UTC = Site().zone
