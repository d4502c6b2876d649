"""Messages as Anthropic's server speaks them, written from the API reference, not from our codec.

``tests/providers/test_fidelity.py`` lets the official client read what this writes.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

from careplane.records.model import Chunk

GAPS: Mapping[str, str] = {"embeddings": ""}
_REASONS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "content_filter": "refusal"}


def settings(url: str) -> dict[str, str]:
    return {"base_url": url, "model": "claude-sonnet-4-5", "api_key": "sk-ant-secret"}


def asked(path: str, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    given = json.loads(body)
    assert path == "/v1/messages"
    assert headers["x-api-key"] == "sk-ant-secret"
    assert headers["anthropic-version"] == "2023-06-01"
    assert given["max_tokens"] > 0
    blocks = [(turn["role"], block) for turn in given["messages"] for block in _blocks(turn["content"])]
    tools = given.get("tools", [])
    choice = given.get("tool_choice", {"type": "auto" if tools else None})
    return {
        "model": given["model"],
        "stream": given.get("stream", False),
        "system": [block["text"] for block in _blocks(given.get("system", []))],
        "turns": [(role, block["text"]) for role, block in blocks if block["type"] == "text"],
        "images": [_image(block["source"]) for _, block in blocks if block["type"] == "image"],
        "tools": [(tool["name"], tool["input_schema"]) for tool in tools],
        "choice": choice.get("name", choice["type"]),
        "calls": [(block["id"], block["name"], block["input"]) for _, block in blocks if block["type"] == "tool_use"],
        "results": [
            (block["tool_use_id"], _blocks(block["content"])[0]["text"])
            for _, block in blocks
            if block["type"] == "tool_result"
        ],
        "schema": given.get("output_config", {}).get("format", {}).get("schema"),
        "max_tokens": given["max_tokens"],
        "temperature": given.get("temperature"),
    }


def _blocks(content: Any) -> list[dict[str, Any]]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _image(source: dict[str, Any]) -> tuple[str, bytes]:
    return source["media_type"], base64.b64decode(source["data"])


def _usage(chunks: Sequence[Chunk]) -> dict[str, Any]:
    counted = [chunk for chunk in chunks if chunk.input_tokens is not None]
    if not counted:
        return {"input_tokens": 1, "output_tokens": 1}
    cached = counted[-1].cached_tokens or 0
    read, written = (counted[-1].input_tokens or 0) - cached, counted[-1].output_tokens or 0
    cache = {"cache_read_input_tokens": cached, "cache_creation_input_tokens": 0}
    return {"input_tokens": read, "output_tokens": written, **cache}


def whole(chunks: Sequence[Chunk]) -> tuple[str, bytes]:
    content: list[dict[str, Any]] = []
    if reasoning := "".join(chunk.reasoning for chunk in chunks):
        content.append({"type": "thinking", "thinking": reasoning, "signature": "s"})
    if text := "".join(chunk.text for chunk in chunks):
        content.append({"type": "text", "text": text})
    calls: dict[int, dict[str, Any]] = {}
    for delta in (delta for chunk in chunks for delta in chunk.tool_calls):
        call = calls.setdefault(delta.index, {"type": "tool_use", "id": delta.id, "name": delta.name, "input": ""})
        call["input"] += delta.arguments
    content += [call | {"input": json.loads(call["input"])} for call in calls.values()]
    (reason,) = [chunk.finish_reason for chunk in chunks if chunk.finish_reason]
    end = {"stop_reason": _REASONS[reason], "stop_sequence": None, "usage": _usage(chunks)}
    return "application/json", json.dumps(_message() | {"content": content} | end).encode()


def _message() -> dict[str, Any]:
    return {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5", "content": []}


def stream(chunks: Sequence[Chunk]) -> tuple[str, list[bytes]]:
    usage = _usage(chunks)
    start = _message() | {"stop_reason": None, "stop_sequence": None, "usage": usage | {"output_tokens": 1}}
    pieces = [event("message_start", message=start), event("ping")]
    index, open_ = -1, ""
    for chunk in chunks:
        for kind, begins, delta in _deltas(chunk):
            if kind != open_:
                pieces += [event("content_block_stop", index=index)] if open_ else []
                index, open_ = index + 1, kind
                pieces.append(event("content_block_start", index=index, content_block=begins))
            pieces += [event("content_block_delta", index=index, delta=delta)] if delta else []
        if chunk.finish_reason:
            pieces += [event("content_block_stop", index=index)] if open_ else []
            delta = {"stop_reason": _REASONS[chunk.finish_reason], "stop_sequence": None}
            pieces.append(event("message_delta", delta=delta, usage={"output_tokens": usage["output_tokens"]}))
    return "text/event-stream", [*pieces, event("message_stop")]


Delta = tuple[str, dict[str, Any], dict[str, Any] | None]


def _deltas(chunk: Chunk) -> list[Delta]:
    """Pieces with the block they belong to, and how that block starts."""
    found: list[Delta] = []
    if chunk.reasoning:
        begins: dict[str, Any] = {"type": "thinking", "thinking": "", "signature": ""}
        found.append(("thinking", begins, {"type": "thinking_delta", "thinking": chunk.reasoning}))
    if chunk.text:
        found.append(("text", {"type": "text", "text": ""}, {"type": "text_delta", "text": chunk.text}))
    for call in chunk.tool_calls:
        begins = {"type": "tool_use", "id": call.id, "name": call.name, "input": {}}
        delta = {"type": "input_json_delta", "partial_json": call.arguments} if call.arguments else None
        found.append((f"tool {call.index}", begins, delta))
    return found


def event(kind: str, **fields: Any) -> bytes:
    """One event of the stream."""
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields}, ensure_ascii=False)}\n\n".encode()


def embeddings(vectors: Sequence[Sequence[float]]) -> bytes:
    raise NotImplementedError


def failure(code: str, message: str) -> bytes:
    said = {"context_length_exceeded": f"prompt is too long: 210000 tokens > 200000 maximum {message}"}
    error = {"type": "invalid_request_error", "message": said.get(code, message)}
    return json.dumps({"type": "error", "error": error, "request_id": "req_1"}).encode()


def broken() -> Mapping[str, list[bytes]]:
    usage = {"input_tokens": 1, "output_tokens": 1}
    begin = [
        event("message_start", message=_message() | {"usage": usage}),
        event("content_block_start", index=0, content_block={"type": "text", "text": ""}),
        event("content_block_delta", index=0, delta={"type": "text_delta", "text": "half a"}),
    ]
    return {
        "not JSON": [*begin, b"event: content_block_delta\ndata: {not json\n\n"],
        "not an object": [*begin, b"event: content_block_delta\ndata: [1]\n\n"],
        "a number for text": [*begin, event("content_block_delta", index=0, delta={"type": "text_delta", "text": 5})],
        "a delta of another shape": [*begin, event("content_block_delta", index=0, delta=None)],
        "invalid UTF-8": [*begin, b'event: ping\ndata: {"type": "ping", "a": "\xff\xfe"}\n\n'],
        "an error in the stream": [*begin, event("error", error={"type": "api_error", "message": "canary-7391"})],
        "an end without a reason": [*begin, event("message_stop")],
        "counts of another shape": [event("message_start", message=_message() | {"usage": {"input_tokens": "many"}})],
    }
