"""A request in Anthropic's Messages, read into the canonical form.

System text becomes the first message, a tool's result a message of its own, and images inside a result a message of
the user after it, since only Anthropic takes them within. Thinking of earlier turns is left out: its signature would
not hold once identifiers are replaced.

Source: https://docs.anthropic.com/en/api/messages
"""

from dataclasses import dataclass, field
from typing import Any

import msgspec

from careplane.codecs import chat_request, fields
from careplane.codecs.anthropic_blocks import SERVER_TOOLS, plain, read_block, read_content
from careplane.codecs.dialect import Asked
from careplane.codecs.extension import read_options
from careplane.codecs.fields import DROP, Check
from careplane.codecs.openai_chat import model_name, streamed
from careplane.codecs.strict_json import read_object
from careplane.errors import InputError
from careplane.records import JSON


def read(body: bytes) -> Asked:
    """Read a request.

    Raises:
        InputError: not JSON, a field of the wrong type, or one that is refused; ``field`` names it.
    """
    given = read_object(body)
    known = fields.read_fields(given, CHECKS)
    fields.needed(known, "max_tokens")
    said = fields.needed(known, "messages")
    turns = _Turns()
    if (system := known.pop("system", None)) is not None:
        turns.add(None, {"role": "system", "content": system})
    for i, message in enumerate(said):
        turns.read(message, i)
    options = read_options(given.get("careplane"), len(said))
    if options.untrusted:
        here = tuple(i for i, origin in enumerate(turns.origins) if origin in options.untrusted)
        options = msgspec.structs.replace(options, untrusted=here)
    return Asked(
        model=model_name(given), body=_canonical(known, turns.messages), stream=streamed(given), options=options
    )


def _canonical(known: JSON, messages: list[JSON]) -> JSON:
    for name in ("thinking", "output_config", "tool_choice"):
        known.update(known.pop(name, {}))
    if stop := known.pop("stop_sequences", None):
        known["stop"] = stop
    known["messages"] = messages
    return known


@dataclass
class _Turns:
    """Canonical messages as they grow, and which of the client's messages each came from."""

    messages: list[JSON] = field(default_factory=list)
    origins: list[int | None] = field(default_factory=list)

    def add(self, origin: int | None, message: JSON) -> None:
        self.messages.append(message)
        self.origins.append(origin)

    def read(self, message: object, i: int) -> None:
        if isinstance(message, dict) and chat_request.is_plain(message):
            self.add(i, message)
            return
        where = f"messages[{i}]"
        given = fields.read_fields(fields.a_dict(message, where), _MESSAGE, f"{where}.")
        role = fields.needed(given, "role", f"{where}.")
        content = fields.needed(given, "content", f"{where}.")
        if type(content) is str:
            self.add(i, {"role": role, "content": content})
            return
        blocks = [read_block(block, f"{where}.content[{n}]", role) for n, block in enumerate(content)]
        if role == "assistant":
            self._assistant(blocks, i)
        else:
            self._user(blocks, i, role)

    def _assistant(self, blocks: list[JSON], i: int) -> None:
        text = "".join(block["text"] for block in blocks if block["type"] == "text")
        calls = [block["call"] for block in blocks if block["type"] == "tool_use"]
        message: JSON = {"role": "assistant", "content": text or (None if calls else "")}
        self.add(i, message | {"tool_calls": calls} if calls else message)

    def _user(self, blocks: list[JSON], i: int, role: str) -> None:
        parts: list[JSON] = []
        for block in blocks:
            if block["type"] == "tool_result":  # these come first, as the API itself asks
                self.add(i, block["message"])
                parts += block["images"]
            else:
                parts.append(block)
        if parts:
            self.add(i, {"role": role, "content": plain(parts)})


_MESSAGE: dict[str, Check] = {"role": fields.one_of("user", "assistant", "system"), "content": read_content}


def _system(value: object, path: str) -> str | list[JSON] | object:
    if value in ("", []):
        return DROP
    content = read_content(value, path)
    if type(content) is str:
        return content
    return plain([read_block(block, f"{path}[{n}]", "system") for n, block in enumerate(content)])


def _messages(value: object, path: str) -> list[Any]:
    given = fields.a_list(value, path, chat_request.MAX_MESSAGES)
    if not given:
        raise InputError("at least one message is needed", field=path)
    return given


def _stops(value: object, path: str) -> list[str]:
    return [fields.text(one, f"{path}[{i}]") for i, one in enumerate(fields.a_list(value, path, 64))]


def _tools(value: object, path: str) -> list[JSON] | object:
    given = fields.a_list(value, path, chat_request.MAX_TOOLS)
    return [_tool(tool, f"{path}[{i}]") for i, tool in enumerate(given)] or DROP


def _tool(tool: object, path: str) -> JSON:
    given = fields.a_dict(tool, path)
    if given.get("type") not in (None, "custom"):
        raise InputError(SERVER_TOOLS, field=f"{path}.type")
    read = fields.read_fields(given, _TOOL, f"{path}.")
    for name in ("name", "input_schema"):
        fields.needed(read, name, f"{path}.")
    parameters = read.pop("input_schema")
    return {"type": "function", "function": {**read, "parameters": parameters}}


_TOOL: dict[str, Check] = {
    "type": fields.dropped,
    "name": fields.tool_name,
    "description": fields.text,
    "input_schema": fields.schema,
    "strict": fields.flag,
    "cache_control": fields.dropped,
    "eager_input_streaming": fields.dropped,
    "input_examples": fields.refused("is not offered; put examples into the description"),
    "defer_loading": fields.only(False, reason=SERVER_TOOLS),
    "allowed_callers": fields.only(["direct"], reason=SERVER_TOOLS),
}


def _tool_choice(value: object, path: str) -> JSON:
    read = fields.read_fields(fields.a_dict(value, path), _CHOICE, f"{path}.")
    kind = fields.needed(read, "type", f"{path}.")
    chosen: JSON | str = {"any": "required"}.get(kind, kind)
    if kind == "tool":
        chosen = {"type": "function", "function": {"name": fields.needed(read, "name", f"{path}.")}}
    return {"tool_choice": chosen} | ({"parallel_tool_calls": False} if read.get("disable_parallel_tool_use") else {})


_CHOICE: dict[str, Check] = {
    "type": fields.one_of("auto", "any", "tool", "none"),
    "name": fields.tool_name,
    "disable_parallel_tool_use": fields.flag,
}


def _thinking(value: object, path: str) -> JSON | object:
    """A budget as a level of effort; the model decides in the other modes."""
    given = fields.a_dict(value, path)
    kind = fields.needed(given, "type", f"{path}.")
    if kind != "enabled":
        return DROP
    budget = fields.whole(1, 10_000_000)(fields.needed(given, "budget_tokens", f"{path}."), f"{path}.budget_tokens")
    return {"reasoning_effort": "low" if budget < 4096 else "medium" if budget < 16384 else "high"}


def _output_config(value: object, path: str) -> JSON:
    read = fields.read_fields(fields.a_dict(value, path), _OUTPUT, f"{path}.")
    out: JSON = {"reasoning_effort": read["effort"]} if "effort" in read else {}
    return out | ({"response_format": read["format"]} if "format" in read else {})


def _format(value: object, path: str) -> JSON:
    checks: dict[str, Check] = {"type": fields.one_of("json_schema"), "schema": fields.schema}
    read = fields.read_fields(fields.a_dict(value, path), checks, f"{path}.")
    schema = fields.needed(read, "schema", f"{path}.")
    return {"type": "json_schema", "json_schema": {"name": "reply", "schema": schema, "strict": True}}


_OUTPUT: dict[str, Check] = {"effort": fields.one_of(*chat_request.EFFORTS), "format": _format}
_STATE = "is not offered: it would have the provider keep something"
CHECKS: dict[str, Check] = {
    # passed on
    "messages": _messages,
    "system": _system,
    "max_tokens": fields.whole(1, 10_000_000),
    "temperature": fields.number(0, 1),
    "top_p": fields.number(0, 1),
    "top_k": fields.whole(0, 1_000_000),
    "stop_sequences": _stops,
    "tools": _tools,
    "tool_choice": _tool_choice,
    "thinking": _thinking,
    "output_config": _output_config,
    # left out: they tell the provider who asks, or have it keep something, or buy a service
    "metadata": fields.dropped,
    "user_profile_id": fields.dropped,
    "cache_control": fields.dropped,
    "service_tier": fields.dropped,
    "speed": fields.dropped,
    "diagnostics": fields.dropped,
    "context_management": fields.dropped,
    # refused
    "container": fields.refused(_STATE),
    "mcp_servers": fields.refused(SERVER_TOOLS),
    "inference_geo": fields.refused("is not offered: the route decides on the region"),
    "prefill": fields.refused("is not offered; end the messages with one of the assistant"),
    # read apart
    "model": fields.dropped,
    "stream": fields.dropped,
    "careplane": fields.dropped,
}
