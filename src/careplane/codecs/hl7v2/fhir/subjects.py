"""Who and where: PID, MRG, PV1, PV2 and AL1, DG1 as Patient, Encounter, Location, AllergyIntolerance, Condition."""

from functools import partial

from careplane.codecs.hl7v2.fhir.datatypes import (
    V2_TABLE,
    address,
    clean,
    coded,
    concept,
    date,
    date_time,
    each,
    identifier,
    name,
    period,
    practitioner,
    telecom,
)
from careplane.codecs.hl7v2.fhir.site import Site, facility_of, resource_id, without_empty
from careplane.codecs.hl7v2.message import Message, Part, Segment
from careplane.records import JSON

_ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
_CLASSES = {
    "I": ("IMP", "inpatient encounter"),
    "O": ("AMB", "ambulatory"),
    "E": ("EMER", "emergency"),
    "P": ("PRENC", "pre-admission"),
    "R": ("AMB", "ambulatory"),
    "B": ("IMP", "inpatient encounter"),
}
_GENDERS = {"M": "male", "F": "female", "O": "other", "A": "other", "N": "other", "U": "unknown"}
STATUSES = {
    **dict.fromkeys(("A05", "A14", "A15"), "planned"),
    **dict.fromkeys(
        ("A01", "A02", "A04", "A06", "A07", "A10", "A12", "A13", "A16", "A22", "A25", "A26"), "in-progress"
    ),
    "A03": "finished",
    "A21": "onleave",
    **dict.fromkeys(("A11", "A27", "A38"), "cancelled"),
    "A23": "entered-in-error",
}
"""What an event of ADT says of its visit; for the others (A08) it is told by the time of discharge."""


def patient_key(message: Message, site: Site) -> tuple[str, str] | None:
    """The system and value by which the patient of a message is known: the medical record number, else the first."""
    pid = message.first("PID")
    return None if pid is None else _key(pid, 3, message, site) or _key(pid, 2, message, site)


def _key(segment: Segment, number: int, message: Message, site: Site) -> tuple[str, str] | None:
    parts = [part for part in segment.repetitions(number) if part.text(1)]
    parts.sort(key=lambda part: {"MR": 0, "PI": 1, "": 2}.get(part.text(5), 3))
    if not parts:
        return None
    return site.system(parts[0].whole(4), facility_of(message)), clean(parts[0].text(1))


def patient(message: Message, site: Site) -> JSON | None:
    """PID as a Patient."""
    pid, key = message.first("PID"), patient_key(message, site)
    if pid is None or key is None:
        return None
    facility = facility_of(message)
    numbers = [part for number in (3, 2, 4) for part in pid.repetitions(number)]
    phones = [*each(pid.repetitions(13), _home), *each(pid.repetitions(14), _work)]
    language = concept(pid.part(15))
    born = date_time(pid.text(7), site.zone)
    return without_empty(
        {
            "resourceType": "Patient",
            "id": resource_id("Patient", *key),
            "identifier": _distinct(each(numbers, partial(identifier, site=site, facility=facility))),
            "active": True,
            "name": each(pid.repetitions(5), name),
            "telecom": phones,
            "gender": _GENDERS.get(pid.text(8).upper()),
            "birthDate": born[:10] if born else None,
            "deceasedDateTime": date_time(pid.text(29), site.zone),
            "deceasedBoolean": True if pid.text(30) == "Y" and not pid.text(29) else None,
            "address": each(pid.repetitions(11), address),
            "maritalStatus": concept(pid.part(16)),
            "communication": [{"language": language}] if language else None,
        }
    )


_home = partial(telecom, use="home")
_work = partial(telecom, use="work")


def merged(message: Message, site: Site) -> list[JSON]:
    """For a merge (MRG): the Patient whose number is no longer used, linked to the one that is."""
    old, kept = message.first("MRG"), patient_key(message, site)
    key = _key(old, 1, message, site) if old is not None else None
    if old is None or key is None or kept is None or key == kept:
        return []
    return [
        {
            "resourceType": "Patient",
            "id": resource_id("Patient", *key),
            "identifier": [{"system": key[0], "value": key[1]}],
            "active": False,
            "link": [{"other": {"reference": _patient(kept)}, "type": "replaced-by"}],
        }
    ]


def _patient(key: tuple[str, str]) -> str:
    return f"Patient/{resource_id('Patient', *key)}"


def patient_reference(message: Message, site: Site) -> str | None:
    """``Patient/id`` of the patient of a message."""
    key = patient_key(message, site)
    return None if key is None else _patient(key)


def encounter_key(message: Message, site: Site) -> tuple[str, str] | None:
    """The system and value by which a visit is known: visit number (PV1-19), else account number (PID-18)."""
    visit, pid = message.first("PV1"), message.first("PID")
    if visit is None:
        return None
    return _key(visit, 19, message, site) or (_key(pid, 18, message, site) if pid is not None else None)


def encounter_reference(message: Message, site: Site) -> str | None:
    """``Encounter/id`` of the visit of a message."""
    key = encounter_key(message, site)
    return None if key is None else f"Encounter/{resource_id('Encounter', *key)}"


def encounter(message: Message, site: Site) -> JSON | None:
    """PV1, PV2 and DG1 as an Encounter."""
    visit, key = message.first("PV1"), encounter_key(message, site)
    if visit is None or key is None:
        return None
    facility = facility_of(message)
    who = partial(practitioner, site=site, facility=facility)
    roles = ((7, "ATND", "attender"), (8, "REF", "referrer"), (9, "CON", "consultant"), (17, "ADM", "admitter"))
    subject = patient_reference(message, site)
    reason = message.first("PV2")
    code, shown = _CLASSES.get(visit.text(2).upper(), ("AMB", "ambulatory"))
    status = encounter_status(message)
    return without_empty(
        {
            "resourceType": "Encounter",
            "id": resource_id("Encounter", *key),
            "identifier": [{"system": key[0], "value": key[1], "type": {"coding": [coded(f"{V2_TABLE}0203", "VN")]}}],
            "status": status,
            "class": coded(_ACT, code, shown),
            "type": each([visit.part(4)], concept),
            "serviceType": concept(visit.part(10)),
            "subject": {"reference": subject} if subject else None,
            "participant": [
                {"type": [{"coding": [coded(_PARTICIPATION, role, label)]}], "individual": one}
                for number, role, label in roles
                for one in each(visit.repetitions(number), who)
            ],
            "period": period(date_time(visit.text(44), site.zone), _end(message, visit, status, site)),
            "reasonCode": each([reason.part(3)], concept) if reason else None,
            "diagnosis": [{"condition": {"reference": f"Condition/{one['id']}"}} for one in conditions(message, site)],
            "hospitalization": without_empty(
                {
                    "admitSource": concept(visit.part(14)),
                    "dischargeDisposition": concept(visit.part(36)),
                }
            ),
            "location": _stays(message, visit, site),
        }
    )


_PARTICIPATION = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"


def encounter_status(message: Message) -> str:
    """What a message says of its visit."""
    visit = message.first("PV1")
    told = STATUSES.get(message.header.text(9, 2)) if message.kind.startswith("ADT") else None
    return told or ("finished" if visit is not None and visit.text(45) else "in-progress")


def _end(message: Message, visit: Segment, status: str, site: Site) -> str | None:
    """PV1-45; for a discharge without it the time of the event."""
    end, event = date_time(visit.text(45), site.zone), message.first("EVN")
    if end or status != "finished" or event is None:
        return end
    return date_time(event.text(6), site.zone) or date_time(event.text(2), site.zone)


def _stays(message: Message, visit: Segment, site: Site) -> list[JSON]:
    found = []
    for number, status in ((3, "active"), (6, "completed")):
        where = location(visit.part(number), message, site)
        if where is not None:
            shown = "^".join(clean(visit.text(number, part)) for part in (1, 2, 3)).rstrip("^")
            found.append({"location": {"reference": f"Location/{where['id']}", "display": shown}, "status": status})
    return found


def location(part: Part, message: Message, site: Site) -> JSON | None:
    """The ward or clinic of a PL as a Location; room and bed stand in the display of who refers to it."""
    point = clean(part.text(1))
    if not point:
        return None
    facility = part.text(4) or facility_of(message)
    system = site.system(part.whole(4), facility_of(message))
    return {
        "resourceType": "Location",
        "id": resource_id("Location", facility, point),
        "identifier": [{"system": system, "value": point}],
        "status": "active",
        "name": point,
    }


def locations(message: Message, site: Site) -> list[JSON]:
    """Where the patient is, and was before."""
    visit = message.first("PV1")
    parts = [] if visit is None else [visit.part(3), visit.part(6)]
    return each(parts, lambda part: location(part, message, site))


def conditions(message: Message, site: Site) -> list[JSON]:
    """DG1 as Conditions of the visit."""
    subject, visit = patient_reference(message, site), encounter_reference(message, site)
    found = []
    for segment in message.all("DG1"):
        code = concept(segment.part(3)) or ({"text": clean(segment.text(4))} if segment.text(4) else None)
        if code is None or subject is None:
            continue
        found.append(
            without_empty(
                {
                    "resourceType": "Condition",
                    "id": resource_id("Condition", subject, visit or "", segment.text(3) or segment.text(4)),
                    "clinicalStatus": {"coding": [coded(_CLINICAL.format("condition-clinical"), "active")]},
                    "category": [{"coding": [coded(_CATEGORY, "encounter-diagnosis")]}],
                    "code": code,
                    "subject": {"reference": subject},
                    "encounter": {"reference": visit} if visit else None,
                    "recordedDate": date_time(segment.text(5), site.zone),
                }
            )
        )
    return found


_CLINICAL = "http://terminology.hl7.org/CodeSystem/{}"
_CATEGORY = "http://terminology.hl7.org/CodeSystem/condition-category"


def allergies(message: Message, site: Site) -> list[JSON]:
    """AL1 as AllergyIntolerances."""
    subject = patient_reference(message, site)
    kinds = {"DA": "medication", "FA": "food", "EA": "environment"}
    criticalities = {"SV": "high", "MO": "unable-to-assess", "MI": "low", "U": "unable-to-assess"}
    found = []
    for segment in message.all("AL1"):
        code = concept(segment.part(3))
        if code is None or subject is None:
            continue
        reaction = [{"text": clean(part.text(1))} for part in segment.repetitions(5) if part.text(1)]
        kind = kinds.get(segment.text(2))
        found.append(
            without_empty(
                {
                    "resourceType": "AllergyIntolerance",
                    "id": resource_id("AllergyIntolerance", subject, segment.text(3) or segment.text(3, 2)),
                    "clinicalStatus": {"coding": [coded(_CLINICAL.format("allergyintolerance-clinical"), "active")]},
                    "category": [kind] if kind else None,
                    "criticality": criticalities.get(segment.text(4)),
                    "code": code,
                    "patient": {"reference": subject},
                    "onsetDateTime": date(segment.text(6)),
                    "reaction": [{"manifestation": reaction}] if reaction else None,
                }
            )
        )
    return found


def _distinct(found: list[JSON]) -> list[JSON]:
    return [one for index, one in enumerate(found) if one not in found[:index]]
