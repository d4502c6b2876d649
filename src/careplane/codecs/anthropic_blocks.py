"""Content blocks of Anthropic's Messages, read one by one into canonical parts, tool calls and tool results.

Source: https://docs.anthropic.com/en/api/messages
"""

from typing import Any

import orjson

from careplane.codecs import chat_request, fields
from careplane.codecs.fields import Check
from careplane.errors import InputError
from careplane.records import JSON

SERVER_TOOLS = "only tools of your own are offered: others run at the provider, outside the shield"


def plain(parts: list[JSON]) -> str | list[JSON]:
    """The content of a message: one text as it is, anything else as parts."""
    return parts[0]["text"] if len(parts) == 1 and parts[0]["type"] == "text" else parts


def read_content(value: object, path: str) -> str | list[Any]:
    """The content of a message: text, or blocks that are not read yet."""
    if type(value) is str:
        return value
    if type(value) is not list:
        raise InputError("must be text or a list of blocks", field=path)
    if not value:
        raise InputError("at least one block is needed", field=path)
    return fields.a_list(value, path, chat_request.MAX_PARTS)


def _result_content(value: object, path: str) -> str | list[Any]:
    return "" if value == [] else read_content(value, path)


def read_block(block: object, path: str, role: str) -> JSON:
    """A block as a canonical part; ``tool_use`` with its ``call``, ``tool_result`` with its ``message`` and the
    ``images`` that it held, thinking with nothing. ``role`` says which kinds may come here."""
    given = fields.a_dict(block, path)
    kind = given.get("type")
    checks = _BLOCKS[role].get(kind) if type(kind) is str else None
    if checks is None:
        raise InputError(f"must be one of {', '.join(_BLOCKS[role])} here", field=f"{path}.type")
    read = fields.read_fields(given, checks, f"{path}.")
    build = _BUILDERS.get(str(kind))
    return build(read, path) if build else {"type": kind}


def _text_block(read: JSON, path: str) -> JSON:
    return {"type": "text", "text": fields.needed(read, "text", f"{path}.")}


def _source_block(read: JSON, path: str) -> JSON:
    part: JSON = fields.needed(read, "source", f"{path}.")
    if part["type"] == "file" and read.get("title"):
        part["file"]["filename"] = read["title"]
    return part


def _image_source(value: object, path: str) -> JSON:
    read = _source(value, path, _IMAGE_SOURCES)
    if read["type"] == "url":
        url = fields.needed(read, "url", f"{path}.")
        if not url.startswith(("https://", "http://")):
            raise InputError("must be an http(s) URL", field=f"{path}.url")
    else:
        url = _data_url(read, path)
        if not url.startswith("data:image/"):
            raise InputError("must be the media type of an image", field=f"{path}.media_type")
    return {"type": "image_url", "image_url": {"url": url}}


def _document_source(value: object, path: str) -> JSON:
    read = _source(value, path, _DOCUMENT_SOURCES)
    if read["type"] == "text":
        return {"type": "text", "text": fields.needed(read, "data", f"{path}.")}
    return {"type": "file", "file": {"file_data": _data_url(read, path)}}


def _source(value: object, path: str, kinds: dict[str, dict[str, Check]]) -> JSON:
    given = fields.a_dict(value, path)
    kind = given.get("type")
    if kind == "file":
        raise InputError("names a file that the provider keeps; send the content itself", field=f"{path}.type")
    if type(kind) is not str or kind not in kinds:
        raise InputError(f"must be one of {', '.join(kinds)}", field=f"{path}.type")
    return fields.read_fields(given, kinds[kind], f"{path}.")


def _data_url(read: JSON, path: str) -> str:
    return f"data:{fields.needed(read, 'media_type', f'{path}.')};base64,{fields.needed(read, 'data', f'{path}.')}"


def _media_type(value: object, path: str) -> str:
    given = fields.short_text(value, path)
    if (
        given.count("/") != 1
        or not given.replace("/", "a").replace("-", "a").replace(".", "a").replace("+", "a").isalnum()
    ):
        raise InputError("must be a media type such as image/png", field=path)
    return given


def _tool_use(read: JSON, path: str) -> JSON:
    for name in ("id", "name", "input"):
        fields.needed(read, name, f"{path}.")
    function = {"name": read["name"], "arguments": orjson.dumps(read["input"]).decode()}
    return {"type": "tool_use", "call": {"id": read["id"], "type": "function", "function": function}}


def _tool_result(read: JSON, path: str) -> JSON:
    content = read.get("content", "")
    images: list[JSON] = []
    if type(content) is not str:
        blocks = [read_block(block, f"{path}.content[{n}]", "tool_result") for n, block in enumerate(content)]
        images = [block for block in blocks if block["type"] != "text"]
        content = "\n".join(block["text"] for block in blocks if block["type"] == "text")
    if read.get("is_error"):
        content = f"Error: {content}"
    ident = fields.needed(read, "tool_use_id", f"{path}.")
    return {
        "type": "tool_result",
        "message": {"role": "tool", "tool_call_id": ident, "content": content},
        "images": images,
    }


_CACHE: dict[str, Check] = {"type": fields.text, "cache_control": fields.dropped}
_BASE64: dict[str, Check] = {"type": fields.text, "media_type": _media_type, "data": fields.text}
_IMAGE_SOURCES: dict[str, dict[str, Check]] = {"base64": _BASE64, "url": {"type": fields.text, "url": fields.text}}
_DOCUMENT_SOURCES: dict[str, dict[str, Check]] = {
    "base64": _BASE64,
    "text": {"type": fields.text, "media_type": fields.dropped, "data": fields.text},
}
_TEXT: dict[str, Check] = {**_CACHE, "text": fields.text, "citations": fields.dropped}
_IMAGE: dict[str, Check] = {**_CACHE, "source": _image_source, "transformations": fields.refused("is not offered")}
_DOCUMENT: dict[str, Check] = {
    **_CACHE,
    "source": _document_source,
    "title": fields.short_text,
    "context": fields.refused("is not offered; put it into a text block"),
    "citations": fields.only({"enabled": False}, reason="is not offered: citations would show text unrestored"),
}
_USE: dict[str, Check] = {
    **_CACHE,
    "id": fields.short_text,
    "name": fields.tool_name,
    "input": fields.a_dict,
    "caller": fields.only({"type": "direct"}, reason=SERVER_TOOLS),
}
_RESULT: dict[str, Check] = {
    **_CACHE,
    "tool_use_id": fields.short_text,
    "content": _result_content,
    "is_error": fields.flag,
}
_THOUGHT: dict[str, Check] = dict.fromkeys(("type", "thinking", "signature", "data"), fields.dropped)
_BLOCKS: dict[str, dict[str, dict[str, Check]]] = {
    "user": {"text": _TEXT, "image": _IMAGE, "document": _DOCUMENT, "tool_result": _RESULT},
    "assistant": {"text": _TEXT, "tool_use": _USE, "thinking": _THOUGHT, "redacted_thinking": _THOUGHT},
    "system": {"text": _TEXT},
    "tool_result": {"text": _TEXT, "image": _IMAGE, "document": _DOCUMENT},
}
_BUILDERS = {
    "text": _text_block,
    "image": _source_block,
    "document": _source_block,
    "tool_use": _tool_use,
    "tool_result": _tool_result,
}
