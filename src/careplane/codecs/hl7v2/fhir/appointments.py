"""Appointments: SCH with its resources (AIS, AIL, AIP, AIG) as an Appointment."""

from datetime import datetime, timedelta
from functools import partial

from careplane.codecs.hl7v2.fhir.datatypes import clean, concept, date_time, each, entity, practitioner
from careplane.codecs.hl7v2.fhir.results import text_of
from careplane.codecs.hl7v2.fhir.site import Site, facility_of, resource_id, without_empty
from careplane.codecs.hl7v2.fhir.subjects import location, patient_reference
from careplane.codecs.hl7v2.message import Message, Segment
from careplane.records import JSON

_EVENTS = {"S15": "cancelled", "S16": "cancelled", "S17": "entered-in-error", "S26": "noshow"}
_FILLER = {
    "PENDING": "pending",
    "WAITLIST": "waitlist",
    "BOOKED": "booked",
    "STARTED": "arrived",
    "COMPLETE": "fulfilled",
    "CANCELLED": "cancelled",
    "DC": "cancelled",
    "DELETED": "entered-in-error",
    "NOSHOW": "noshow",
    "BLOCKED": "booked",
    "OVERBOOK": "booked",
}
_MINUTES = {"S": 1 / 60, "SEC": 1 / 60, "MIN": 1.0, "MINUTES": 1.0, "M": 1.0, "H": 60.0, "HR": 60.0, "HOURS": 60.0}


def appointments(message: Message, site: Site) -> list[JSON]:
    """The appointment of a SIU message."""
    schedule = message.first("SCH")
    if schedule is None:
        return []
    facility = facility_of(message)
    parts = [(schedule.part(2), "FILL"), (schedule.part(1), "PLAC")]
    numbers = [one for part, kind in parts if (one := entity(part, site, facility, kind))]
    key = (numbers[0]["system"], numbers[0]["value"]) if numbers else (message.sender, message.control)
    start, end = _times(message, schedule, site)
    status = _EVENTS.get(message.header.text(9, 2)) or _FILLER.get(schedule.text(25).upper(), "booked")
    return [
        without_empty(
            {
                "resourceType": "Appointment",
                "id": resource_id("Appointment", *key),
                "identifier": numbers,
                "status": status if start or status not in ("booked", "arrived", "fulfilled") else "pending",
                "serviceType": each((one.part(3) for one in message.all("AIS")), concept),
                "appointmentType": concept(schedule.part(8)),
                "reasonCode": each([schedule.part(7)], concept),
                "description": clean(schedule.text(7, 2) or schedule.text(7)),
                "start": start,
                "end": end,
                "comment": "\n".join(text_of(note, 3) for note in message.all("NTE") if note.text(3)),
                "participant": _participants(message, site),
            }
        )
    ]


def _times(message: Message, schedule: Segment, site: Site) -> tuple[str | None, str | None]:
    """When it begins and ends: SCH-11 (to 2.4), TQ1-7 and TQ1-8, or the first resource and its duration."""
    timing = message.first("TQ1")
    told = [(schedule.text(11, 4), schedule.text(11, 5))]
    told += [(timing.text(7), timing.text(8))] if timing else []
    told += [
        (one.text(number), "") for name, number in (("AIS", 4), ("AIP", 6), ("AIL", 6)) for one in message.all(name)
    ]
    for first, last in told:
        start = _instant(first, site)
        if start:
            return start, _instant(last, site) or _after(start, schedule)
    return None, None


def _instant(text: str, site: Site) -> str | None:
    found = date_time(text, site.zone) if len(text) >= 10 else None
    return found if found and "T" in found else None


def _after(start: str, schedule: Segment) -> str | None:
    """SCH-9 is the duration, SCH-10 its unit (minutes by default)."""
    minutes = _MINUTES.get(schedule.text(10).upper(), 1.0)
    try:
        return (datetime.fromisoformat(start) + timedelta(minutes=float(schedule.text(9)) * minutes)).isoformat()
    except (ValueError, OverflowError):
        return None


def _participants(message: Message, site: Site) -> list[JSON]:
    """Patient, places and people. An Appointment needs one: without a patient, whoever was booked."""
    subject = patient_reference(message, site)
    who = partial(practitioner, site=site, facility=facility_of(message))
    actors: list[JSON] = [{"reference": subject}] if subject else []
    for segment in message.all("AIL"):
        where = location(segment.part(3), message, site)
        actors += [{"reference": f"Location/{where['id']}", "display": where["name"]}] if where else []
    actors += [one for segment in message.all("AIP") for one in each([segment.part(3)], who)]
    found = [{"actor": one, "status": "accepted"} for one in actors]
    return found or [{"type": [{"text": "not named"}], "status": "needs-action"}]


def places(message: Message, site: Site) -> list[JSON]:
    """The locations that were booked."""
    return each((segment.part(3) for segment in message.all("AIL")), lambda part: location(part, message, site))
