"""The published schema of ``app.yaml``, and its check with sentences for people."""

import difflib
import functools
import re
from collections.abc import Iterator
from typing import Any, cast

import msgspec
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from careplane.apps._source import Place, Source
from careplane.errors import ManifestError
from careplane.records import JSON
from careplane.records.app import AppSpec

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_TYPES = {
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a group of fields",
    "null": "empty",
}


def schema() -> JSON:
    """The JSON Schema (2020-12) of ``app.yaml``, generated from the records."""
    made = {"$schema": DIALECT, "title": "Careplane app.yaml", **msgspec.json.schema(AppSpec)}
    plain: JSON = msgspec.json.decode(msgspec.json.encode(made))
    return plain


def schema_problems(source: Source) -> Iterator[ManifestError]:
    """Everything in a manifest that the schema forbids, in the order of its lines."""
    found = (problem for error in _validator().iter_errors(source.data) for problem in _say(source, error))
    return iter(sorted(found, key=lambda problem: (problem.line or 0, problem.field or "")))


@functools.cache
def _validator() -> Draft202012Validator:
    return Draft202012Validator(schema())


def _say(source: Source, error: ValidationError) -> Iterator[ManifestError]:
    place: Place = tuple(error.absolute_path)
    bound, rule = cast(Any, error.validator_value), cast(Any, error.schema)
    if error.validator == "additionalProperties":
        valid = sorted(rule["properties"])
        for name in sorted(set(cast(Any, error.instance)) - set(valid)):
            yield source.problem((*place, name), _unknown(name, valid))
    elif error.validator == "required":
        # One error per missing name is raised, and only its message says which.
        name = next(name for name in bound if error.message.startswith(repr(name)))
        yield source.problem(place, f"is missing the field '{name}'")
    elif error.validator == "anyOf":
        yield source.problem(place, f"must be {_alternatives(bound)}")
    else:
        yield source.problem(place, _sentence(error))


def _unknown(name: str, valid: list[str]) -> str:
    near = difflib.get_close_matches(name, valid, n=1, cutoff=0.5)
    return (
        f"is not a field here. Did you mean '{near[0]}'?" if near else f"is not a field here. Known: {', '.join(valid)}"
    )


def _alternatives(schemas: list[JSON]) -> str:
    return " or ".join(_TYPES.get(one.get("type", ""), "a valid value") for one in schemas)


def _sentence(error: ValidationError) -> str:
    value, bound = error.instance, cast(Any, error.validator_value)
    match error.validator:
        case "type":
            return f"must be {_TYPES.get(str(bound), str(bound))}, not {_shown(value)}"
        case "enum":
            near = difflib.get_close_matches(str(value), [str(one) for one in bound], n=1, cutoff=0.5)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            return f"must be one of {', '.join(str(one) for one in bound)}, not {_shown(value)}.{hint}"
        case "minLength":
            return "must not be empty"
        case "minItems":
            return f"needs {bound} or more entries"
        case "minimum":
            return f"must be {bound} or more, not {_shown(value)}"
        case "maximum":
            return f"must be {bound} or less, not {_shown(value)}"
        case "exclusiveMinimum":
            return f"must be more than {bound}, not {_shown(value)}"
        case "pattern":
            return f"is {_shown(value)}, which does not have the form {_form(str(bound), error.schema)}"
        case _:
            return re.sub(r"\s+", " ", error.message)


def _form(pattern: str, rule: Any) -> str:
    return str(rule.get("description", pattern))


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
