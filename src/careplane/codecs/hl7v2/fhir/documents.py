"""Documents: TXA with its OBX segments as a DocumentReference."""

import base64
from functools import partial

from careplane.codecs.hl7v2.fhir.datatypes import V2_TABLE, clean, coded, concept, date_time, each, entity, practitioner
from careplane.codecs.hl7v2.fhir.results import attachments, text_of
from careplane.codecs.hl7v2.fhir.site import Site, facility_of, resource_id, without_empty
from careplane.codecs.hl7v2.fhir.subjects import encounter_reference, patient_reference
from careplane.codecs.hl7v2.message import Message, Part, Segment
from careplane.records import JSON

_DOC_STATUS = {
    "AU": "final",
    "LA": "final",
    "DI": "preliminary",
    "DO": "preliminary",
    "IN": "preliminary",
    "PA": "preliminary",
}
_CANCELLED = ("T11",)
_RELATIONS = {"T05": "appends", "T06": "appends", "T09": "replaces", "T10": "replaces"}


def documents(message: Message, site: Site) -> list[JSON]:
    """The document of an MDM message; its text and files are the content."""
    header = message.first("TXA")
    if header is None:
        return []
    event, facility = message.header.text(9, 2), facility_of(message)
    number = entity(header.part(12), site, facility)
    who = partial(practitioner, site=site, facility=facility)
    subject, visit = patient_reference(message, site), encounter_reference(message, site)
    parent = header.part(13)
    kind = header.text(2)
    when = next(filter(None, (date_time(header.text(one), site.zone) for one in (6, 7, 4))), None)
    return [
        without_empty(
            {
                "resourceType": "DocumentReference",
                "id": _id(header.part(12), message, site),
                "masterIdentifier": number,
                "identifier": [number] if number else None,
                "status": "entered-in-error" if event in _CANCELLED else "current",
                "docStatus": _DOC_STATUS.get(header.text(17)),
                "type": _type(header, kind),
                "subject": {"reference": subject} if subject else None,
                "date": when if when and "T" in when else None,
                "author": each(header.repetitions(9), who),
                "authenticator": next(iter(each(header.repetitions(22), who)), None),
                "relatesTo": _relation(event, parent, message, site),
                "description": clean(header.text(25)),
                "content": _content(message, clean(header.text(16)) or kind),
                "context": {"encounter": [{"reference": visit}]} if visit else None,
            }
        )
    ]


def _id(part: Part, message: Message, site: Site) -> str:
    number = entity(part, site, facility_of(message))
    key = (number["system"], number["value"]) if number else (message.sender, message.control)
    return resource_id("DocumentReference", *key)


def _type(header: Segment, kind: str) -> JSON | None:
    """TXA-2 is a code of table 0270, in later versions a coded element."""
    coding = coded(f"{V2_TABLE}0270", kind) if kind and kind.isupper() and len(kind) <= 3 else None
    return {"coding": [coding], "text": clean(header.text(2, 2)) or kind} if coding else concept(header.part(2))


def _relation(event: str, parent: Part, message: Message, site: Site) -> list[JSON] | None:
    if event not in _RELATIONS or not parent.text(1):
        return None
    target = f"DocumentReference/{_id(parent, message, site)}"
    return [{"code": _RELATIONS[event], "target": {"reference": target}}]


def _content(message: Message, title: str) -> list[JSON]:
    """FHIR demands one: a notification without a text has a title only."""
    found, lines = [], []
    for segment in message.all("OBX"):
        files = attachments(segment)
        found += [{"attachment": file} for file in files]
        if not files and segment.text(2) not in ("ED", "RP"):
            lines.append(text_of(segment, 5))
    text = "\n".join(lines).strip("\n")
    if text:
        data = base64.b64encode(text.encode()).decode()
        found.insert(0, {"attachment": {"contentType": "text/plain; charset=utf-8", "data": data, "title": title}})
    return found or [{"attachment": {"title": title or "Document"}}]
