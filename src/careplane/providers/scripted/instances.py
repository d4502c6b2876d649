"""A small instance of a JSON Schema: what the scripted model writes where JSON is wanted. It fills in, no more.

Choices are the first ones, numbers the lowest, lists the shortest. The first free text holds what the model would have
written without a schema; other texts are ``scripted``.
"""

import json
from typing import Any

from careplane.errors import UpstreamRejected
from careplane.records import JSON

_DEPTH = 32
_FORMATS = {
    "date": "2026-01-01",
    "date-time": "2026-01-01T00:00:00Z",
    "time": "00:00:00Z",
    "email": "scripted@example.org",
    "uri": "https://example.org/scripted",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


class Writer:
    """Writes one instance of a schema."""

    def __init__(self, schema: JSON, text: str) -> None:
        self._root = schema
        self._text: str | None = text

    def write(self) -> str:
        """The instance, as JSON text.

        Raises:
            UpstreamRejected: the schema asks for something that takes more than filling in.
        """
        return json.dumps(self._value(self._root, 0), ensure_ascii=False)

    def _value(self, given: Any, depth: int) -> Any:
        if depth > _DEPTH:
            raise UpstreamRejected("The scripted model does not fill in a schema that has no end.")
        schema = self._plain(given if isinstance(given, dict) else {}, depth)
        for name in ("const", "default"):
            if name in schema:
                return schema[name]
        return schema["enum"][0] if schema.get("enum") else self._filled(schema, depth)

    def _filled(self, schema: JSON, depth: int) -> Any:
        least = schema.get("minimum", schema.get("exclusiveMinimum", -1) + 1)
        match self._kind(schema):
            case "object":
                return self._object(schema, depth)
            case "array":
                return [self._value(schema.get("items", {}), depth + 1) for _ in range(schema.get("minItems", 0))]
            case "integer":
                return int(least)
            case "number":
                return least
            case "boolean":
                return False
            case "null":
                return None
        return self._string(schema)

    def _plain(self, schema: JSON, depth: int) -> JSON:
        """The schema with a local reference and the first of its alternatives put in place."""
        reference = schema.get("$ref")
        if reference is not None:
            found: Any = self._root
            for step in str(reference).removeprefix("#").split("/")[1:]:
                found = found.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(found, dict) else None
            if not isinstance(found, dict) or depth > _DEPTH:
                raise UpstreamRejected("The scripted model cannot follow a reference of this schema.")
            return self._plain(found, depth + 1)
        for name in ("anyOf", "oneOf", "allOf"):
            options = [one for one in schema.get(name) or () if one != {"type": "null"}]
            if options:
                return self._plain({**schema, name: None, **options[0]}, depth + 1)
        return schema

    def _kind(self, schema: JSON) -> str:
        kind = schema.get("type")
        if isinstance(kind, list):
            kind = next((one for one in kind if one != "null"), "null")
        return str(kind or ("object" if "properties" in schema else "array" if "items" in schema else "string"))

    def _object(self, schema: JSON, depth: int) -> JSON:
        properties = schema.get("properties") or {}
        wanted = schema.get("required", list(properties))
        return {name: self._value(properties.get(name), depth + 1) for name in wanted}

    def _string(self, schema: JSON) -> str:
        if schema.get("pattern"):
            raise UpstreamRejected("The scripted model cannot write text that has to match a pattern.")
        if schema.get("format") in _FORMATS:
            return _FORMATS[schema["format"]]
        text, self._text = self._text or "scripted", None
        text += "." * (int(schema.get("minLength", 0)) - len(text))
        return text[: int(schema.get("maxLength", len(text)))]
