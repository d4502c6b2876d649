"""The texts of a request: which strings of a canonical chat body say something, and the body with others instead.

Every string is a text unless it is known to be structure (a role, a type, the name of a function ...), so a new field
cannot carry an identifier past the shield. What is no text (images, audio, files) cannot be protected: faces and
identifiers burned into pictures are identifiers too (45 CFR 164.514(b)(2)(i)(Q)).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from careplane.errors import ShieldError
from careplane.records import JSON

_TEXT_PARTS = frozenset({"text", "input_text", "output_text", "refusal"})
_STRUCTURE = frozenset({"role", "type", "model", "id", "tool_call_id", "call_id", "format", "$ref", "$schema", "$id"})
WIRE_WORDS = frozenset(
    {"", "system", "developer", "user", "assistant", "tool", "function", "text", "json_object", "json_schema", "object"}
    | {"string", "number", "integer", "boolean", "array", "null", "auto", "none", "required", "input_text"}
)
"""What structure mostly says; words of the wire format, which need not be looked through."""

_NAMED = frozenset({"function", "json_schema", "tool_choice", "custom"})
"""Objects whose ``name`` names code."""
_PLAIN = re.compile(r"[A-Za-z0-9_.:/#$-]*")
_DEEPEST = 64


@dataclass(frozen=True, slots=True)
class Slot:
    """A text of a request. ``structure``: it names something and cannot be replaced; ``arguments``: it is JSON text."""

    text: str
    place: str
    structure: bool = False
    arguments: bool = False
    spoken: bool = True
    """Whether it belongs to the messages, and not to tools and schemas."""


def other_than_text(body: JSON) -> list[str]:
    """The kinds of content in the messages that are no text."""
    kinds = set()
    for message in body.get("messages") or ():
        content = message.get("content")
        for part in content if isinstance(content, list) else ():
            kind = part.get("type") if isinstance(part, dict) else None
            if kind is not None and kind not in _TEXT_PARTS:
                kinds.add(str(kind) if _PLAIN.fullmatch(str(kind)) and len(str(kind)) < 32 else "unknown")
        kinds |= {key for key in ("audio", "image", "file") if message.get(key)}
    return sorted(kinds)


def slots(body: Any) -> list[Slot]:
    """The texts of a body, in the order in which :func:`filled` takes others for them.

    Raises:
        ShieldError: it is nested too deeply, or holds what JSON does not.
    """
    return list(_slots(body, "", "", 0))


def _slots(value: Any, key: str, place: str, depth: int) -> Iterator[Slot]:
    if isinstance(value, str):
        yield _slot(value, key, place)
    elif isinstance(value, dict):
        named = key in _NAMED or "parameters" in value or "arguments" in value or "schema" in value
        for name, inner in value.items():
            known = "function name" if named and name == "name" else str(name)
            yield from _slots(inner, known, f"{place}.{known}" if place else known, _deeper(depth))
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _slots(inner, key, place, _deeper(depth))
    elif value is not None and not isinstance(value, bool | int | float):
        raise ShieldError("The request holds a value that is no JSON, so nothing left.")


def _deeper(depth: int) -> int:
    if depth >= _DEEPEST:
        raise ShieldError(f"The request is nested more than {_DEEPEST} deep, so nothing left.")
    return depth + 1


def _slot(text: str, key: str, place: str) -> Slot:
    return Slot(
        text,
        place,
        structure=key == "function name" or (key in _STRUCTURE and _PLAIN.fullmatch(text) is not None),
        arguments=key == "arguments",
        spoken=place.startswith(("messages", "texts")),
    )


_WORDS = """
messages role content type text name tool_calls tool_call_id id function arguments refusal texts tools tool_choice
parameters properties required description items enum default title format additionalProperties strict response_format
json_schema schema max_tokens max_completion_tokens temperature top_p stop seed n user metadata parallel_tool_calls
reasoning_effort presence_penalty frequency_penalty logit_bias logprobs top_logprobs dimensions encoding_format
"""
_API_KEYS = frozenset(_WORDS.split())


def own_keys(body: Any) -> set[str]:
    """The keys in a body that are not those of the API: whoever sent it chose them, and they cannot be replaced."""
    if isinstance(body, dict):
        return {str(name) for name in body}.difference(_API_KEYS).union(*map(own_keys, body.values()))
    return set().union(*map(own_keys, body)) if isinstance(body, list | tuple) else set()


def filled(body: Any, texts: Iterator[str]) -> Any:
    """The same body with other texts, in the order of :func:`slots`."""
    if isinstance(body, str):
        return next(texts)
    if isinstance(body, dict):
        return {name: filled(inner, texts) for name, inner in body.items()}
    if isinstance(body, list | tuple):
        return [filled(inner, texts) for inner in body]
    return body
