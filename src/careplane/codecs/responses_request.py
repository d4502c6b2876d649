"""A request in OpenAI's Responses, read into the canonical form.

Instructions become the first message; neighbouring items of the assistant become one message with text and tool calls.
Reasoning items are left out: only the provider that wrote them could read them. Nothing is kept, so what points to
something kept (an earlier response, a conversation, a stored prompt, an item by reference) is refused.

Source: https://platform.openai.com/docs/api-reference/responses/create
"""

from typing import Any

import msgspec

from careplane.codecs import chat_request, fields
from careplane.codecs.dialect import Asked
from careplane.codecs.extension import read_options
from careplane.codecs.fields import DROP, Check
from careplane.codecs.openai_chat import model_name, streamed
from careplane.codecs.responses_items import Turns
from careplane.codecs.strict_json import read_object
from careplane.errors import InputError
from careplane.records import JSON

_ECHOED = (
    "tools",
    "tool_choice",
    "text",
    "temperature",
    "top_p",
    "max_output_tokens",
    "parallel_tool_calls",
    "reasoning",
)


def read(body: bytes) -> Asked:
    """Read a request.

    Raises:
        InputError: not JSON, a field of the wrong type, or one that is refused; ``field`` names it.
    """
    given = read_object(body)
    known = fields.read_fields(given, CHECKS)
    said = fields.needed(known, "input")
    items = [{"role": "user", "content": said}] if type(said) is str else said
    turns = Turns()
    if (instructions := known.pop("instructions", None)) is not None:
        turns.add(None, {"role": "system", "content": instructions})
    for i, item in enumerate(items):
        turns.read(item, i)
    turns.end()
    if not any(message["role"] != "system" for message in turns.messages):
        raise InputError("at least one message is needed", field="input")
    options = read_options(given.get("careplane"), len(items))
    if options.untrusted:
        here = tuple(i for i, origin in enumerate(turns.origins) if origin in options.untrusted)
        options = msgspec.structs.replace(options, untrusted=here)
    return Asked(
        model=model_name(given),
        body=_canonical(known, turns.messages),
        stream=streamed(given),
        include_usage=True,
        options=options,
        echo={name: given[name] for name in _ECHOED if given.get(name) is not None},
    )


def _canonical(known: JSON, messages: list[JSON]) -> JSON:
    del known["input"]
    for name in ("text", "reasoning"):
        known.update(known.pop(name, {}))
    if (limit := known.pop("max_output_tokens", None)) is not None:
        known["max_tokens"] = limit
    known["messages"] = messages
    return known


def _input(value: object, path: str) -> str | list[Any]:
    if type(value) is str:
        return value
    if type(value) is not list:
        raise InputError("must be text or a list of items", field=path)
    return fields.a_list(value, path, chat_request.MAX_MESSAGES)


def _instructions(value: object, path: str) -> str | object:
    return fields.text(value, path) or DROP


def _include(value: object, path: str) -> object:
    given = fields.a_list(value, path)
    if "message.output_text.logprobs" in given:
        raise InputError("cannot include logprobs: they would show tokens before identifiers are restored", field=path)
    return DROP


def _tools(value: object, path: str) -> list[JSON] | object:
    given = fields.a_list(value, path, chat_request.MAX_TOOLS)
    return [_tool(tool, f"{path}[{i}]") for i, tool in enumerate(given)] or DROP


def _tool(tool: object, path: str) -> JSON:
    given = fields.a_dict(tool, path)
    if given.get("type") != "function":
        raise InputError(chat_request.ONLY_FUNCTIONS, field=f"{path}.type")
    own = {name: value for name, value in given.items() if name not in _TOOL_ONLY}
    fields.read_fields({name: given[name] for name in _TOOL_ONLY if name in given}, _TOOL_ONLY, f"{path}.")
    return {"type": "function", "function": chat_request.function(own, path)}


_TOOL_ONLY: dict[str, Check] = {
    "type": fields.dropped,
    "defer_loading": fields.only(False, reason=chat_request.ONLY_FUNCTIONS),
    "allowed_callers": fields.only(["direct"], reason=chat_request.ONLY_FUNCTIONS),
    "output_schema": fields.dropped,
}


def _tool_choice(value: object, path: str) -> str | JSON:
    if type(value) is not dict:
        return chat_request.tool_choice(value, path)
    if value.get("type") != "function":
        raise InputError("must choose a tool of the type 'function'", field=f"{path}.type")
    name = fields.tool_name(fields.needed(value, "name", f"{path}."), f"{path}.name")
    return {"type": "function", "function": {"name": name}}


def _text(value: object, path: str) -> JSON:
    checks: dict[str, Check] = {"format": _format, "verbosity": fields.one_of("low", "medium", "high")}
    read = fields.read_fields(fields.a_dict(value, path), checks, f"{path}.")
    if "format" in read:
        read["response_format"] = read.pop("format")
    return read


def _format(value: object, path: str) -> JSON | object:
    given = fields.a_dict(value, path)
    if given.get("type") != "json_schema":
        return chat_request.response_format(given, path)
    own = {name: one for name, one in given.items() if name != "type"}
    return {"type": "json_schema", "json_schema": chat_request.json_schema(own, path)}


def _reasoning(value: object, path: str) -> JSON:
    read = fields.read_fields(fields.a_dict(value, path), _REASONING, f"{path}.")
    return {"reasoning_effort": read["effort"]} if "effort" in read else {}


_REASONING: dict[str, Check] = {
    "effort": fields.one_of(*chat_request.EFFORTS),
    "summary": fields.dropped,
    "generate_summary": fields.dropped,
    "context": fields.dropped,
    "mode": fields.dropped,
}
_STATE = "is not offered: this gateway keeps no conversation; send the earlier items as input"
CHECKS: dict[str, Check] = {
    # passed on
    "input": _input,
    "instructions": _instructions,
    "max_output_tokens": fields.whole(1, 10_000_000),
    "temperature": fields.number(0, 2),
    "top_p": fields.number(0, 1),
    "tools": _tools,
    "tool_choice": _tool_choice,
    "parallel_tool_calls": fields.flag,
    "text": _text,
    "reasoning": _reasoning,
    # accepted while they change nothing
    "background": fields.only(False, reason="is not offered: it would have the provider keep the request"),
    "truncation": fields.only("disabled", reason="only 'disabled' is offered: nothing is cut in secret"),
    "top_logprobs": fields.only(0, reason="is not offered: it would show tokens before identifiers are restored"),
    "include": _include,
    # left out: they tell the provider who asks, or have it keep something, or steer tools that are not offered
    "user": fields.dropped,
    "metadata": fields.dropped,
    "store": fields.dropped,
    "safety_identifier": fields.dropped,
    "prompt_cache_key": fields.dropped,
    "prompt_cache_options": fields.dropped,
    "prompt_cache_retention": fields.dropped,
    "service_tier": fields.dropped,
    "max_tool_calls": fields.dropped,
    "stream_options": fields.dropped,
    # refused
    "previous_response_id": fields.refused(_STATE),
    "conversation": fields.refused(_STATE),
    "context_management": fields.refused(_STATE),
    "prompt": fields.refused("names a prompt that the provider keeps; send its text"),
    "moderation": fields.refused("is not offered: it would have the provider judge texts apart from the model"),
    # read apart
    "model": fields.dropped,
    "stream": fields.dropped,
    "careplane": fields.dropped,
}
