"""What an EHR posts to a service (CDS Hooks 2.0, "Calling a CDS Service").

A call of a hook that nobody has heard of is a call like any other: what it is about is read from the fields of its
context that the published hooks share.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from msgspec import Meta

from careplane.codecs.cdshooks.reading import convert
from careplane.codecs.fhir import RESOURCE_TYPES, reference
from careplane.codecs.fhir.types import ID_PATTERN
from careplane.codecs.strict_json import depth, read_object
from careplane.errors import InputError
from careplane.records import JSON, Record

MAX_DEPTH = 96
"""Levels of objects and lists in a call; no real FHIR resource nests half as deep."""
MAX_RESOURCES = 5000

Word = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[^\s\x00-\x1f\x7f]+$")]
_ID = re.compile(ID_PATTERN)
_DRAFTS = ("draftOrders", "appointments", "fulfillmentTasks", "task", "medications", "conditions")


class FhirAuthorization(Record, frozen=True, forbid_unknown_fields=False):
    """A token for the EHR's FHIR server, for this call alone. It is never shown, stored or logged."""

    access_token: Annotated[str, Meta(min_length=1, max_length=16_384, pattern=r"^[\x21-\x7e]+$")]
    token_type: Annotated[str, Meta(pattern=r"^[Bb]earer$")]
    expires_in: Annotated[int, Meta(ge=0)]
    scope: Annotated[str, Meta(max_length=8192)]
    subject: Annotated[str, Meta(min_length=1, max_length=1024)]
    patient: str | None = None

    def __repr__(self) -> str:
        return "FhirAuthorization(a token)"


class HookCall(Record, frozen=True, rename="camel", forbid_unknown_fields=False):
    """One call. ``context`` and ``prefetch`` are as they came; the properties read what runs need from them."""

    hook: Word
    hook_instance: Word
    context: dict[str, Any]
    fhir_server: Annotated[str, Meta(max_length=2048)] | None = None
    fhir_authorization: FhirAuthorization | None = None
    prefetch: dict[str, Any] | None = None
    extension: dict[str, Any] | None = None

    @property
    def patient(self) -> str | None:
        """``Patient/id`` of the patient in context."""
        return _reference(self.context.get("patientId"), "Patient")

    @property
    def encounter(self) -> str | None:
        """``Encounter/id`` of the encounter in context."""
        return _reference(self.context.get("encounterId"), "Encounter")

    @property
    def user(self) -> str | None:
        """``Type/id`` of who is at work."""
        return _reference(self.context.get("userId"), None)

    @property
    def focus(self) -> str | None:
        """What the hook is about beside its patient: the first selected order, the order, or the first draft."""
        selected = self.context.get("selections") or self.context.get("dispatchedOrders")
        named = [*selected] if isinstance(selected, list) else [self.context.get("order")]
        found = next((one for one in (_reference(name, None) for name in named) if one), None)
        return found or next((reference(one) for one in self.drafts if one.get("id")), None)

    @property
    def drafts(self) -> tuple[JSON, ...]:
        """Resources that the hook itself carries (draft orders, appointments) and that are in no chart yet."""
        return tuple(one for name in _DRAFTS for one in resources_in(self.context.get(name)))


def read_call(body: bytes, *, hooks: tuple[str, ...]) -> HookCall:
    """The call in a body; ``hooks`` are those of the service that was called.

    Raises:
        InputError: it is no call, is for another hook, or sends a token without saying for which server.
    """
    given = read_object(body)
    if depth(given, MAX_DEPTH) > MAX_DEPTH:
        raise InputError(f"the call is nested more than {MAX_DEPTH} levels deep")
    call = convert(given, HookCall)
    if call.hook not in hooks:
        raise InputError(f"this service answers {' and '.join(hooks)}", field="hook")
    if call.fhir_authorization is not None and not call.fhir_server:
        raise InputError("is required where fhirAuthorization is sent", field="fhirServer")
    for name, kind in (("patientId", "Patient"), ("encounterId", "Encounter"), ("userId", None)):
        if call.context.get(name) is not None and _reference(call.context[name], kind) is None:
            raise InputError("must be a FHIR id" if kind else "must be Type/id", field=f"context.{name}")
    _check_token(call)
    return call


def resources_in(value: object) -> Iterator[JSON]:
    """The resources in a Bundle, a list, or a single one; anything else holds none."""
    items = value if isinstance(value, list) else [value]
    for item in items[:MAX_RESOURCES]:
        if not isinstance(item, dict) or not isinstance(item.get("resourceType"), str):
            continue
        if item["resourceType"] != "Bundle":
            yield item
            continue
        entries = item.get("entry")
        for entry in entries[:MAX_RESOURCES] if isinstance(entries, list) else ():
            inner = entry.get("resource") if isinstance(entry, dict) else None
            if isinstance(inner, dict) and isinstance(inner.get("resourceType"), str):
                yield inner


def primitives(context: Mapping[str, Any]) -> dict[str, str]:
    """What prefetch tokens may name: the root-level fields with a primitive value, as text."""
    found = {}
    for name, value in context.items():
        if isinstance(value, bool):
            found[name] = "true" if value else "false"
        elif isinstance(value, str | int | float):
            found[name] = str(value)
    return found


def _check_token(call: HookCall) -> None:
    """A token that is restricted to a patient must be for the one in context."""
    token = call.fhir_authorization
    if token is None or not token.patient or call.patient is None:
        return
    if _reference(token.patient, "Patient") != call.patient:
        raise InputError("is another patient than the one in context", field="fhirAuthorization.patient")


def _reference(value: object, kind: str | None) -> str | None:
    """``Type/id`` of an id or a reference; without ``kind`` the type must come with it."""
    if not isinstance(value, str):
        return None
    given, slash, ident = value.rpartition("/")
    if slash and given not in ((kind,) if kind else RESOURCE_TYPES):
        return None
    if not _ID.fullmatch(ident) or (not slash and kind is None):
        return None
    return f"{given or kind}/{ident}"
