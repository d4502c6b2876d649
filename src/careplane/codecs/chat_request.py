"""The parts of a canonical request (OpenAI's Chat Completions), checked: messages, content parts, tools, formats.

Free text that may hold an identifier is in: ``messages[].content`` (text, or the parts ``text``, ``refusal``,
``image_url``, ``input_audio``, ``file``), ``messages[].name``, ``messages[].refusal``,
``messages[].tool_calls[].function.arguments``, ``tools[].function.description`` and ``.parameters``,
``response_format.json_schema.description`` and ``.schema``, and ``stop``. Everything else is a number, a flag, one of a
few words, or a name or id of the plain characters that a tool's name may have.

Source: https://platform.openai.com/docs/api-reference/chat/create
"""

from typing import Any

from careplane.codecs import fields
from careplane.codecs.fields import DROP, Check
from careplane.errors import InputError
from careplane.records import JSON

MAX_MESSAGES = 10_000
MAX_PARTS = 1_000
MAX_TOOLS = 128
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
_PLAIN = ("user", "assistant", "system")


def messages(value: object, field: str) -> list[JSON]:
    """The messages of a conversation; ``developer`` becomes ``system``, which every provider understands."""
    given = fields.a_list(value, field, MAX_MESSAGES)
    if not given:
        raise InputError("at least one message is needed", field=field)
    return [_message(message, i) for i, message in enumerate(given)]


def is_plain(message: JSON) -> bool:
    """Whether a message is a role and a text and nothing else, and so the same in all dialects: most are."""
    return len(message) == 2 and type(message.get("content")) is str and message.get("role") in _PLAIN


def _message(message: object, i: int) -> JSON:
    if type(message) is not dict:
        raise InputError("must be an object", field=f"messages[{i}]")
    if is_plain(message):
        return message
    role = message.get("role")
    where = f"messages[{i}]."
    checks = _ROLES.get(role) if type(role) is str else None
    if checks is None:
        raise InputError("must be system, developer, user, assistant or tool", field=f"{where}role")
    read = fields.read_fields(message, checks, where)
    if role == "tool":
        fields.needed(read, "tool_call_id", where)
    if "content" not in read:
        if role != "assistant" or not ("tool_calls" in read or "refusal" in read):
            raise InputError("is required", field=f"{where}content")
        read["content"] = None
    return read


def _role(value: object, _field: str) -> str:
    return "system" if value == "developer" else str(value)


def _content(*kinds: str) -> Check:
    def check(value: object, field: str) -> str | list[JSON]:
        if type(value) is str:
            return value
        if type(value) is not list:
            raise InputError("must be text or a list of parts", field=field)
        parts = fields.a_list(value, field, MAX_PARTS)
        if not parts:
            raise InputError("at least one part is needed", field=field)
        return [_part(part, f"{field}[{i}]", kinds) for i, part in enumerate(parts)]

    return check


def _part(part: object, field: str, kinds: tuple[str, ...]) -> JSON:
    given = fields.a_dict(part, field)
    kind = given.get("type")
    if type(kind) is not str or kind not in kinds:
        raise InputError(f"must be one of {', '.join(kinds)} here", field=f"{field}.type")
    read = fields.read_fields(given, _PARTS[kind], f"{field}.")
    fields.needed(read, kind, f"{field}.")
    return read


def _image(value: object, field: str) -> JSON:
    read = fields.read_fields(fields.a_dict(value, field), _IMAGE, f"{field}.")
    url = fields.needed(read, "url", f"{field}.")
    if not url.startswith(("data:image/", "https://", "http://")):
        raise InputError("must be a data: URL of an image or an http(s) URL", field=f"{field}.url")
    return read


def _audio(value: object, field: str) -> JSON:
    read = fields.read_fields(fields.a_dict(value, field), _AUDIO, f"{field}.")
    for name in _AUDIO:
        fields.needed(read, name, f"{field}.")
    return read


def _file(value: object, field: str) -> JSON:
    read = fields.read_fields(fields.a_dict(value, field), _FILE, f"{field}.")
    fields.needed(read, "file_data", f"{field}.")
    return read


STORED = fields.refused("names a file that the provider keeps; send the content itself")
_IMAGE: dict[str, Check] = {"url": fields.text, "detail": fields.one_of("auto", "low", "high", "original")}
_AUDIO: dict[str, Check] = {"data": fields.text, "format": fields.one_of("wav", "mp3")}
_FILE: dict[str, Check] = {"file_data": fields.text, "filename": fields.short_text, "file_id": STORED}
_PART: dict[str, Check] = {
    "type": fields.text,
    "cache_control": fields.dropped,
    "prompt_cache_breakpoint": fields.dropped,
}
_PARTS: dict[str, dict[str, Check]] = {
    "text": {**_PART, "text": fields.text},
    "refusal": {**_PART, "refusal": fields.text},
    "image_url": {**_PART, "image_url": _image},
    "input_audio": {**_PART, "input_audio": _audio},
    "file": {**_PART, "file": _file},
}


def _tool_calls(value: object, field: str) -> list[JSON] | object:
    given = fields.a_list(value, field, MAX_TOOLS)
    return [_tool_call(call, f"{field}[{i}].") for i, call in enumerate(given)] or DROP


def _tool_call(call: object, where: str) -> JSON:
    read = fields.read_fields(fields.a_dict(call, where[:-1]), _CALL, where)
    fields.needed(read, "id", where)
    return {"id": read["id"], "type": "function", "function": fields.needed(read, "function", where)}


def _called(value: object, field: str) -> JSON:
    read = fields.read_fields(fields.a_dict(value, field), _CALLED, f"{field}.")
    for name in _CALLED:
        fields.needed(read, name, f"{field}.")
    return read


ONLY_FUNCTIONS = "only tools of the type 'function' are offered: others run at the provider, outside the shield"
_FUNCTION_TYPE = fields.only("function", reason=ONLY_FUNCTIONS)
_CALLED: dict[str, Check] = {"name": fields.tool_name, "arguments": fields.text}
_CALL: dict[str, Check] = {
    "id": fields.short_text,
    "type": _FUNCTION_TYPE,
    "function": _called,
    "index": fields.dropped,
}
_NAMED: dict[str, Check] = {"role": _role, "name": fields.short_text}
_ROLES: dict[str, dict[str, Check]] = {
    "system": {**_NAMED, "content": _content("text")},
    "developer": {**_NAMED, "content": _content("text")},
    "user": {**_NAMED, "content": _content("text", "image_url", "input_audio", "file")},
    "assistant": {
        **_NAMED,
        "content": _content("text", "refusal"),
        "refusal": fields.text,
        "tool_calls": _tool_calls,
        # What a client gets in a reply and sends back with the next request:
        "annotations": fields.dropped,
        "reasoning_content": fields.dropped,
        "audio": fields.refused("names audio that the provider keeps; send its text"),
        "function_call": fields.refused("is the old form; use tool_calls"),
    },
    "tool": {"role": _role, "content": _content("text"), "tool_call_id": fields.short_text, "name": fields.dropped},
}


def tools(value: object, field: str) -> list[JSON] | object:
    """Functions that the model may call."""
    given = fields.a_list(value, field, MAX_TOOLS)
    return [_tool(tool, f"{field}[{i}].") for i, tool in enumerate(given)] or DROP


def _tool(tool: object, where: str) -> JSON:
    given = fields.a_dict(tool, where[:-1])
    if given.get("type") != "function":
        raise InputError(ONLY_FUNCTIONS, field=f"{where}type")
    read = fields.read_fields(given, _TOOL, where)
    return {"type": "function", "function": function(fields.needed(read, "function", where), f"{where}function")}


def function(value: object, field: str) -> JSON:
    """What a tool of the type ``function`` is: name, description, parameters (a JSON Schema), strict."""
    read = fields.read_fields(fields.a_dict(value, field), _FUNCTION, f"{field}.")
    fields.needed(read, "name", f"{field}.")
    return read


_TOOL: dict[str, Check] = {"type": _FUNCTION_TYPE, "function": fields.a_dict, "cache_control": fields.dropped}
_FUNCTION: dict[str, Check] = {
    "name": fields.tool_name,
    "description": fields.text,
    "parameters": fields.schema,
    "strict": fields.flag,
}


def tool_choice(value: object, field: str) -> str | JSON:
    """``none``, ``auto``, ``required`` or one function by name."""
    if type(value) is dict:
        given = fields.a_dict(value, field)
        if given.get("type") != "function":
            raise InputError("must choose a tool of the type 'function'", field=f"{field}.type")
        read = fields.read_fields(given, _CHOICE, f"{field}.")
        chosen = fields.needed(read, "function", f"{field}.")
        name = fields.tool_name(fields.needed(chosen, "name", f"{field}.function."), f"{field}.function.name")
        return {"type": "function", "function": {"name": name}}
    if value not in ("none", "auto", "required"):
        raise InputError("must be none, auto, required or a function", field=field)
    return str(value)


_CHOICE: dict[str, Check] = {"type": _FUNCTION_TYPE, "function": fields.a_dict}


def response_format(value: object, field: str) -> JSON | object:
    """``json_object`` or ``json_schema``; plain text is what happens without."""
    given = fields.a_dict(value, field)
    kind = fields.one_of("text", "json_object", "json_schema")(given.get("type"), f"{field}.type")
    if kind == "text":
        return DROP
    if kind == "json_object":
        return {"type": "json_object"}
    wanted = fields.read_fields(given, {"type": fields.text, "json_schema": json_schema}, f"{field}.")
    fields.needed(wanted, "json_schema", f"{field}.")
    return wanted


def json_schema(value: object, field: str) -> JSON:
    """The schema that the reply has to follow: name, description, schema, strict."""
    read = fields.read_fields(fields.a_dict(value, field), _SCHEMA, f"{field}.")
    fields.needed(read, "name", f"{field}.")
    return read


_SCHEMA: dict[str, Check] = {
    "name": fields.tool_name,
    "description": fields.text,
    "schema": fields.schema,
    "strict": fields.flag,
}


def stop(value: object, field: str) -> str | list[str]:
    """Up to four texts (Anthropic allows more) at which the model stops."""
    if type(value) is str:
        return value
    return [fields.text(one, f"{field}[{i}]") for i, one in enumerate(fields.a_list(value, field, 64))]


def logit_bias(value: object, field: str) -> JSON:
    """Token ids with a bias from -100 to 100."""
    bias = fields.number(-100, 100)
    given: dict[str, Any] = fields.a_dict(value, field)
    if len(given) > 1024 or not all(token.isascii() and token.isdigit() and len(token) < 12 for token in given):
        raise InputError("must map up to 1024 token ids to numbers", field=field)
    return {token: bias(number, f"{field}.{token}") for token, number in given.items()}
