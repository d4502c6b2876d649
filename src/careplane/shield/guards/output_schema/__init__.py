"""Output schema: a reply that promises JSON meets its schema, or is refused with the place where it does not."""

import re

from careplane.errors import InputError
from careplane.records import JSON
from careplane.shield.guards.json_schema import compile_schema, strict_json, violations
from careplane.shield.guards.verdict import ALLOWED, Verdict, refusal, verdict

_RULE = "output_schema"
_WAY_OUT = "Ask again, or loosen the schema of the app."
_FENCED = re.compile(r"\s*```(?:json)?\s*\n(.*)\n\s*```\s*", re.DOTALL | re.IGNORECASE)


def validate_output(schema: JSON | None, text: str) -> Verdict:
    """Judge a whole reply by a JSON schema; ``None`` asks for a JSON object only (``response_format: json_object``).

    A code fence around the whole reply is tolerated, as models add one; :func:`unfenced` takes it off. The reasons name
    the path and what is expected there, never the value.

    Raises:
        InputError: the schema itself is wrong (see :func:`careplane.shield.guards.json_schema.compile_schema`).
    """
    validator = compile_schema(schema if schema is not None else {"type": "object"})
    try:
        value = strict_json(unfenced(text))
    except InputError as error:
        return verdict((refusal(_RULE, f"The reply {error.message}.", _WAY_OUT),))
    wrong = violations(validator, value)
    if not wrong:
        return ALLOWED
    return verdict(tuple(refusal(_RULE, f"The reply at {path} {what}.", _WAY_OUT) for path, what in wrong))


def schema_of(response_format: object) -> tuple[bool, JSON | None]:
    """Whether a canonical ``response_format`` asks for JSON, and by which schema.

    Raises:
        InputError: it is not one of ``text``, ``json_object`` and ``json_schema``.
    """
    if response_format is None:
        return False, None
    kind = response_format.get("type") if isinstance(response_format, dict) else None
    if kind == "text":
        return False, None
    if kind == "json_object":
        return True, None
    inner = response_format.get("json_schema") if isinstance(response_format, dict) else None
    schema = inner.get("schema", {}) if isinstance(inner, dict) else None
    if kind != "json_schema" or not isinstance(schema, dict):
        raise InputError("must be text, json_object, or json_schema with a schema", field="response_format")
    return True, schema


def unfenced(text: str) -> str:
    """The text without a code fence around the whole of it."""
    found = _FENCED.fullmatch(text)
    return found[1] if found else text


__all__ = ["schema_of", "unfenced", "validate_output"]
