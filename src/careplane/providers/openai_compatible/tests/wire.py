"""Chat Completions and embeddings as a server speaks them, written from OpenAI's API reference, not from our codec.

``tests/providers/test_fidelity.py`` lets the official client read what this writes.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

from careplane.records.model import Chunk

GAPS: Mapping[str, str] = {}


def settings(url: str) -> dict[str, str]:
    return {"base_url": f"{url}/v1", "model": "a-model", "embed_model": "an-embedder", "api_key": "sk-secret"}


def asked(path: str, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    given = json.loads(body)
    assert headers["content-type"] == "application/json"
    assert headers["authorization"] == "Bearer sk-secret"
    assert path in ("/v1/chat/completions", "/v1/embeddings")
    return read(given)


def read(given: dict[str, Any]) -> dict[str, Any]:
    """What a body of OpenAI's API asks."""
    if "input" in given:
        return {"model": given["model"], "inputs": given["input"], "dimensions": given.get("dimensions")}
    format_ = given.get("response_format") or {}
    choice: Any = given.get("tool_choice", "auto" if given.get("tools") else None)
    spoken = [message for message in given["messages"] if message["role"] != "system"]
    return {
        "model": given["model"],
        "stream": given.get("stream", False),
        "system": [m["content"] for m in given["messages"] if m["role"] == "system"],
        "turns": [(m["role"], _text(m)) for m in spoken if m["role"] != "tool" and _text(m)],
        "images": [_image(part) for m in spoken for part in _parts(m) if part["type"] == "image_url"],
        "tools": [(one["function"]["name"], one["function"]["parameters"]) for one in given.get("tools", [])],
        "choice": choice["function"]["name"] if isinstance(choice, dict) else {"required": "any"}.get(choice, choice),
        "calls": [
            (call["id"], call["function"]["name"], json.loads(call["function"]["arguments"]))
            for message in spoken
            for call in message.get("tool_calls", [])
        ],
        "results": [(m["tool_call_id"], m["content"]) for m in spoken if m["role"] == "tool"],
        "schema": format_.get("json_schema", {}).get("schema"),
        "max_tokens": given.get("max_completion_tokens") or given.get("max_tokens"),
        "temperature": given.get("temperature"),
    }


def _parts(message: dict[str, Any]) -> list[dict[str, Any]]:
    content = message.get("content") or ""
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _text(message: dict[str, Any]) -> str:
    return "".join(part.get("text", "") for part in _parts(message))


def _image(part: dict[str, Any]) -> tuple[str, bytes]:
    kind, _, data = part["image_url"]["url"].removeprefix("data:").partition(";base64,")
    return kind, base64.b64decode(data)


def whole(chunks: Sequence[Chunk]) -> tuple[str, bytes]:
    message: dict[str, Any] = {"role": "assistant", "content": "".join(chunk.text for chunk in chunks) or None}
    calls: dict[int, dict[str, Any]] = {}
    for delta in (delta for chunk in chunks for delta in chunk.tool_calls):
        call = calls.setdefault(delta.index, {"type": "function", "function": {"name": delta.name, "arguments": ""}})
        call["id"] = delta.id or call["id"]
        call["function"]["arguments"] += delta.arguments
    if calls:
        message["tool_calls"] = list(calls.values())
    if reasoning := "".join(chunk.reasoning for chunk in chunks):
        message["reasoning_content"] = reasoning
    if refusal := "".join(chunk.refusal for chunk in chunks):
        message["refusal"] = refusal
    (reason,) = [chunk.finish_reason for chunk in chunks if chunk.finish_reason]
    reply = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "a-model",
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": reason}],
        "usage": _usage(chunks),
    }
    return "application/json", json.dumps(reply).encode()


def stream(chunks: Sequence[Chunk]) -> tuple[str, list[bytes]]:
    pieces = [_event({"role": "assistant", "content": ""}, None), b": a comment\n\n"]
    for chunk in chunks:
        delta: dict[str, Any] = {"content": chunk.text} if chunk.text else {}
        if chunk.reasoning:
            delta["reasoning_content"] = chunk.reasoning
        if chunk.refusal:
            delta["refusal"] = chunk.refusal
        for call in chunk.tool_calls:
            function = {"arguments": call.arguments} | ({"name": call.name} if call.name else {})
            first = {"id": call.id, "type": "function"} if call.id else {}
            delta["tool_calls"] = [{"index": call.index, **first, "function": function}]
        if delta or chunk.finish_reason:
            pieces.append(_event(delta, chunk.finish_reason))
    counts = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "a-model", "choices": []}
    pieces.append(_data(counts | {"usage": _usage(chunks)}))
    return "text/event-stream", [*pieces, b"data: [DONE]\n\n"]


def _event(delta: dict[str, Any], reason: str | None) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
    event = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "a-model"}
    return _data(event | {"choices": [choice]})


def _data(given: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(given, ensure_ascii=False)}\n\n".encode()


def _usage(chunks: Sequence[Chunk]) -> dict[str, Any]:
    counted = [chunk for chunk in chunks if chunk.input_tokens is not None]
    if not counted:
        return {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    read, written = counted[-1].input_tokens or 0, counted[-1].output_tokens or 0
    details = {"cached_tokens": counted[-1].cached_tokens}
    total = {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}
    return total | {"prompt_tokens_details": details}


def embeddings(vectors: Sequence[Sequence[float]]) -> bytes:
    rows = [{"object": "embedding", "index": i, "embedding": list(vector)} for i, vector in enumerate(vectors)]
    usage = {"prompt_tokens": 5, "total_tokens": 5}
    return json.dumps({"object": "list", "data": rows[::-1], "model": "an-embedder", "usage": usage}).encode()


def failure(code: str, message: str) -> bytes:
    kind = "invalid_request_error"
    return json.dumps({"error": {"message": message, "type": kind, "param": None, "code": code or None}}).encode()


def broken() -> Mapping[str, list[bytes]]:
    start = _event({"content": "half a"}, None)
    return {
        "not JSON": [start, b"data: {not json\n\n"],
        "not an object": [start, b"data: [1, 2]\n\n"],
        "a number for text": [start, _event({"content": 5}, None)],
        "choices of another shape": [start, b'data: {"choices": [[1]]}\n\n'],
        "invalid UTF-8": [start, b'data: {"choices": [{"index": 0, "delta": {"content": "\xff\xfe"}}]}\n\n'],
        "an error in the stream": [start, b'data: {"error": {"message": "canary-7391", "code": 500}}\n\n'],
        "counts of another shape": [start, b'data: {"choices": [], "usage": {"prompt_tokens": "many"}}\n\n'],
        "an end without a reason": [start, b"data: [DONE]\n\n"],
    }
