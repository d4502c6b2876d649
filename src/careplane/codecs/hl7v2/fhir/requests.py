"""Orders and charges: ORC and OBR as ServiceRequest, FT1 as ChargeItem."""

import re
from functools import partial

from careplane.codecs.hl7v2.fhir.datatypes import clean, concept, date_time, each, practitioner
from careplane.codecs.hl7v2.fhir.results import Order, order_numbers, orders
from careplane.codecs.hl7v2.fhir.site import Site, facility_of, resource_id, without_empty
from careplane.codecs.hl7v2.fhir.subjects import encounter_reference, patient_reference
from careplane.codecs.hl7v2.message import Message
from careplane.records import JSON

_CONTROLS = {
    **dict.fromkeys(("CA", "OC", "CR", "DC", "OD", "DR"), "revoked"),
    **dict.fromkeys(("HD", "OH", "HR"), "on-hold"),
    "DE": "entered-in-error",
}
_STATUSES = {"CM": "completed", "CA": "revoked", "DC": "revoked", "HD": "on-hold", "ER": "entered-in-error"}
_PRIORITIES = {"S": "stat", "A": "asap", "R": "routine", "C": "routine", "T": "urgent", "P": "urgent"}


def requests(message: Message, site: Site) -> list[JSON]:
    """A ServiceRequest for each order of ORM, OMG and OML messages."""
    return [_request(one, index, message, site) for index, one in enumerate(orders(message))]


def _request(one: Order, index: int, message: Message, site: Site) -> JSON:
    numbers = order_numbers(one, message, site)
    key = (numbers[0]["system"], numbers[0]["value"]) if numbers else (message.sender, message.control, str(index))
    subject, visit = patient_reference(message, site), encounter_reference(message, site)
    control = one.order.text(1) if one.order else ""
    state = one.order.text(5) if one.order else ""
    who = partial(practitioner, site=site, facility=facility_of(message))
    asked = [one.request.part(16), *([one.order.part(12)] if one.order else [])]
    timing = message.first("TQ1")
    priority = one.request.text(27, 6) or (timing.text(9) if timing else "") or one.request.text(5)
    return without_empty(
        {
            "resourceType": "ServiceRequest",
            "id": resource_id("ServiceRequest", *key),
            "identifier": numbers,
            "status": _CONTROLS.get(control) or _STATUSES.get(state, "active"),
            "intent": "order",
            "priority": _PRIORITIES.get(priority.upper()),
            "code": concept(one.request.part(4)),
            "subject": {"reference": subject} if subject else {"display": "not named"},
            "encounter": {"reference": visit} if visit else None,
            "authoredOn": date_time(one.order.text(9), site.zone) if one.order else None,
            "requester": next(iter(each(asked, who)), None),
            "reasonCode": each(one.request.repetitions(31), concept),
            "note": [{"text": text} for text in one.notes if text],
        }
    )


def charges(message: Message, site: Site) -> list[JSON]:
    """A ChargeItem for each FT1 of a DFT message."""
    subject, visit = patient_reference(message, site), encounter_reference(message, site)
    return [
        without_empty(
            {
                "resourceType": "ChargeItem",
                "id": resource_id("ChargeItem", message.sender, message.control, str(index), segment.text(2)),
                "identifier": [{"value": clean(segment.text(2))}] if segment.text(2) else None,
                "status": "billable",
                "code": concept(segment.part(25)) or concept(segment.part(7)) or {"text": "Charge"},
                "subject": {"reference": subject} if subject else {"display": "not named"},
                "context": {"reference": visit} if visit else None,
                "occurrenceDateTime": date_time(segment.text(4), site.zone),
                "quantity": {"value": int(segment.text(10))} if segment.text(10).isdecimal() else None,
                "priceOverride": _money(segment.text(22) or segment.text(11), segment.text(11, 1, 2)),
                "reason": each(segment.repetitions(19), concept),
            }
        )
        for index, segment in enumerate(message.all("FT1"))
    ]


def _money(amount: str, currency: str) -> JSON | None:
    if not re.fullmatch(r"-?\d+(\.\d+)?", amount):
        return None
    return without_empty({"value": float(amount), "currency": currency if re.fullmatch("[A-Z]{3}", currency) else None})
