"""Careplane's own part of a request, the same in every dialect: ``{"careplane": {...}}`` in the body."""

import re
from typing import Any

from careplane.codecs import fields
from careplane.codecs.dialect import Options
from careplane.errors import InputError
from careplane.records import JSON

_ID = re.compile(r"[A-Za-z0-9.\-]{1,64}")
_WORD = re.compile(r"[A-Za-z0-9_./\-]{1,64}")


def read_options(given: object, messages: int) -> Options:
    """The options of a request with so many messages; ``None`` when the client gave none.

    Raises:
        InputError: an option is unknown or not of its type.
    """
    if given is None:
        return Options()
    own = fields.read_fields(fields.a_dict(given, "careplane"), CHECKS, "careplane.")
    untrusted = own.get("untrusted", ())
    if any(position >= messages for position in untrusted):
        raise InputError(f"there are only {messages} messages, counted from 0", field="careplane.untrusted")
    return Options(**own)


def _context(value: object, field: str) -> tuple[JSON, ...]:
    bundle = fields.a_dict(value, field)
    if bundle.get("resourceType") != "Bundle":
        raise InputError("must be a FHIR Bundle", field=field)
    entries = fields.a_list([] if (entry := bundle.get("entry")) is None else entry, f"{field}.entry")
    resources: list[Any] = [entry.get("resource") if type(entry) is dict else None for entry in entries]
    for i, resource in enumerate(resources):
        if type(resource) is not dict or type(resource.get("resourceType")) is not str:
            raise InputError("must hold a resource", field=f"{field}.entry[{i}]")
    return tuple(resources)


def _reference(kind: str) -> fields.Check:
    def check(value: object, field: str) -> str:
        ident = fields.text(value, field).removeprefix(f"{kind}/")
        if _ID.fullmatch(ident) is None:
            raise InputError(f"must be a reference such as {kind}/123", field=field)
        return f"{kind}/{ident}"

    return check


def word(value: object, field: str) -> str:
    """A name of a client's own: of a site, or of a conversation.

    Raises:
        InputError: it is not 1 to 64 of the characters that names have.
    """
    if _WORD.fullmatch(given := fields.text(value, field)) is None:
        raise InputError("must be 1 to 64 letters, digits or any of _ . / -", field=field)
    return given


def _purpose(value: object, field: str) -> str:
    """A purpose of use, as a manifest says it or as HL7 codes it (v3 ActReason); kept in the manifest's words."""
    given = fields.text(value, field)
    purpose = _PURPOSES.get(given)
    if purpose is None:
        raise InputError(f"must be one of {', '.join(_PURPOSES)}", field=field)
    return purpose


_PURPOSES = {
    "treatment": "treatment",
    "payment": "payment",
    "operations": "operations",
    "research": "research",
    "TREAT": "treatment",
    "ETREAT": "treatment",
    "HPAYMT": "payment",
    "HOPERAT": "operations",
    "HRESCH": "research",
}


def _untrusted(value: object, field: str) -> tuple[int, ...]:
    positions: list[Any] = fields.a_list(value, field)
    if not all(type(one) is int and one >= 0 for one in positions):
        raise InputError("must be positions of messages, counted from 0", field=field)
    return tuple(sorted(set(positions)))


CHECKS: dict[str, fields.Check] = {
    "context": _context,
    "patient": _reference("Patient"),
    "encounter": _reference("Encounter"),
    "purpose": _purpose,
    "site": word,
    "untrusted": _untrusted,
    "conversation": word,
    "cache": fields.flag,
}
