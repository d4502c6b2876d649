"""JSON Schema without surprises: nothing is fetched, patterns run in linear time, messages quote no values.

A schema may come from a client and the value from a model, so neither is trusted: references out of the schema and
``patternProperties`` are refused, and ``pattern`` is matched by RE2.
"""

import json
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import orjson
import re2
from jsonschema import Draft202012Validator, validators
from jsonschema.exceptions import SchemaError, ValidationError
from jsonschema.protocols import Validator
from referencing import Registry
from referencing.exceptions import Unresolvable

from careplane.errors import InputError
from careplane.records import JSON

LARGEST_SCHEMA = 256_000
LARGEST_VALUE = 1_000_000
_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")
_NAME = re.compile(r"[A-Za-z_][\w-]{0,40}")
_TYPES = {"object", "array", "string", "number", "integer", "boolean", "null"}


def compile_schema(schema: JSON) -> Validator:
    """A validator for a schema of any draft (2020-12 when it does not say).

    Raises:
        InputError: it is no schema, is too large, refers to something outside itself, or has a pattern RE2 cannot run.
    """
    try:
        key = orjson.dumps(schema, option=orjson.OPT_SORT_KEYS)
    except (TypeError, orjson.JSONEncodeError) as error:
        raise InputError("is not JSON", field="schema") from error
    if len(key) > LARGEST_SCHEMA:
        raise InputError(f"has more than {LARGEST_SCHEMA:,} bytes", field="schema")
    return _compiled(key)


@lru_cache(maxsize=256)
def _compiled(key: bytes) -> Validator:
    schema = orjson.loads(key)
    try:
        _refuse_dangerous(schema)
        drafted: Any = validators.validator_for(schema, default=Draft202012Validator)
        drafted.check_schema(schema)
    except SchemaError as error:
        raise InputError("is not a JSON schema: " + path_of(error), field="schema") from error
    except RecursionError as error:
        raise InputError("is nested too deeply", field="schema") from error
    extend: Any = validators.extend
    safe = extend(drafted, {"pattern": _pattern})
    validator: Validator = safe(schema, registry=Registry())
    return validator


def violations(validator: Validator, value: Any, limit: int = 5) -> list[tuple[str, str]]:
    """Where a value does not meet its schema: path and what is expected there, without the value itself."""
    found: list[tuple[str, str]] = []
    try:
        for error in validator.iter_errors(value):
            found.append((path_of(error), _expected(error)))
            if len(found) == limit:
                break
    except Unresolvable:
        found.append(("$", "the schema refers to something that it does not hold"))
    except RecursionError:
        found.append(("$", "the schema or the value is nested too deeply"))
    return found


def strict_json(text: str) -> object:
    """JSON as one meaning only: no name twice in an object, no NaN or Infinity, not deeper than Python allows.

    Raises:
        InputError: it is not that; the message quotes nothing.
    """
    if len(text) > LARGEST_VALUE:
        raise InputError(f"has more than {LARGEST_VALUE:,} characters")
    try:
        return json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
    except InputError:
        raise
    except ValueError as error:
        raise InputError("is not JSON") from error
    except RecursionError as error:
        raise InputError("is nested too deeply") from error


def path_of(error: ValidationError | SchemaError) -> str:
    """``$.a[0].b``; names that do not look like names of a schema are shown as ``*``, as they could be data."""
    steps = (
        f"[{step}]" if isinstance(step, int) else f".{step if _NAME.fullmatch(str(step)) else '*'}"
        for step in error.absolute_path
    )
    return "$" + "".join(steps)


def _expected(error: ValidationError) -> str:
    keyword, wanted = str(error.validator), error.validator_value
    if keyword == "type":
        names = wanted if isinstance(wanted, list) else [wanted]
        return "must be of type " + " or ".join(name for name in names if name in _TYPES)
    if keyword == "required" and isinstance(error.instance, dict) and isinstance(wanted, list):
        return "lacks " + ", ".join(str(name) for name in wanted if name not in error.instance)
    if keyword in ("additionalProperties", "unevaluatedProperties"):
        return "has a property that the schema does not allow"
    if keyword in ("enum", "const"):
        return "is not one of the values that the schema allows"
    if isinstance(wanted, (int, float, str)) and not isinstance(wanted, bool):
        return f"does not meet {keyword} {str(wanted)[:60]}"
    return f"does not meet {keyword}"


def _pattern(_validator: object, pattern: str, instance: object, _schema: object) -> Iterator[ValidationError]:
    if isinstance(instance, str) and not _linear(pattern).search(instance):
        yield ValidationError("does not match")


@lru_cache(maxsize=512)
def _linear(pattern: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    compiled: Any = re2.compile
    try:
        return compiled(pattern, options)
    except re2.error as error:
        raise InputError(
            "has a pattern with look-around or back-references, or that is not one", field="schema"
        ) from error


def _refuse_dangerous(schema: object) -> None:
    pending = [schema]
    while pending:
        node = pending.pop()
        if isinstance(node, list):
            pending.extend(node)
        if not isinstance(node, dict):
            continue
        for name in _REFERENCES:
            if isinstance(node.get(name), str) and not node[name].startswith("#"):
                raise InputError("refers to something outside itself; put it under $defs", field="schema")
        if isinstance(node.get("patternProperties"), dict) and not isinstance(
            node["patternProperties"].get("type"), str
        ):
            raise InputError("uses patternProperties, which is not supported; name the properties", field="schema")
        if isinstance(node.get("pattern"), str):
            _linear(node["pattern"])
        pending.extend(node.values())


def _once(pairs: list[tuple[str, Any]]) -> JSON:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise InputError("names a property twice in one object")
    return found


def _no_constant(_name: str) -> float:
    raise InputError("holds NaN or Infinity, which is not JSON")
