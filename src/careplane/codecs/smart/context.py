"""The launch context that comes with an access token (SMART App Launch 2.2, "Scopes for requesting context data")."""

import re
from collections.abc import Mapping
from typing import Any

from careplane.codecs.fhir import RESOURCE_TYPES
from careplane.errors import InputError
from careplane.records import JSON, Record

ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
MAX_CONTEXTS = 100
MAX_TEXT = 2000


class ContextItem(Record, frozen=True):
    """One entry of ``fhirContext``: at least one of a reference, a canonical or an identifier (``system|value``), with
    what it is there for (``role``, by default ``launch``)."""

    reference: str | None = None
    canonical: str | None = None
    identifier: str | None = None
    type: str | None = None
    role: str = "launch"


class LaunchContext(Record, frozen=True):
    """Where the EHR was when it launched. ``patient`` and ``encounter`` are references (``Patient/123``).

    ``banner`` is ``need_patient_banner``: unless the EHR says that it shows one itself, we show one. ``app_context`` is
    what a CDS Hooks link carried for us.
    """

    patient: str | None = None
    encounter: str | None = None
    fhir_context: tuple[ContextItem, ...] = ()
    banner: bool = True
    intent: str | None = None
    tenant: str | None = None
    app_context: str | None = None


def read_context(given: Mapping[str, Any]) -> LaunchContext:
    """The launch context of a token response.

    Raises:
        InputError: a field has the wrong type, or an id or reference is not one.
    """
    banner = given.get("need_patient_banner", True)
    if type(banner) is not bool:
        raise InputError("must be true or false", field="need_patient_banner")
    return LaunchContext(
        patient=_id(given, "patient", "Patient"),
        encounter=_id(given, "encounter", "Encounter"),
        fhir_context=_items(given.get("fhirContext")),
        banner=banner,
        intent=_text(given, "intent"),
        tenant=_text(given, "tenant"),
        app_context=_text(given, "appContext"),
    )


def relative_reference(text: str, field: str) -> str:
    """A reference as ``Type/id``.

    Raises:
        InputError: it is none.
    """
    kind, slash, ident = text.partition("/")
    if not slash or kind not in RESOURCE_TYPES or not ID.fullmatch(ident):
        raise InputError("must be a reference such as Patient/123", field=field)
    return text


def _id(given: Mapping[str, Any], field: str, kind: str) -> str | None:
    """The reference behind a bare id; some servers give the whole reference, which is taken too."""
    value = given.get(field)
    if value is None:
        return None
    bare = value.removeprefix(f"{kind}/") if type(value) is str else ""
    if not ID.fullmatch(bare):
        raise InputError("must be the id of a resource", field=field)
    return f"{kind}/{bare}"


def _text(given: Mapping[str, Any], field: str) -> str | None:
    value = given.get(field)
    if value is None or value == "":
        return None
    if type(value) is not str or len(value) > MAX_TEXT:
        raise InputError(f"must be a text of at most {MAX_TEXT} characters", field=field)
    return value


def _items(value: object) -> tuple[ContextItem, ...]:
    if value is None:
        return ()
    if type(value) is not list or len(value) > MAX_CONTEXTS:
        raise InputError(f"must be a list of at most {MAX_CONTEXTS} objects", field="fhirContext")
    return tuple(_item(one, f"fhirContext[{at}]") for at, one in enumerate(value))


def _item(given: object, field: str) -> ContextItem:
    if type(given) is not dict:
        raise InputError("must be an object", field=field)
    reference, canonical = given.get("reference"), _text(given, "canonical")
    identifier = _identifier(given.get("identifier"), field)
    if reference is None and canonical is None and identifier is None:
        raise InputError("must hold a reference, a canonical or an identifier", field=field)
    if reference is not None:
        reference = relative_reference(str(reference), f"{field}.reference")
    return ContextItem(
        reference=reference,
        canonical=canonical,
        identifier=identifier,
        type=_text(given, "type"),
        role=_role(given, field),
    )


def _role(given: JSON, field: str) -> str:
    """By default ``launch``; an empty role is not allowed (2.2)."""
    value = given.get("role", "launch")
    if type(value) is not str or not 0 < len(value) <= MAX_TEXT:
        raise InputError("must be a text that is not empty", field=f"{field}.role")
    return value


def _identifier(value: object, field: str) -> str | None:
    if value is None:
        return None
    if type(value) is not dict or type(value.get("value")) is not str:
        raise InputError("must be an Identifier with a value", field=f"{field}.identifier")
    return f"{value.get('system', '')}|{value['value']}"[:MAX_TEXT]
