"""JSON as a stranger sends it: decoded once, strictly, or refused with a reason that names the place.

Refused: what is not UTF-8 or not JSON (RFC 8259, so no NaN and no infinity), half of a surrogate pair, a key that
comes twice in one object (RFC 8259 section 4: receivers disagree on which one counts, and so might shield and model),
and nesting deeper than :data:`MAX_DEPTH`. Whole numbers beyond 64 bits become floats, as in most readers.
"""

import json
from typing import Any

import orjson

from careplane.errors import InputError
from careplane.records import JSON

MAX_DEPTH = 254
"""Levels of objects and lists, which leaves a recursive reader far from Python's own limit."""
MAX_SCHEMA_DEPTH = 64


def read_object(body: bytes) -> JSON:
    """The JSON object that ``body`` holds.

    Raises:
        InputError: it holds none, or one of the things named above.
    """
    if not body:
        raise InputError("the body is empty; a JSON object is needed")
    try:
        given = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InputError(f"the body is not valid JSON: {error}") from error
    if type(given) is not dict:
        raise InputError("the body must be a JSON object")
    try:
        again = orjson.dumps(given)
    except TypeError as error:  # the encoder refuses what is nested deeper than MAX_DEPTH
        raise InputError(f"the body is nested more than {MAX_DEPTH} levels deep") from error
    # A dropped duplicate takes its quotes along. Only \u0022 could hide that, so such a body is looked at closely.
    if again.count(b'"') != body.count(b'"') or (b"\\" in body and b"u0022" in body):
        _look_for_duplicates(body)
    return given


def _look_for_duplicates(body: bytes) -> None:
    json.loads(body, object_pairs_hook=_unique)


def _unique(pairs: list[tuple[str, Any]]) -> None:
    seen = set()
    for name, _ in pairs:
        if name in seen:
            raise InputError("is given twice in the same object", field=name[:64])
        seen.add(name)


def depth(value: object, limit: int) -> int:
    """How deep objects and lists nest in ``value``; counting stops at ``limit`` + 1."""
    level, deep = [value], 0
    while deep <= limit and (level := [one for one in level if isinstance(one, dict | list)]):
        level = [inner for outer in level for inner in (outer.values() if isinstance(outer, dict) else outer)]
        deep += 1
    return deep
