"""Converse and ConverseStream as Bedrock speaks them. Frames are written here by hand: not by our codec.

``tests/providers/test_fidelity.py`` lets botocore read what this writes.
"""

import base64
import itertools
import json
import struct
import zlib
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from careplane.records.model import Chunk

GAPS: Mapping[str, str] = {}
MODEL = "anthropic.claude-sonnet-4-20250514-v1:0"
KEY_ID = "AKIDEXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
_REASONS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "content_filter": "content_filtered"}


def settings(url: str) -> dict[str, str]:
    keys = {"access_key_id": KEY_ID, "secret_access_key": SECRET, "aws_region": "eu-central-1"}
    return keys | {"endpoint": url, "model": MODEL, "embed_model": "cohere.embed-multilingual-v3"}


def asked(path: str, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    given = json.loads(body)
    assert f"Credential={KEY_ID}/" in headers["authorization"]
    assert "/eu-central-1/bedrock/aws4_request, SignedHeaders=content-type;host;x-amz-date," in headers["authorization"]
    _, _, model, action = path.split("/")
    assert ":" not in model
    if action == "invoke":
        return {"model": unquote(model), "inputs": given["texts"], "dimensions": given.get("output_dimension")}
    blocks = [(turn["role"], block) for turn in given["messages"] for block in turn["content"]]
    roles = [turn["role"] for turn in given["messages"]]
    assert all(one != next_ for one, next_ in itertools.pairwise(roles)), "turns have to alternate"
    tools = given.get("toolConfig", {})
    choice: Any = next(iter(tools.get("toolChoice", {"auto": {}}).items())) if tools else (None, None)
    output = given.get("outputConfig", {}).get("textFormat")
    limits = given.get("inferenceConfig", {})
    return {
        "model": unquote(model),
        "stream": action == "converse-stream",
        "system": [block["text"] for block in given.get("system", [])],
        "turns": [(role, block["text"]) for role, block in blocks if "text" in block],
        "images": [_image(block["image"]) for _, block in blocks if "image" in block],
        "tools": [(t["toolSpec"]["name"], t["toolSpec"]["inputSchema"]["json"]) for t in tools.get("tools", [])],
        "choice": choice[1]["name"] if choice[0] == "tool" else choice[0],
        "calls": [
            (block["toolUse"]["toolUseId"], block["toolUse"]["name"], block["toolUse"]["input"])
            for _, block in blocks
            if "toolUse" in block
        ],
        "results": [
            (block["toolResult"]["toolUseId"], block["toolResult"]["content"][0]["text"])
            for _, block in blocks
            if "toolResult" in block
        ],
        "schema": json.loads(output["structure"]["jsonSchema"]["schema"]) if output else None,
        "max_tokens": limits.get("maxTokens"),
        "temperature": limits.get("temperature"),
    }


def _image(block: dict[str, Any]) -> tuple[str, bytes]:
    return f"image/{block['format']}", base64.b64decode(block["source"]["bytes"])


def whole(chunks: Sequence[Chunk]) -> tuple[str, bytes]:
    content: list[dict[str, Any]] = []
    if reasoning := "".join(chunk.reasoning for chunk in chunks):
        content.append({"reasoningContent": {"reasoningText": {"text": reasoning, "signature": "s"}}})
    if text := "".join(chunk.text for chunk in chunks):
        content.append({"text": text})
    calls: dict[int, dict[str, Any]] = {}
    for delta in (delta for chunk in chunks for delta in chunk.tool_calls):
        call = calls.setdefault(delta.index, {"toolUseId": delta.id, "name": delta.name, "input": ""})
        call["input"] += delta.arguments
    content += [{"toolUse": call | {"input": json.loads(call["input"])}} for call in calls.values()]
    (reason,) = [chunk.finish_reason for chunk in chunks if chunk.finish_reason]
    reply = {"output": {"message": {"role": "assistant", "content": content}}, "stopReason": _REASONS[reason]}
    return "application/json", json.dumps(reply | _metadata(chunks)).encode()


def stream(chunks: Sequence[Chunk]) -> tuple[str, list[bytes]]:
    frames = [frame("messageStart", {"role": "assistant"})]
    block, open_ = -1, ""
    for chunk in chunks:
        for kind, delta, start in _deltas(chunk):
            if kind != open_:
                frames += [frame("contentBlockStop", {"contentBlockIndex": block})] if open_ else []
                block, open_ = block + 1, kind
                frames += [frame("contentBlockStart", {"contentBlockIndex": block, "start": start})] if start else []
            if delta:
                frames.append(frame("contentBlockDelta", {"contentBlockIndex": block, "delta": delta}))
        if chunk.finish_reason:
            frames.append(frame("contentBlockStop", {"contentBlockIndex": block}))
            frames.append(frame("messageStop", {"stopReason": _REASONS[chunk.finish_reason]}))
    return "application/vnd.amazon.eventstream", [*frames, frame("metadata", _metadata(chunks))]


def _deltas(chunk: Chunk) -> list[tuple[str, dict[str, Any] | None, dict[str, Any] | None]]:
    """Pieces with the block they belong to, and how that block starts."""
    found: list[tuple[str, dict[str, Any] | None, dict[str, Any] | None]] = []
    if chunk.reasoning:
        found.append(("reasoning", {"reasoningContent": {"text": chunk.reasoning}}, None))
    if chunk.text:
        found.append(("text", {"text": chunk.text}, None))
    for call in chunk.tool_calls:
        start = {"toolUse": {"toolUseId": call.id, "name": call.name}} if call.id else None
        delta = {"toolUse": {"input": call.arguments}} if call.arguments else None
        found.append((f"tool {call.index}", delta, start))
    return found


def _metadata(chunks: Sequence[Chunk]) -> dict[str, Any]:
    counted = [chunk for chunk in chunks if chunk.input_tokens is not None]
    read, written, cached = (
        (counted[-1].input_tokens or 0, counted[-1].output_tokens or 0, counted[-1].cached_tokens or 0)
        if counted
        else (1, 1, 0)
    )
    counts = {"inputTokens": read - cached, "outputTokens": written, "totalTokens": read + written}
    return {"usage": counts | {"cacheReadInputTokens": cached}, "metrics": {"latencyMs": 3}}


def frame(event: str, payload: dict[str, Any], message: str = "event") -> bytes:
    """One event, or one exception, of the binary stream."""
    named = {":message-type": message, ":content-type": "application/json"}
    named[":event-type" if message == "event" else ":exception-type"] = event
    headers = b""
    for name, value in named.items():
        headers += struct.pack(">B", len(name)) + name.encode() + struct.pack(">BH", 7, len(value)) + value.encode()
    body = json.dumps(payload).encode()
    prelude = struct.pack(">II", 16 + len(headers) + len(body), len(headers))
    prelude += struct.pack(">I", zlib.crc32(prelude))
    return prelude + headers + body + struct.pack(">I", zlib.crc32(prelude + headers + body))


def embeddings(vectors: Sequence[Sequence[float]]) -> bytes:
    given = {"embeddings": [list(vector) for vector in vectors], "response_type": "embeddings_floats"}
    return json.dumps(given | {"id": "e-1", "texts": []}).encode()


def failure(code: str, message: str) -> bytes:
    said = {"context_length_exceeded": f"Input is too long for requested model. {message}"}
    return json.dumps({"message": said.get(code, message)}).encode()


def broken() -> Mapping[str, list[bytes]]:
    start = frame("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "half a"}})
    flipped = bytearray(start)
    flipped[-6] ^= 1
    huge = struct.pack(">II", 1 << 30, 4)
    canary = {"message": "canary-7391"}
    return {
        "a checksum that does not hold": [start, bytes(flipped)],
        "a prelude that does not hold": [start, b"\0" * 16],
        "a frame of a gigabyte": [start, huge + struct.pack(">I", zlib.crc32(huge))],
        "text in place of frames": [start, b"data: {}\n\n" * 3],
        "a frame that is not JSON": [start, frame("contentBlockDelta", {})[:-5] + b"???"],
        "a delta of another shape": [start, frame("contentBlockDelta", {"delta": {"text": 5}, "contentBlockIndex": 0})],
        "a tool that never began": [
            start,
            frame("contentBlockDelta", {"contentBlockIndex": 3, "delta": {"toolUse": {"input": "{"}}}),
        ],
        "an exception in the stream": [start, frame("modelStreamErrorException", canary, "exception")],
        "an answer the model malformed": [start, frame("messageStop", {"stopReason": "malformed_tool_use"})],
        "half a frame": [start, start[:20]],
    }
