"""Lines for the resources of administration: orders, claims and their answers, coverage, slots, services, plans, flags.

::

    2026-03-01 ServiceRequest: MRI of the lumbar spine (draft, routine, for low back pain); six weeks of therapy
    2026-03-09 ClaimResponse: Denied: medical necessity not shown (complete)
    2026-03-16 Slot: Follow-up visit (09:20 to 09:40, free)
"""

from careplane.codecs.fhir import datatypes as dt
from careplane.codecs.fhir.elements import as_list, as_object
from careplane.records import JSON


def service_request(resource: JSON) -> str:
    """The order, why, and what was noted with it."""
    reason = dt.concepts(resource.get("reasonCode"))
    what = dt.noted(
        dt.concept(resource.get("code")), *_plain(resource, "status", "priority"), f"for {reason}" if reason else ""
    )
    return dt.joined((what, _notes(resource)), "; ")


def claim(resource: JSON) -> str:
    """What was billed or asked for, for which diagnosis, and the amount."""
    for_what = [
        dt.concept(as_object(part).get("diagnosisCodeableConcept")) for part in as_list(resource.get("diagnosis"))
    ]
    items = [dt.concept(as_object(part).get("productOrService")) for part in as_list(resource.get("item"))]
    total = as_object(resource.get("total"))
    what = dt.joined((dt.joined(items, ", "), f"for {dt.joined(for_what, ', ')}" if for_what else ""))
    amount = dt.joined((dt.plain(total.get("value")), dt.plain(total.get("currency"))))
    return dt.noted(what or dt.concept(resource.get("type")), *_plain(resource, "use", "status"), amount)


def claim_response(resource: JSON) -> str:
    """What the payer answered, and why."""
    reasons = [dt.concept(as_object(part).get("code")) for part in as_list(resource.get("error"))]
    told = [dt.plain(as_object(part).get("text")) for part in as_list(resource.get("processNote"))]
    said = dt.noted(
        dt.plain(resource.get("disposition")) or dt.concept(resource.get("type")), *_plain(resource, "outcome")
    )
    return dt.joined((said, *reasons, *told), "; ")


def coverage(resource: JSON) -> str:
    """The plan and who pays."""
    payer = dt.joined((dt.plain(as_object(part).get("display")) for part in as_list(resource.get("payor"))), ", ")
    return dt.noted(dt.concept(resource.get("type")) or payer, payer, *_plain(resource, "status"))


def slot(resource: JSON) -> str:
    """When, for what, and whether it is free."""
    begins, ends = (dt.plain(resource.get(name))[11:16] for name in ("start", "end"))
    what = (
        dt.concept(resource.get("serviceType"))
        or dt.concept(resource.get("appointmentType"))
        or ("Appointment" if begins else "")
    )
    return dt.noted(what, f"{begins} to {ends}" if begins and ends else begins, *_plain(resource, "status"))


def healthcare_service(resource: JSON) -> str:
    """The service, what it says of itself, how to reach it and when."""
    hours = [_open(as_object(part)) for part in as_list(resource.get("availableTime"))]
    reach = [dt.plain(as_object(part).get("value")) for part in as_list(resource.get("telecom"))]
    return dt.joined((*_plain(resource, "name", "comment", "extraDetails"), *reach, *hours), "; ")


def care_plan(resource: JSON) -> str:
    """The plan and what is to be done."""
    steps = [
        dt.plain(as_object(as_object(part).get("detail")).get("description"))
        for part in as_list(resource.get("activity"))
    ]
    what = dt.noted(
        dt.plain(resource.get("title")) or dt.concept(resource.get("category")), *_plain(resource, "status")
    )
    return dt.joined((what, *_plain(resource, "description"), *steps), "; ")


def flag(resource: JSON) -> str:
    """What to watch for."""
    return dt.noted(dt.concept(resource.get("code")), *_plain(resource, "status"))


def _open(part: JSON) -> str:
    days = dt.joined((dt.plain(one) for one in as_list(part.get("daysOfWeek"))), ", ")
    begins, ends = (dt.plain(part.get(name))[:5] for name in ("availableStartTime", "availableEndTime"))
    return dt.joined((days, f"{begins} to {ends}" if begins and ends else ""))


def _plain(resource: JSON, *names: str) -> tuple[str, ...]:
    return tuple(dt.plain(resource.get(name)) for name in names)


def _notes(resource: JSON) -> str:
    return dt.joined((dt.plain(as_object(note).get("text")) for note in as_list(resource.get("note"))), "; ")
