"""What a resource from outside may be before anything looks into it: size, nesting, and the few types that all rely on.

The largest resource that an EHR's own export may hold is a line of 16 MB (:mod:`careplane.store.lake_chunks`); what an
app reads or a notification carries is far smaller. FHIR R4 itself nests about a dozen levels; QuestionnaireResponses
and contained Bundles some dozen more.
"""

import re

import orjson

from careplane.codecs.fhir.types import ID_PATTERN, RESOURCE_TYPES
from careplane.errors import InputError
from careplane.records import JSON

MAX_RESOURCE_BYTES = 8 * 1024 * 1024
MAX_DEPTH = 64

_KNOWN = RESOURCE_TYPES | {"SubscriptionStatus"}
"""R4, and the type of R4B and R5 that notifications to R4 systems carry (Subscriptions R5 Backport)."""

_ID = re.compile(ID_PATTERN)


def parse_resource(content: bytes, largest: int = MAX_RESOURCE_BYTES) -> JSON:
    """One resource from its JSON.

    Raises:
        InputError: too large, not JSON, not an object, nested too deeply, or not a resource of FHIR R4; says which, and
            nothing of the content.
    """
    if len(content) > largest:
        raise InputError(f"is larger than {largest // 1024 // 1024} MB")
    try:
        value = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise InputError("is not JSON, or nested too deeply") from error
    return check_resource(value)


def check_resource(value: object) -> JSON:
    """The value itself, when it is a resource that may be looked into.

    Raises:
        InputError: not an object, nested too deeply, or with a type, id or meta that is none.
    """
    if not isinstance(value, dict):
        raise InputError("is not a JSON object")
    if deeper_than(value, MAX_DEPTH):
        raise InputError(f"is nested deeper than {MAX_DEPTH} levels")
    kind = value.get("resourceType")
    if not isinstance(kind, str) or kind not in _KNOWN:
        raise InputError("is not a resource of FHIR R4", field="resourceType")
    ident = value.get("id")
    if ident is not None and not (isinstance(ident, str) and _ID.fullmatch(ident)):
        raise InputError("is not a FHIR id", field="id")
    if not isinstance(value.get("meta", {}), dict):
        raise InputError("is not an object", field="meta")
    return value


def deeper_than(value: object, depth: int) -> bool:
    """Whether objects and lists nest deeper than ``depth``; walks no deeper than that."""
    level = [value]
    for _ in range(depth):
        level = [
            inner
            for node in level
            for inner in (node.values() if isinstance(node, dict) else node if isinstance(node, list) else ())
            if isinstance(inner, (dict, list))
        ]
        if not level:
            return False
    return True
