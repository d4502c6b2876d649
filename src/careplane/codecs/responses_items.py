"""Input items of OpenAI's Responses, read one by one into canonical messages.

Source: https://platform.openai.com/docs/api-reference/responses/create
"""

from dataclasses import dataclass, field
from typing import Any

from careplane.codecs import chat_request, fields
from careplane.codecs.fields import Check
from careplane.errors import InputError
from careplane.records import JSON


@dataclass
class Turns:
    """Canonical messages as they grow, and which of the client's items each began with.

    ``read`` takes the items in order, ``end`` comes after the last; an :class:`InputError` names the field.
    """

    messages: list[JSON] = field(default_factory=list)
    origins: list[int | None] = field(default_factory=list)
    waiting: list[JSON] = field(default_factory=list)
    waiting_for: int = 0

    def add(self, origin: int | None, message: JSON) -> None:
        self.messages.append(message)
        self.origins.append(origin)

    def read(self, item: object, i: int) -> None:
        path = f"input[{i}]"
        given = fields.a_dict(item, path)
        kind = given.get("type") or "message"
        reader = _ITEMS.get(kind) if type(kind) is str else None
        if reader is None:
            known = ", ".join(_ITEMS)
            raise InputError(
                f"must be one of {known}: others need a provider that keeps or runs things", field=f"{path}.type"
            )
        reader(self, given, path, i)

    def message(self, given: JSON, path: str, i: int) -> None:
        self.end()
        read = fields.read_fields(given, _MESSAGE, f"{path}.")
        role = fields.needed(read, "role", f"{path}.")
        content = fields.needed(read, "content", f"{path}.")
        if type(content) is not str:
            content = [_part(part, f"{path}.content[{n}]", role) for n, part in enumerate(content)]
        if role != "assistant":
            self.add(i, {"role": "system" if role == "developer" else role, "content": _plain(content)})
            return
        if type(content) is not str:
            content = "".join(part.get("text", "") + part.get("refusal", "") for part in content)
        last = self.messages[-1] if self.messages else {}
        if last.get("tool_calls"):  # text that came after the calls of the same turn
            last["content"] = (last["content"] or "") + content
        else:
            self.add(i, {"role": "assistant", "content": content})

    def call(self, given: JSON, path: str, i: int) -> None:
        self.end()
        read = fields.read_fields(given, _CALL, f"{path}.")
        for name in ("call_id", "name", "arguments"):
            fields.needed(read, name, f"{path}.")
        function = {"name": read["name"], "arguments": read["arguments"]}
        last = self.messages[-1] if self.messages else {}
        if last.get("role") != "assistant":
            last = {"role": "assistant", "content": None}
            self.add(i, last)
        last.setdefault("tool_calls", []).append({"id": read["call_id"], "type": "function", "function": function})

    def output(self, given: JSON, path: str, i: int) -> None:
        read = fields.read_fields(given, _OUTPUT, f"{path}.")
        ident = fields.needed(read, "call_id", f"{path}.")
        output = fields.needed(read, "output", f"{path}.")
        if type(output) is not str:
            parts = [_part(part, f"{path}.output[{n}]", "user") for n, part in enumerate(output)]
            output = "\n".join(part["text"] for part in parts if part["type"] == "text")
            self.waiting += [part for part in parts if part["type"] != "text"]
            self.waiting_for = i
        self.add(i, {"role": "tool", "tool_call_id": ident, "content": output})

    def skip(self, given: JSON, path: str, i: int) -> None:
        """Nothing of it goes on."""

    def end(self) -> None:
        """Images and files inside results of tools follow these as a message of the user."""
        if self.waiting:
            self.add(self.waiting_for, {"role": "user", "content": self.waiting})
            self.waiting = []


_ITEMS = {
    "message": Turns.message,
    "function_call": Turns.call,
    "function_call_output": Turns.output,
    "reasoning": Turns.skip,
}


def _plain(content: str | list[JSON]) -> str | list[JSON]:
    if isinstance(content, list) and len(content) == 1 and content[0]["type"] == "text":
        return str(content[0]["text"])
    return content


def _part(part: object, path: str, role: str) -> JSON:
    given = fields.a_dict(part, path)
    kind = given.get("type")
    allowed = _PARTS["user" if role == "user" else "assistant" if role == "assistant" else "system"]
    if type(kind) is not str or kind not in allowed:
        raise InputError(f"must be one of {', '.join(allowed)} here", field=f"{path}.type")
    checks, name = allowed[kind]
    read = fields.read_fields(given, checks, f"{path}.")
    value = fields.needed(read, name, f"{path}.")
    if kind == "input_image":
        return {"type": "image_url", "image_url": {"url": value} | _kept(read, "detail")}
    if kind == "input_file":
        return {"type": "file", "file": {"file_data": value} | _kept(read, "filename")}
    return {"type": "refusal", "refusal": value} if kind == "refusal" else {"type": "text", "text": value}


def _kept(read: JSON, name: str) -> JSON:
    return {name: read[name]} if name in read else {}


def _image_url(value: object, path: str) -> str:
    url = fields.text(value, path)
    if not url.startswith(("data:image/", "https://", "http://")):
        raise InputError("must be a data: URL of an image or an http(s) URL", field=path)
    return url


def _content(value: object, path: str) -> str | list[Any]:
    if type(value) is str:
        return value
    if type(value) is not list:
        raise InputError("must be text or a list of parts", field=path)
    if not value:
        raise InputError("at least one part is needed", field=path)
    return fields.a_list(value, path, chat_request.MAX_PARTS)


_PART: dict[str, Check] = {"type": fields.text, "prompt_cache_breakpoint": fields.dropped}
_INPUT_TEXT: dict[str, Check] = {**_PART, "text": fields.text}
_OUTPUT_TEXT: dict[str, Check] = {**_INPUT_TEXT, "annotations": fields.dropped, "logprobs": fields.dropped}
_INPUT_IMAGE: dict[str, Check] = {
    **_PART,
    "image_url": _image_url,
    "detail": fields.one_of("auto", "low", "high", "original"),
    "file_id": chat_request.STORED,
}
_INPUT_FILE: dict[str, Check] = {
    **_PART,
    "file_data": fields.text,
    "filename": fields.short_text,
    "detail": fields.dropped,
    "file_id": chat_request.STORED,
    "file_url": fields.refused("is not offered; send the content itself as file_data"),
}
_PARTS: dict[str, dict[str, tuple[dict[str, Check], str]]] = {
    "user": {
        "input_text": (_INPUT_TEXT, "text"),
        "input_image": (_INPUT_IMAGE, "image_url"),
        "input_file": (_INPUT_FILE, "file_data"),
    },
    "system": {"input_text": (_INPUT_TEXT, "text")},
    "assistant": {
        "output_text": (_OUTPUT_TEXT, "text"),
        "input_text": (_INPUT_TEXT, "text"),
        "refusal": ({**_PART, "refusal": fields.text}, "refusal"),
    },
}
_ITEM: dict[str, Check] = {"type": fields.text, "id": fields.dropped, "status": fields.dropped}
_MESSAGE: dict[str, Check] = {
    **_ITEM,
    "role": fields.one_of("user", "assistant", "system", "developer"),
    "content": _content,
    "phase": fields.dropped,
}
_CALLER = fields.only({"type": "direct"}, reason=chat_request.ONLY_FUNCTIONS)
_CALL: dict[str, Check] = {
    **_ITEM,
    "call_id": fields.short_text,
    "name": fields.tool_name,
    "arguments": fields.text,
    "caller": _CALLER,
}
_OUTPUT: dict[str, Check] = {**_ITEM, "call_id": fields.short_text, "output": _content, "caller": _CALLER}
