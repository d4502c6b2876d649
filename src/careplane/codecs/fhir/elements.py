"""Elements of a resource: references, its patient, its date, a selection of its fields."""

import re
from collections.abc import Collection, Iterator

from careplane.codecs.fhir.types import CHOICE_TYPES, ID_PATTERN
from careplane.records import JSON

PATIENT_PATHS: tuple[tuple[str, ...], ...] = (
    ("subject",),
    ("patient",),
    ("beneficiary",),
    ("individual",),
    ("for",),
    ("candidate",),
    ("sender",),
    ("recipient",),
    ("participant", "actor"),
    ("entity", "what"),
    ("agent", "who"),
    ("target",),
)
"""Where the patient of a resource stands, most telling first."""

_DATE_ELEMENTS = (
    "effective",
    "occurrence",
    "performed",
    "onset",
    "sent",
    "start",
    "started",
    "authoredOn",
    "period",
    "date",
    "recordedDate",
    "recorded",
    "received",
    "serviced",
    "billablePeriod",
    "executionPeriod",
    "whenHandedOver",
    "collected",
    "dateAsserted",
    "statusDate",
    "created",
    "issued",
    "identified",
    "authored",
)
_RELATIVE = re.compile(rf"([A-Z][A-Za-z]+)/({ID_PATTERN})(?:/_history/{ID_PATTERN})?")
_ANY_LITERAL = re.compile(rf"(?:https?://\S*/)?([A-Z][A-Za-z]+/{ID_PATTERN})(?:/_history/{ID_PATTERN})?")
_PATIENT = re.compile(rf"(?:^|/)Patient/({ID_PATTERN})(?:/_history/.*)?$")


def as_list(value: object) -> list[object]:
    """An element as a list: repeated elements as they are, a single one alone, none empty."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def as_object(value: object) -> JSON:
    """An element as a JSON object; anything else is empty."""
    return value if isinstance(value, dict) else {}


def first_object(value: object) -> JSON:
    """The first object of an element that may repeat."""
    return next((item for item in as_list(value) if isinstance(item, dict)), {})


def choice(resource: JSON, name: str) -> tuple[str, object] | None:
    """The data type and value of a choice element: ``choice(o, "value") == ("Quantity", {...})``."""
    for key, value in resource.items():
        if key.startswith(name) and key[len(name) :] in CHOICE_TYPES and value is not None:
            return key[len(name) :], value
    return None


def reference(resource: JSON) -> str:
    """``Type/id`` of a resource; a part that is missing is empty."""
    return f"{resource.get('resourceType', '')}/{resource.get('id', '')}"


def parse_reference(target: str) -> tuple[str, str] | None:
    """Type and id of a literal relative reference, its version left out; ``None`` for anything else."""
    found = _RELATIVE.fullmatch(target)
    return (found[1], found[2]) if found else None


def short_reference(target: str) -> str | None:
    """``Type/id`` of a literal reference, absolute or versioned; ``None`` for a fragment, a URN or a search."""
    found = _ANY_LITERAL.fullmatch(target)
    return found[1] if found else None


def references(resource: JSON) -> Iterator[str]:
    """All literal references in a resource, in document order, contained resources included.

    ``Type/id``, absolute URLs, conditional references (``Type?identifier=...``) and fragments (``#id``) as written.
    """
    pending: list[object] = [resource]
    while pending:
        node = pending.pop()
        if isinstance(node, list):
            pending.extend(reversed(node))
        elif isinstance(node, dict):
            if isinstance(node.get("reference"), str):
                yield node["reference"]
            pending.extend(value for value in reversed(node.values()) if isinstance(value, (dict, list)))


def patient_of(resource: JSON) -> str | None:
    """``Patient/id`` of the patient whom a resource is about, or ``None``.

    An absolute URL or a versioned reference is shortened to ``Patient/id``.
    """
    if resource.get("resourceType") == "Patient":
        return reference(resource) if resource.get("id") else None
    for path in PATIENT_PATHS:
        for target in _targets(resource, path):
            found = _PATIENT.search(target)
            if found:
                return f"Patient/{found[1]}"
    return None


def _targets(resource: JSON, path: tuple[str, ...]) -> Iterator[str]:
    nodes: list[object] = [resource]
    for name in path:
        nodes = [item for node in nodes for item in as_list(as_object(node).get(name))]
    for node in nodes:
        target = as_object(node).get("reference")
        if isinstance(target, str):
            yield target


def date_of(resource: JSON) -> str | None:
    """When what a resource tells happened: a FHIR date, dateTime or instant as written, or ``None``.

    The clinically telling date comes first (effective, occurrence, onset, sent, start of the period), then the
    administrative ones. The time of the last technical update is never taken.
    """
    for name in _DATE_ELEMENTS:
        value = resource.get(name)
        typed = choice(resource, name) if value is None else ("", value)
        found = _date_text(typed[1]) if typed else None
        if found:
            return found
    return None


def _date_text(value: object) -> str | None:
    if isinstance(value, str):
        return value if re.match(r"\d{4}(-|$)", value) else None
    period = as_object(value)
    events = as_list(period.get("event"))
    for bound in (period.get("start"), events[0] if events else None, period.get("end")):
        if isinstance(bound, str) and bound:
            return bound
    return None


def select_fields(resource: JSON, fields: Collection[str]) -> JSON:
    """The resource with only ``resourceType``, ``id`` and the named top-level elements.

    Naming a choice element by its stem (``value`` or ``value[x]``) keeps it in whatever type it came
    (``valueQuantity``); the extension of a primitive (``_birthDate``) stays with its element.
    """
    stems = {field.removesuffix("[x]") for field in fields} | {"resourceType", "id"}
    return {key: value for key, value in resource.items() if _selected(key.removeprefix("_"), stems)}


def _selected(key: str, stems: Collection[str]) -> bool:
    if key in stems:
        return True
    return any(key.startswith(stem) and key[len(stem) :] in CHOICE_TYPES for stem in stems)
