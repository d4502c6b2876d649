"""Amazon Bedrock's Converse as a client speaks it: a canonical request to its body. The reply: ``converse_reply``.

Source: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html and the service model that
botocore ships (the tests validate requests against it). Canonical forms are those of :mod:`careplane.records.model`.
"""

import base64
import binascii
import re

import orjson

from careplane.codecs.tool_arguments import as_object
from careplane.errors import InputError
from careplane.records import JSON

_DATA_URL = re.compile(r"data:(?:image|application|text)/([a-z0-9.+-]+)(?:;[a-z0-9=-]+)*;base64,", re.IGNORECASE)
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9 ()\[\]-]+")
_IMAGES = ("png", "jpeg", "gif", "webp")
_DOCUMENTS = {"pdf": "pdf", "csv": "csv", "html": "html", "plain": "txt", "markdown": "md"}


def request(body: JSON) -> JSON:
    """The body of Converse for a canonical body. Hints without an equivalent (seed, penalties, logprobs) are left out.

    Raises:
        InputError: something that Converse cannot express; ``field`` names it.
    """
    sent: JSON = {"messages": _messages(body["messages"])}
    if system := [{"text": text} for message in body["messages"] if _is_system(message) for text in _texts(message)]:
        sent["system"] = system
    if limits := _inference(body):
        sent["inferenceConfig"] = limits
    if tools := _tools(body):
        sent["toolConfig"] = tools
    if output := _output(body):
        sent["outputConfig"] = output
    return sent


def _is_system(message: JSON) -> bool:
    return message["role"] in ("system", "developer")


def _texts(message: JSON) -> list[str]:
    content = message.get("content") or ""
    parts = [content] if isinstance(content, str) else [part.get("text") or "" for part in content]
    return [text for text in parts if text]


def _messages(given: list[JSON]) -> list[JSON]:
    """Turns of user and assistant in alternation, as Converse wants them: neighbours of one role are joined."""
    turns: list[JSON] = []
    for i, message in enumerate(given):
        if _is_system(message):
            continue
        role = "assistant" if message["role"] == "assistant" else "user"
        blocks = _blocks(message, f"messages[{i}]")
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"] += blocks
        elif blocks:
            turns.append({"role": role, "content": blocks})
    return turns


def _blocks(message: JSON, field: str) -> list[JSON]:
    if message["role"] == "tool":
        said = [{"text": text} for text in _texts(message)] or [{"text": "(empty)"}]
        return [{"toolResult": {"toolUseId": message.get("tool_call_id") or "", "content": said}}]
    content = message.get("content") or ""
    if isinstance(content, str):
        blocks: list[JSON] = [{"text": content}] if content else []
    else:
        blocks = [block for i, part in enumerate(content) for block in _part(part, f"{field}.content[{i}]")]
    return blocks + [_tool_use(call) for call in message.get("tool_calls") or ()]


def _part(part: JSON, field: str) -> list[JSON]:
    match part.get("type"):
        case "text":
            return [{"text": part["text"]}] if part.get("text") else []
        case "image_url":
            kind, data = _data(part["image_url"].get("url") or "", field)
            if kind not in _IMAGES:
                raise InputError("must be a PNG, JPEG, GIF or WebP image", field=field)
            return [{"image": {"format": kind, "source": {"bytes": data}}}]
        case "file":
            kind, data = _data(part["file"].get("file_data") or "", field)
            name = _NOT_IN_A_NAME.sub(" ", part["file"].get("filename") or "document").strip() or "document"
            if kind not in _DOCUMENTS:
                raise InputError("must be a PDF, CSV, HTML, Markdown or text file", field=field)
            return [{"document": {"format": _DOCUMENTS[kind], "name": name[:200], "source": {"bytes": data}}}]
        case "refusal":
            return [{"text": part["refusal"]}] if part.get("refusal") else []
    raise InputError("is a kind of content that Bedrock's Converse does not take", field=field)


def _data(url: str, field: str) -> tuple[str, str]:
    """Format and base64 text of a data URL; Converse fetches nothing, and neither do we."""
    found = _DATA_URL.match(url)
    if found is None:
        raise InputError("must be a base64 data URL", field=field)
    data = url[found.end() :]
    try:
        base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InputError("is not valid base64", field=field) from error
    kind = found[1].lower()
    return ("jpeg" if kind == "jpg" else kind), data


def _tool_use(call: JSON) -> JSON:
    function = call["function"]
    given = as_object(function.get("arguments") or "{}")
    return {"toolUse": {"toolUseId": call["id"], "name": function["name"], "input": given}}


def _inference(body: JSON) -> JSON:
    stop = body.get("stop")
    given = {
        "maxTokens": body.get("max_completion_tokens") or body.get("max_tokens"),
        "temperature": body.get("temperature"),
        "topP": body.get("top_p"),
        "stopSequences": [stop] if isinstance(stop, str) else stop,
    }
    return {name: value for name, value in given.items() if value is not None}


def _tools(body: JSON) -> JSON | None:
    """Tools and the choice among them. Converse has no "none": then the tools are left out, unless the conversation
    already holds calls, with which it must know them."""
    choice = body.get("tool_choice") or "auto"
    used = any(message.get("tool_calls") or message["role"] == "tool" for message in body["messages"])
    if not body.get("tools") or (choice == "none" and not used):
        return None
    config: JSON = {"tools": [_tool(tool["function"]) for tool in body["tools"]]}
    if choice == "required":
        config["toolChoice"] = {"any": {}}
    elif isinstance(choice, dict):
        config["toolChoice"] = {"tool": {"name": choice["function"]["name"]}}
    return config


def _tool(function: JSON) -> JSON:
    schema = function.get("parameters") or {"type": "object", "properties": {}}
    spec: JSON = {"name": function["name"], "inputSchema": {"json": schema}}
    if function.get("description"):
        spec["description"] = function["description"]
    if function.get("strict") is not None:
        spec["strict"] = function["strict"]
    return {"toolSpec": spec}


def _output(body: JSON) -> JSON:
    output: JSON = {"effort": body["reasoning_effort"]} if body.get("reasoning_effort") else {}
    wanted = body.get("response_format") or {"type": "text"}
    if wanted.get("type") == "json_schema":
        given = wanted["json_schema"]
        schema: JSON = {"schema": orjson.dumps(given.get("schema") or {}).decode()}
        schema |= {name: given[name] for name in ("name", "description") if given.get(name)}
        output["textFormat"] = {"type": "json_schema", "structure": {"jsonSchema": schema}}
    elif wanted.get("type") != "text":
        raise InputError("must be a JSON schema: Bedrock's Converse has no free JSON mode", field="response_format")
    return output
