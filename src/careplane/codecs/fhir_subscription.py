"""Subscriptions on the wire: the resource that asks for notifications, and the notifications that come.

Three forms are read. FHIR R4's own rest-hook carries nothing or the resource (hl7.org/fhir/R4/subscription.html). The
Subscriptions R5 Backport (hl7.org/fhir/uv/subscriptions-backport, 1.1) sends a Bundle of type ``history`` whose first
entry is a SubscriptionStatus as R4 Parameters; R4B and R5 send a Bundle of type ``subscription-notification`` (or
``history``) whose first entry is a SubscriptionStatus resource.

Everything here is pure. What is no notification is an :class:`~careplane.errors.InputError` that names the field and
repeats nothing of what came.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Literal, cast, get_args

from careplane.codecs.fhir import check_resource, parse_reference, reference
from careplane.errors import InputError
from careplane.records import JSON, Record

Kind = Literal["handshake", "heartbeat", "event-notification", "query-status", "query-event"]

MAX_EVENTS = 1000
BACKPORT = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition"
PROFILE = f"{BACKPORT}/backport-subscription"
_BUNDLES = ("history", "subscription-notification", "searchset")
_HTTP = ("http://", "https://")
_DIGITS = re.compile(r"[0-9]{1,15}")
_BASE = re.compile(r"(.*/)?([A-Z][A-Za-z]+/[A-Za-z0-9\-.]{1,64}(?:/_history/[A-Za-z0-9\-.]{1,64})?)")


class NotifiedEvent(Record, frozen=True):
    """One event of a notification: its number since the start, and what it is about (``Type/id``), where it is told."""

    number: int | None = None
    focus: str | None = None


class Notification(Record, frozen=True):
    """What a notification says. ``since_start`` counts all events of the subscription; ``resources`` came along, by
    ``Type/id``. Its text never shows a resource."""

    kind: Kind
    subscription: str
    status: str = ""
    topic: str = ""
    since_start: int | None = None
    events: tuple[NotifiedEvent, ...] = ()
    resources: Mapping[str, JSON] = {}

    def __repr__(self) -> str:
        return f"Notification({self.kind}, events={len(self.events)}, since_start={self.since_start})"


def parse_notification(bundle: JSON, server: str = "") -> Notification:
    """A notification of the backport, R4B or R5.

    Args:
        bundle: a checked resource.
        server: base URL of the server that sends. What an event is about must be there, or where the Subscription is:
            the same id on another server is somebody else.

    Raises:
        InputError: it is none; names the field.
    """
    if bundle.get("resourceType") != "Bundle" or bundle.get("type") not in _BUNDLES:
        raise InputError("must be a Bundle of type history or subscription-notification", field="Bundle.type")
    entries = bundle.get("entry")
    if not isinstance(entries, list) or not entries:
        raise InputError("must begin with a SubscriptionStatus", field="Bundle.entry")
    resources = [_resource(entry) for entry in entries]
    status = _status(resources[0])
    base, subscription = _split(status.get("subscription"), "subscription")
    if not subscription.startswith("Subscription/"):
        raise InputError("must be a reference to a Subscription", field="subscription")
    kind = status.get("type")
    if kind not in get_args(Kind):
        raise InputError(f"must be one of {', '.join(get_args(Kind))}", field="type")
    listed = status.get("events", [])
    if len(listed) > MAX_EVENTS:
        raise InputError(f"holds more than {MAX_EVENTS} events", field="notificationEvent")
    return Notification(
        kind=cast(Kind, kind),
        subscription=subscription,
        status=_word(status.get("status")),
        topic=_word(status.get("topic")),
        since_start=_number(status.get("since"), "eventsSinceSubscriptionStart"),
        events=tuple(_event(one, base or (f"{server.rstrip('/')}/" if server else "")) for one in listed),
        resources={reference(one): one for one in resources[1:] if one.get("id")},
    )


def _resource(entry: object) -> JSON:
    found = entry.get("resource") if isinstance(entry, dict) else None
    if found is None and isinstance(entry, dict):
        return {}  # an entry that tells a deletion has a request and no resource
    return check_resource(found)


def _status(resource: JSON) -> JSON:
    """The fields of a SubscriptionStatus in any of its forms, as they came, under names of ours."""
    kind = resource.get("resourceType")
    if kind == "SubscriptionStatus":
        return {
            "subscription": _of(resource.get("subscription"), "reference"),
            "type": resource.get("type"),
            "status": resource.get("status"),
            "topic": resource.get("topic"),
            "since": resource.get("eventsSinceSubscriptionStart"),
            "events": [
                {"number": one.get("eventNumber"), "focus": _of(one.get("focus"), "reference")}
                for one in _objects(resource.get("notificationEvent"))
            ],
        }
    if kind == "Parameters":
        return _of_parameters(resource)
    raise InputError("must begin with a SubscriptionStatus, as a resource or as Parameters", field="Bundle.entry[0]")


def _of_parameters(resource: JSON) -> JSON:
    found: JSON = {"events": []}
    names = {"events-since-subscription-start": "since", "subscription": "subscription", "topic": "topic"}
    for parameter in _objects(resource.get("parameter")):
        name = _kebab(parameter.get("name"))
        if name == "notification-event":
            parts = {_kebab(part.get("name")): _value(part) for part in _objects(parameter.get("part"))}
            found["events"].append({"number": parts.get("event-number"), "focus": parts.get("focus")})
        elif name in ("type", "status", *names):
            found[names.get(name, name)] = _value(parameter)
    return found


def _kebab(name: object) -> str:
    """Names come as ``event-number`` (backport 1.0) and as ``eventNumber``."""
    return re.sub(r"([A-Z])", lambda found: f"-{found[1].lower()}", name) if isinstance(name, str) else ""


def _value(parameter: JSON) -> object:
    for name, value in parameter.items():
        if name.startswith("value"):
            return _of(value, "reference") if isinstance(value, dict) else value
    return None


def _event(given: Mapping[str, object], base: str) -> NotifiedEvent:
    focus = given.get("focus")
    if focus is None:
        return NotifiedEvent(number=_number(given.get("number"), "eventNumber"))
    origin, target = _split(focus, "focus")
    if origin and base and origin != base:
        raise InputError("is a resource of another server than the Subscription", field="focus")
    return NotifiedEvent(number=_number(given.get("number"), "eventNumber"), focus=target.partition("/_history")[0])


def _split(value: object, field: str) -> tuple[str, str]:
    """The base ("" for a relative reference) and ``Type/id`` of a reference."""
    found = _BASE.fullmatch(value) if isinstance(value, str) and len(value) < 2048 else None
    if found is None or parse_reference(found[2]) is None or not (found[1] or "http://").startswith(_HTTP):
        raise InputError("must be a reference such as Type/id", field=field)
    return found[1] or "", found[2]


def _number(value: object, field: str) -> int | None:
    """A count; R5 writes integer64 as a text, the backport too."""
    if value is None:
        return None
    if isinstance(value, bool) or not _DIGITS.fullmatch(str(value)):
        raise InputError("must be a whole number", field=field)
    return int(str(value))


def _word(value: object) -> str:
    return value if isinstance(value, str) and len(value) < 512 else ""


def _of(value: object, name: str) -> object:
    return value.get(name) if isinstance(value, dict) else None


def _objects(value: object) -> Iterator[JSON]:
    return (one for one in (value if isinstance(value, list) else [value]) if isinstance(one, dict))


def rest_hook(criteria: str, url: str, header: str, reason: str, *, topic: str = "") -> JSON:
    """A Subscription that asks for notifications by HTTP.

    Without ``topic`` it is R4's own, with ``criteria`` such as ``Communication?`` and the resource as payload. With the
    canonical URL of a topic it follows the backport's profile, with ids only (``id-only``) and a heartbeat each minute.

    Args:
        criteria: a search, of R4's own form.
        url: where notifications go.
        header: one header line that each of them carries, which authenticates it.
        reason: why, for people who look at the EHR.
        topic: canonical URL.
    """
    channel: JSON = {"type": "rest-hook", "endpoint": url, "payload": "application/fhir+json", "header": [header]}
    subscription: JSON = {
        "resourceType": "Subscription",
        "status": "requested",
        "reason": reason,
        "criteria": topic or criteria,
        "channel": channel,
    }
    if topic:
        subscription["meta"] = {"profile": [PROFILE]}
        channel["extension"] = [{"url": f"{BACKPORT}/backport-heartbeat-period", "valueUnsignedInt": 60}]
        content = [{"url": f"{BACKPORT}/backport-payload-content", "valueCode": "id-only"}]
        channel["_payload"] = {"extension": content}
    return subscription
