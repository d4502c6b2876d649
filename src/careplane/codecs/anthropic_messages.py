"""Anthropic's Messages as a server speaks it: ``message`` objects, the events of a stream, errors.

Source: https://docs.anthropic.com/en/api/messages, /en/docs/build-with-claude/streaming and /en/api/errors.
"""

import orjson

from careplane.codecs.anthropic_request import read
from careplane.codecs.dialect import Asked, Dialect, Problem
from careplane.codecs.sse import one_line
from careplane.codecs.tool_arguments import as_object
from careplane.errors import UpstreamError
from careplane.records import JSON
from careplane.records.model import Chunk, ModelReply, ToolCall, ToolDelta, Usage

_STOPS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "content_filter": "refusal"}


def whole(ident: str, model: str, _created: int, _asked: Asked, reply: ModelReply) -> bytes:
    """A ``message`` object."""
    content: list[JSON] = []
    if reply.reasoning:
        content.append({"type": "thinking", "thinking": reply.reasoning, "signature": ""})
    if reply.text or reply.refusal:
        content.append({"type": "text", "text": reply.text + reply.refusal})
    content += [_tool_use(call) for call in reply.tool_calls]
    stop = "refusal" if reply.refusal else _STOPS.get(reply.finish_reason, "end_turn")
    usage = usage_object(reply.call.usage)
    return orjson.dumps({**_message(ident, model), "content": content, "stop_reason": stop, "usage": usage})


def _message(ident: str, model: str) -> JSON:
    return {
        "id": ident,
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 0, "output_tokens": 0},
    }


def _tool_use(call: ToolCall) -> JSON:
    return {"type": "tool_use", "id": call.id, "name": call.name, "input": as_object(call.arguments)}


def usage_object(usage: Usage) -> JSON:
    """Counts, with cached tokens apart from the input; a flag of our own when they are an estimate."""
    counts: JSON = {
        "input_tokens": usage.input_tokens - usage.cached_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": usage.cached_tokens,
        "output_tokens": usage.output_tokens,
    }
    return {**counts, "careplane_estimated": True} if usage.estimated else counts


class MessagesEncoder:
    """The events of a streamed message; see :class:`~careplane.codecs.dialect.Encoder`.

    Blocks follow each other: text, thinking, one block per tool call. A provider that goes back to an earlier tool call
    after a later one began is an :class:`UpstreamError`, as such pieces have no place.
    """

    __slots__ = ("_block", "_head", "_index", "_refused", "_text", "_tool")

    def __init__(self, ident: str, model: str, created: int, asked: Asked) -> None:
        self._head = _message(ident, model)
        self._index = -1
        self._block = ""
        self._tool = -1
        self._refused = False
        self._text = b""

    def start(self) -> bytes:
        """The message without content; its counts come at the end."""
        return _event("message_start", {"message": self._head})

    def chunk(self, chunk: Chunk) -> bytes:
        """One piece of the reply; nothing when the chunk only has counts or a finish reason."""
        if self._block == "text" and chunk.text and not (chunk.reasoning or chunk.refusal or chunk.tool_calls):
            return self._text + one_line(orjson.dumps(chunk.text)) + b"}}\n\n"
        out = b""
        if chunk.reasoning:
            empty = {"type": "thinking", "thinking": "", "signature": ""}
            out += self._open("thinking", empty) + self._delta("thinking_delta", "thinking", chunk.reasoning)
        if chunk.text:
            out += self._said(chunk.text)
        if chunk.refusal:
            self._refused = True
            out += self._said(chunk.refusal)
        return out + b"".join(self._call(piece) for piece in chunk.tool_calls)

    def end(self, finish_reason: str, usage: Usage) -> bytes:
        """Why it ended, all counts, and the mark of the end."""
        stop = "refusal" if self._refused else _STOPS.get(finish_reason, "end_turn")
        delta = {"stop_reason": stop, "stop_sequence": None}
        last = _event("message_delta", {"delta": delta, "usage": usage_object(usage)})
        return self._close() + last + _event("message_stop", {})

    def error(self, problem: Problem) -> bytes:
        """The error as an event: clients raise it."""
        return b"event: error\ndata: " + error(problem) + b"\n\n"

    def keepalive(self) -> bytes:
        """A ping, which clients skip."""
        return _event("ping", {})

    def _said(self, text: str) -> bytes:
        opened = self._open("text", {"type": "text", "text": ""})
        head = {"type": "content_block_delta", "index": self._index}
        self._text = b"event: content_block_delta\ndata: " + orjson.dumps(head)[:-1]
        self._text += b',"delta":{"type":"text_delta","text":'
        return opened + self._text + one_line(orjson.dumps(text)) + b"}}\n\n"

    def _call(self, piece: ToolDelta) -> bytes:
        out = b""
        if piece.index > self._tool:
            self._tool = piece.index
            out = self._close()
            ident = piece.id or f"toolu_{self._head['id']}_{piece.index}"
            out += self._open("tool_use", {"type": "tool_use", "id": ident, "name": piece.name or "", "input": {}})
        elif piece.index < self._tool or self._block != "tool_use":
            raise UpstreamError("The model mixed the pieces of its tool calls.")
        return out + (self._delta("input_json_delta", "partial_json", piece.arguments) if piece.arguments else b"")

    def _open(self, kind: str, block: JSON) -> bytes:
        if self._block == kind and kind != "tool_use":
            return b""
        closed = self._close()
        self._block = kind
        self._index += 1
        return closed + _event("content_block_start", {"index": self._index, "content_block": block})

    def _delta(self, kind: str, name: str, text: str) -> bytes:
        return _event("content_block_delta", {"index": self._index, "delta": {"type": kind, name: text}})

    def _close(self) -> bytes:
        if not self._block:
            return b""
        self._block = ""
        return _event("content_block_stop", {"index": self._index})


def _event(name: str, data: JSON) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + one_line(orjson.dumps({"type": name, **data})) + b"\n\n"


_KINDS = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}


def error(problem: Problem) -> bytes:
    """Anthropic's error object, with our code, field and wait beside its type and message."""
    kind = _KINDS.get(problem.status, "invalid_request_error" if problem.status < 500 else "api_error")
    named = not problem.param or problem.message.startswith(problem.param)
    message = problem.message if named else f"{problem.param}: {problem.message}"
    said: JSON = {"type": kind, "message": message, "code": problem.code}
    if problem.retry_after is not None:
        said["retry_after"] = problem.retry_after
    return orjson.dumps({"type": "error", "error": said})


MESSAGES = Dialect(
    name="anthropic_messages", prefix="msg_", read=read, whole=whole, stream=MessagesEncoder, error=error
)
