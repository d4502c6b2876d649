"""Anthropic's Messages as a client asks: a canonical request to their body (the reply: ``anthropic_reply``).

Left out, as the API has no place for them: ``seed``, penalties, ``logit_bias``, ``verbosity``, ``name``. System
messages go to the front, as in Anthropic's own OpenAI door.

Source: https://docs.anthropic.com/en/api/messages
"""

import re

from careplane.codecs.tool_arguments import as_object
from careplane.errors import UpstreamRejected
from careplane.records import JSON

DEFAULT_MAX_TOKENS = 4096
"""The API wants a limit; this is the one for a request without."""
_JSON_ONLY = "Answer with one JSON object and nothing else."
_DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+)(?:;[\w=.+-]+)*;base64,")
_ODD = re.compile(r"[^A-Za-z0-9_-]")
_EFFORTS = {"minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "xhigh", "max": "max"}


def messages_body(
    body: JSON, model: str, *, stream: bool, effort: bool = False, default_max_tokens: int = DEFAULT_MAX_TOKENS
) -> JSON:
    """The request body for a canonical one; ``effort`` says whether the model takes ``output_config.effort``.

    Raises:
        UpstreamRejected: the request holds something that the API has no place for (audio).
    """
    system, messages = _messages(body["messages"])
    out: JSON = {"model": model, "max_tokens": body.get("max_tokens") or default_max_tokens, "messages": messages}
    if stream:
        out["stream"] = True
    wanted = body.get("response_format") or {}
    if wanted.get("type") == "json_object":
        system.append({"type": "text", "text": _JSON_ONLY})
    if system:
        out["system"] = system[0]["text"] if len(system) == 1 else system
    return out | _sampling(body) | _tools(body) | _output(body, wanted, effort=effort)


def _sampling(body: JSON) -> JSON:
    out: JSON = {}
    if body.get("temperature") is not None:
        out["temperature"] = min(body["temperature"], 1)
    if body.get("top_p") is not None and not ("temperature" in out and body["top_p"] == 1):
        out["top_p"] = body["top_p"]  # newer models refuse both, so a neutral one stays away
    if body.get("top_k"):
        out["top_k"] = body["top_k"]
    stops = body.get("stop") or []
    stops = [stops] if isinstance(stops, str) else stops
    return out | {"stop_sequences": stops} if stops else out


def _tools(body: JSON) -> JSON:
    if not body.get("tools"):
        return {}
    out: JSON = {"tools": [_tool(tool["function"]) for tool in body["tools"]]}
    chosen = body.get("tool_choice")
    choice: JSON | None = None
    if isinstance(chosen, dict):
        choice = {"type": "tool", "name": chosen["function"]["name"]}
    elif chosen is not None:
        choice = {"type": {"required": "any"}.get(chosen, chosen)}
    if body.get("parallel_tool_calls") is False and chosen != "none":
        choice = {**(choice or {"type": "auto"}), "disable_parallel_tool_use": True}
    return out | {"tool_choice": choice} if choice else out


def _tool(function: JSON) -> JSON:
    out = {"name": function["name"], "input_schema": {"type": "object", **(function.get("parameters") or {})}}
    return out | {name: function[name] for name in ("description", "strict") if function.get(name)}


def _output(body: JSON, wanted: JSON, *, effort: bool) -> JSON:
    config: JSON = {}
    schema = (wanted.get("json_schema") or {}).get("schema")
    if schema:
        config["format"] = {"type": "json_schema", "schema": schema}
    if effort and (level := _EFFORTS.get(body.get("reasoning_effort") or "")):
        config["effort"] = level
    return {"output_config": config} if config else {}


def _messages(given: list[JSON]) -> tuple[list[JSON], list[JSON]]:
    """System blocks, and the turns: neighbours of one role in one message, no empty block."""
    system: list[JSON] = []
    turns: list[tuple[str, list[JSON]]] = []
    for message in given:
        if message["role"] == "system":
            system += _texts(message)
            continue
        role = "assistant" if message["role"] == "assistant" else "user"
        blocks = _BLOCKS[message["role"]](message)
        if turns and turns[-1][0] == role:
            turns[-1][1].extend(blocks)
        elif blocks:
            turns.append((role, blocks))
    if turns and turns[-1][0] == "assistant" and "text" in turns[-1][1][-1]:
        last = turns[-1][1][-1]  # the API refuses blanks at the end of a reply that it is to continue
        last["text"] = last["text"].rstrip() or "…"
    return system, [{"role": role, "content": _plain(blocks)} for role, blocks in turns]


def _plain(blocks: list[JSON]) -> str | list[JSON]:
    return blocks[0]["text"] if len(blocks) == 1 and blocks[0]["type"] == "text" else blocks


def _texts(message: JSON) -> list[JSON]:
    content = message.get("content") or ""
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content.strip() else []
    texts = (part.get("text") or part.get("refusal") or "" for part in content)
    return [{"type": "text", "text": text} for text in texts if text.strip()]


def _user(message: JSON) -> list[JSON]:
    content = message["content"]
    if isinstance(content, str):
        return _texts(message)
    blocks = (_block(part) for part in content)
    return [block for block in blocks if block["type"] != "text" or block["text"].strip()]


def _block(part: JSON) -> JSON:
    kind = part["type"]
    if kind == "text":
        return {"type": "text", "text": part["text"]}
    if kind == "image_url":
        url = part["image_url"]["url"]
        return {"type": "image", "source": _base64(url) or {"type": "url", "url": url}}
    if kind == "file":
        source = _base64(part["file"]["file_data"])
        if source is not None:
            title = {"title": part["file"]["filename"]} if part["file"].get("filename") else {}
            return {"type": "document", "source": source, **title}
    raise UpstreamRejected(f"This model does not take content of the type {kind}.")


def _base64(url: str) -> JSON | None:
    found = _DATA_URL.match(url)
    return {"type": "base64", "media_type": found[1], "data": url[found.end() :]} if found else None


def _assistant(message: JSON) -> list[JSON]:
    blocks = _texts(message)
    if message.get("refusal"):
        blocks.append({"type": "text", "text": message["refusal"]})
    for call in message.get("tool_calls") or ():
        function = call["function"]
        ident = _ODD.sub("_", call["id"])
        blocks.append(
            {"type": "tool_use", "id": ident, "name": function["name"], "input": as_object(function["arguments"])}
        )
    return blocks


def _tool_result(message: JSON) -> list[JSON]:
    content = _plain(_texts(message) or [{"type": "text", "text": ""}])
    return [{"type": "tool_result", "tool_use_id": _ODD.sub("_", message["tool_call_id"]), "content": content}]


_BLOCKS = {"user": _user, "assistant": _assistant, "tool": _tool_result}
