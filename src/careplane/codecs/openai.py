"""The wire format of OpenAI's Chat Completions, as a client and as a server see it. Pure functions.

Source: https://platform.openai.com/docs/api-reference/chat (request, ``chat.completion``, ``chat.completion.chunk``).
Text messages only: a content part that is not text is refused by name.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from careplane.errors import InputError
from careplane.records import JSON, Record
from careplane.records.model import Message, Usage

DONE = "[DONE]"
_ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}


class ChatBody(Record, frozen=True):
    """What a client asked for; ``context`` is Careplane's optional FHIR Bundle that names known identifiers."""

    model: str
    messages: tuple[Message, ...]
    max_tokens: int | None = None
    temperature: float = 0.0
    stream: bool = False
    include_usage: bool = False
    context: tuple[JSON, ...] = ()


def read_chat(body: bytes) -> ChatBody:
    """Read a request body.

    Raises:
        InputError: not JSON, or a field of the wrong type; ``field`` names it.
    """
    try:
        given = orjson.loads(body)
    except ValueError as error:
        raise InputError("the body is not valid JSON") from error
    if not isinstance(given, dict):
        raise InputError("the body must be a JSON object")
    messages = _typed(given, "messages", list, None)
    if not messages:
        raise InputError("at least one message is needed", field="messages")
    options = _typed(given, "stream_options", dict, {})
    limit = given.get("max_completion_tokens", given.get("max_tokens"))
    if limit is not None and (not isinstance(limit, int) or isinstance(limit, bool) or limit < 1):
        raise InputError("must be a whole number above 0", field="max_tokens")
    if given.get("n") not in (None, 1):
        raise InputError("only 1 choice is offered", field="n")
    for field in ("tools", "functions", "response_format"):
        if given.get(field) and given[field] != {"type": "text"}:
            raise InputError("is not supported", field=field)
    return ChatBody(
        model=_typed(given, "model", str, None),
        messages=tuple(_message(message, i) for i, message in enumerate(messages)),
        max_tokens=limit,
        temperature=_temperature(given),
        stream=_typed(given, "stream", bool, False),
        include_usage=options.get("include_usage") is True,
        context=_context(given),
    )


def _typed(given: JSON, field: str, kind: type, default: Any) -> Any:
    value = given.get(field)
    value = default if value is None else value
    if not isinstance(value, kind):
        name = {str: "text", list: "a list", dict: "an object", bool: "true or false"}[kind]
        raise InputError(f"must be {name}", field=field)
    return value


def _temperature(given: JSON) -> float:
    value = given.get("temperature") or 0.0
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 2:
        raise InputError("must be a number from 0 to 2", field="temperature")
    return float(value)


def _message(message: object, i: int) -> Message:
    field = f"messages[{i}]"
    if not isinstance(message, dict):
        raise InputError("must be an object", field=field)
    role = _ROLES.get(message["role"]) if isinstance(message.get("role"), str) else None
    if role is None:
        raise InputError("must be system, developer, user or assistant", field=f"{field}.role")
    content = message.get("content")
    if isinstance(content, list):
        content = "".join(_part(part, field) for part in content)
    if not isinstance(content, str):
        raise InputError("must be text", field=f"{field}.content")
    return Message(role=role, content=content)  # type: ignore[arg-type] # one of the values of _ROLES


def _part(part: object, field: str) -> str:
    if isinstance(part, dict) and part.get("type") == "text" and isinstance(part.get("text"), str):
        return str(part["text"])
    raise InputError("only text parts are supported", field=f"{field}.content")


def _context(given: JSON) -> tuple[JSON, ...]:
    own = _typed(given, "careplane", dict, {})
    bundle = _typed(own, "context", dict, {})
    entries = _typed(bundle, "entry", list, [])
    if bundle and bundle.get("resourceType") != "Bundle":
        raise InputError("must be a FHIR Bundle", field="careplane.context")
    resources = [entry.get("resource") if isinstance(entry, dict) else None for entry in entries]
    if not all(isinstance(resource, dict) for resource in resources):
        raise InputError("every entry must hold a resource", field="careplane.context.entry")
    return tuple(resource for resource in resources if isinstance(resource, dict))


def completion(ident: str, model: str, created: int, text: str, finish_reason: str, usage: Usage) -> JSON:
    """A ``chat.completion`` object."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish_reason}
    return {
        "id": ident,
        "object": "chat.completion",
        "created": created,
        "model": model,
        "choices": [choice],
        "usage": usage_object(usage),
    }


def chunk(ident: str, model: str, created: int, delta: Mapping[str, str], finish_reason: str | None = None) -> JSON:
    """A ``chat.completion.chunk`` object with one choice."""
    choice = {"index": 0, "delta": dict(delta), "finish_reason": finish_reason}
    return {**_chunk(ident, model, created), "choices": [choice]}


def usage_chunk(ident: str, model: str, created: int, usage: Usage) -> JSON:
    """The last chunk of a stream that asked for ``include_usage``: no choice, only usage."""
    return {**_chunk(ident, model, created), "choices": [], "usage": usage_object(usage)}


def _chunk(ident: str, model: str, created: int) -> JSON:
    return {"id": ident, "object": "chat.completion.chunk", "created": created, "model": model}


def usage_object(usage: Usage) -> JSON:
    """``usage`` with a flag of our own when the tokens are an estimate."""
    total = usage.input_tokens + usage.output_tokens
    counts = {"prompt_tokens": usage.input_tokens, "completion_tokens": usage.output_tokens, "total_tokens": total}
    return {**counts, "careplane_estimated": True} if usage.estimated else counts


def error_object(message: str, kind: str, code: str, param: str | None = None) -> JSON:
    """OpenAI's error shape."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def event(data: JSON | str) -> bytes:
    """One server-sent event."""
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return f"data: {text}\n\n".encode()


def event_data(line: str) -> str | None:
    """The data of a line of an event stream; ``None`` for comments, blank lines and other fields."""
    return line[5:].strip() if line.startswith("data:") else None


def deltas(part: JSON) -> Iterator[tuple[str, str | None]]:
    """The text and finish reason of each choice, of a completion or a chunk.

    Raises:
        TypeError: a choice is not of the shape that the API documents.
    """
    for choice in part.get("choices") or ():
        if not isinstance(choice, dict):
            raise TypeError("a choice is not an object")
        said = choice.get("delta") or choice.get("message") or {}
        if not isinstance(said, dict):
            raise TypeError("a delta is not an object")
        yield said.get("content") or "", choice.get("finish_reason")
