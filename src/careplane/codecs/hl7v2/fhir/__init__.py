"""Messages of HL7 v2 as the FHIR R4 resources that apps read. All pure.

=================  ==========================================================================================
message            resources beside Patient, Encounter and Location of PID and PV1
=================  ==========================================================================================
ADT                AllergyIntolerance, Condition; a merge: the Patient who was replaced
ORU, OUL           DiagnosticReport, Observation
MDM                DocumentReference
SIU                Appointment
ORM, OMG, OML      ServiceRequest
DFT, BAR           ChargeItem, Condition
=================  ==========================================================================================

Other messages give Patient, Encounter and Location only.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from careplane.codecs.hl7v2.fhir.appointments import appointments, places
from careplane.codecs.hl7v2.fhir.datatypes import coded, moment
from careplane.codecs.hl7v2.fhir.documents import documents
from careplane.codecs.hl7v2.fhir.requests import charges, requests
from careplane.codecs.hl7v2.fhir.results import reports
from careplane.codecs.hl7v2.fhir.site import PREFIX, Site, facility_of, is_known
from careplane.codecs.hl7v2.fhir.subjects import (
    STATUSES,
    allergies,
    conditions,
    encounter,
    encounter_reference,
    locations,
    merged,
    patient,
    patient_reference,
)
from careplane.codecs.hl7v2.message import Message, Segment
from careplane.errors import MessageError
from careplane.records import JSON

__all__ = ["PREFIX", "Mapped", "Site", "check_subject", "is_known", "to_fhir"]

_Maker = Callable[[Message, Site], list[JSON]]
_MAKERS: dict[str, tuple[_Maker, ...]] = {
    "ADT": (allergies, conditions, merged),
    "ORU": (reports,),
    "OUL": (reports,),
    "MDM": (documents,),
    "SIU": (appointments, places),
    "ORM": (requests,),
    "OMG": (requests,),
    "OML": (requests,),
    "DFT": (charges, conditions),
    "BAR": (charges, conditions),
}
_TRIALS = ("T", "D")
TEST_DATA = coded("http://terminology.hl7.org/CodeSystem/v3-ActReason", "HTEST", "test health data")
_FOCUS = ("DiagnosticReport", "DocumentReference", "Appointment", "ServiceRequest", "ChargeItem")
_OF_VISIT = ("A08", "A54", "A55")
"""Further events of ADT that say how a visit is; those about a person (A28, A31) only name one."""

_ABOUT_SOMEBODY = ("ADT", "MDM", "DFT")


@dataclass(frozen=True, slots=True)
class Mapped:
    """What a message says: resources, and references into them.

    ``leading`` are those that the message is about; ``mentioned`` those that it names in passing and that must not
    replace what a message of their own said (the Patient of a result). ``focus`` is what happened, ``unit`` the ward,
    ``attending`` the system and number of the responsible physician, ``at`` when it
    happened.
    """

    leading: tuple[JSON, ...]
    mentioned: tuple[JSON, ...]
    patient: str | None
    encounter: str | None
    focus: str | None
    unit: str | None
    attending: tuple[str, str] | None
    at: datetime | None


def check_subject(message: Message) -> None:
    """Refuse a message that is about somebody and does not say about whom.

    Raises:
        MessageError: code 101, PID-3.
    """
    if message.header.text(9) in _ABOUT_SOMEBODY and patient_reference(message, Site()) is None:
        pid = message.first("PID")
        line = pid.line if pid is not None else message.header.line
        raise MessageError("the number of the patient is missing", 101, line=line, segment="PID", number=3)


def to_fhir(message: Message, site: Site) -> Mapped:
    """The resources of a message."""
    subjects = [one for one in (patient(message, site), encounter(message, site)) if one is not None]
    subjects += locations(message, site)
    made = [one for make in _MAKERS.get(message.header.text(9), ()) for one in make(message, site)]
    event = message.header.text(9, 2) if message.kind.startswith("ADT") else ""
    own = ["Patient", "Location"] if event else []
    own += ["Encounter"] if event in STATUSES or event in _OF_VISIT else []
    focus = next((one for one in made if one["resourceType"] in _FOCUS), None)
    visit, who = encounter_reference(message, site), patient_reference(message, site)
    here = message.first("PV1")
    unit = next((one["id"] for one in subjects if one["resourceType"] == "Location"), None)
    recorded = message.first("EVN")
    at = moment(recorded.text(2), site.zone) if recorded else None
    return Mapped(
        leading=_distinct([*(one for one in subjects if one["resourceType"] in own), *made], message),
        mentioned=_distinct([one for one in subjects if one["resourceType"] not in own], message),
        patient=who,
        encounter=visit,
        focus=f"{focus['resourceType']}/{focus['id']}" if focus else visit,
        unit=f"Location/{unit}" if unit and here is not None and here.text(3) else None,
        attending=_attending(here, message, site) if here is not None else None,
        at=at or moment(message.header.text(7), site.zone),
    )


def _attending(visit: Segment, message: Message, site: Site) -> tuple[str, str] | None:
    part = visit.part(7)
    number = part.text(1)
    return (site.system(part.whole(9), facility_of(message)), number) if number else None


def _distinct(resources: list[JSON], message: Message) -> tuple[JSON, ...]:
    """One of each ``Type/id``: a person who is named twice is one resource. A message of training or debugging (MSH-11)
    makes test data, and says so."""
    found = {(one["resourceType"], one["id"]): one for one in resources}.values()
    if message.header.text(11) not in _TRIALS:
        return tuple(found)
    return tuple({**one, "meta": {"tag": [TEST_DATA]}} for one in found)
