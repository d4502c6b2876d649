"""OpenAI's Chat Completions as a server speaks it: request, ``chat.completion``, ``chat.completion.chunk``, errors.

Source: https://platform.openai.com/docs/api-reference/chat (create, object, streaming).
What is passed on, left out and refused, and why: ``docs/reference/gateway-api.md``.
"""

from typing import Any

import orjson

from careplane.codecs import chat_request, fields
from careplane.codecs.dialect import Asked, Dialect, Problem
from careplane.codecs.extension import read_options
from careplane.codecs.fields import Check
from careplane.codecs.sse import one_line
from careplane.codecs.strict_json import read_object
from careplane.records import JSON
from careplane.records.model import Chunk, ModelReply, ToolCall, ToolDelta, Usage

_AUDIO = "only text is offered as output: audio cannot be restored by the shield"
_LOGPROBS = "is not offered: it would show the tokens before identifiers are restored"
_TOKENS = fields.whole(1, 10_000_000)
CHECKS: dict[str, Check] = {
    # passed on
    "messages": chat_request.messages,
    "max_tokens": _TOKENS,
    "max_completion_tokens": _TOKENS,
    "temperature": fields.number(0, 2),
    "top_p": fields.number(0, 1),
    "top_k": fields.whole(0, 1_000_000),
    "min_p": fields.number(0, 1),
    "repetition_penalty": fields.number(0, 10),
    "frequency_penalty": fields.number(-2, 2),
    "presence_penalty": fields.number(-2, 2),
    "logit_bias": chat_request.logit_bias,
    "seed": fields.whole(-(2**63), 2**63 - 1),
    "stop": chat_request.stop,
    "tools": chat_request.tools,
    "tool_choice": chat_request.tool_choice,
    "parallel_tool_calls": fields.flag,
    "response_format": chat_request.response_format,
    "reasoning_effort": fields.one_of(*chat_request.EFFORTS),
    "verbosity": fields.one_of("low", "medium", "high"),
    # accepted while they change nothing
    "n": fields.only(1, reason="only 1 choice is offered"),
    "logprobs": fields.only(False, reason=_LOGPROBS),
    "top_logprobs": fields.only(0, reason=_LOGPROBS),
    "modalities": fields.only(["text"], reason=_AUDIO),
    # left out: they tell the provider who asks, or have it keep something
    "user": fields.dropped,
    "metadata": fields.dropped,
    "store": fields.dropped,
    "safety_identifier": fields.dropped,
    "prompt_cache_key": fields.dropped,
    "prompt_cache_options": fields.dropped,
    "prompt_cache_retention": fields.dropped,
    "service_tier": fields.dropped,
    # refused
    "audio": fields.refused(_AUDIO),
    "functions": fields.refused("is the old form; use tools"),
    "function_call": fields.refused("is the old form; use tool_choice"),
    "prediction": fields.refused("is not offered"),
    "moderation": fields.refused("is not offered: it would have the provider judge texts apart from the model"),
    "web_search_options": fields.refused("is not offered: searches would leave past the shield"),
    # Careplane's own, read apart
    "model": fields.dropped,
    "stream": fields.dropped,
    "stream_options": fields.dropped,
    "careplane": fields.dropped,
}


def read(body: bytes) -> Asked:
    """Read a request.

    Raises:
        InputError: not JSON, a field of the wrong type, or one that is refused; ``field`` names it.
    """
    given = read_object(body)
    canonical = fields.read_fields(given, CHECKS)
    said = fields.needed(canonical, "messages")
    if (limit := canonical.pop("max_completion_tokens", None)) is not None:
        canonical["max_tokens"] = limit
    return Asked(
        model=model_name(given),
        body=canonical,
        stream=streamed(given),
        include_usage=_include_usage(given.get("stream_options")),
        options=read_options(given.get("careplane"), len(said)),
    )


def model_name(given: JSON) -> str:
    """The model that a request names."""
    return fields.short_text(fields.needed(given, "model"), "model")


def streamed(given: JSON) -> bool:
    """Whether the reply is wanted as a stream."""
    value = given.get("stream")
    return value is not None and fields.flag(value, "stream")


def _include_usage(value: object) -> bool:
    if value is None:
        return False
    checks: dict[str, Check] = {"include_usage": fields.flag, "include_obfuscation": fields.dropped}
    options = fields.read_fields(fields.a_dict(value, "stream_options"), checks, "stream_options.")
    return options.get("include_usage") is True


def whole(ident: str, model: str, created: int, _asked: Asked, reply: ModelReply) -> bytes:
    """A ``chat.completion`` object."""
    message: JSON = {
        "role": "assistant",
        "content": reply.text or (None if reply.tool_calls or reply.refusal else ""),
        "refusal": reply.refusal or None,
    }
    if reply.reasoning:
        message["reasoning_content"] = reply.reasoning
    if reply.tool_calls:
        message["tool_calls"] = [_tool_call(call) for call in reply.tool_calls]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": reply.finish_reason}
    return orjson.dumps(
        {
            "id": ident,
            "object": "chat.completion",
            "created": created,
            "model": model,
            "choices": [choice],
            "usage": usage_object(reply.call.usage),
        }
    )


def _tool_call(call: ToolCall) -> JSON:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def usage_object(usage: Usage) -> JSON:
    """``usage``, with a flag of our own when the tokens are an estimate."""
    counts: JSON = {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
    }
    if usage.estimated:
        counts["careplane_estimated"] = True
    return counts


class ChatEncoder:
    """The events of a streamed chat completion; see :class:`~careplane.codecs.dialect.Encoder`."""

    __slots__ = ("_close", "_include_usage", "_open", "_text")

    def __init__(self, ident: str, model: str, created: int, asked: Asked) -> None:
        head = orjson.dumps({"id": ident, "object": "chat.completion.chunk", "created": created, "model": model})
        self._include_usage = asked.include_usage
        no_usage = b',"usage":null}\n\n' if asked.include_usage else b"}\n\n"
        self._open = b"data: " + head[:-1]
        self._text = self._open + b',"choices":[{"index":0,"delta":{"content":'
        self._close = b',"logprobs":null,"finish_reason":null}]' + no_usage

    def start(self) -> bytes:
        """The role, before any text."""
        return self._delta({"role": "assistant", "content": "", "refusal": None})

    def chunk(self, chunk: Chunk) -> bytes:
        """One piece of the reply; nothing when the chunk only has counts or a finish reason."""
        if chunk.text and not (chunk.reasoning or chunk.refusal or chunk.tool_calls):
            return self._text + one_line(orjson.dumps(chunk.text)) + b"}" + self._close
        delta: JSON = {}
        if chunk.reasoning:
            delta["reasoning_content"] = chunk.reasoning
        if chunk.text:
            delta["content"] = chunk.text
        if chunk.refusal:
            delta["refusal"] = chunk.refusal
        if chunk.tool_calls:
            delta["tool_calls"] = [_tool_delta(piece) for piece in chunk.tool_calls]
        return self._delta(delta) if delta else b""

    def end(self, finish_reason: str, usage: Usage) -> bytes:
        """The finish reason, the usage if it was asked for, and the mark of the end."""
        choice = orjson.dumps({"index": 0, "delta": {}, "logprobs": None, "finish_reason": finish_reason})
        last = self._open + b',"choices":[' + choice + b"]"
        if not self._include_usage:
            return last + b"}\n\ndata: [DONE]\n\n"
        counted = self._open + b',"choices":[],"usage":' + orjson.dumps(usage_object(usage))
        return last + b',"usage":null}\n\n' + counted + b"}\n\ndata: [DONE]\n\n"

    def error(self, problem: Problem) -> bytes:
        """The error object as the last event: clients raise it."""
        return b"data: " + error(problem) + b"\n\n"

    def keepalive(self) -> bytes:
        """A comment, which clients skip."""
        return b": keep-alive\n\n"

    def _delta(self, delta: JSON) -> bytes:
        return self._open + b',"choices":[{"index":0,"delta":' + one_line(orjson.dumps(delta)) + self._close


def _tool_delta(piece: ToolDelta) -> JSON:
    function: dict[str, Any] = {"arguments": piece.arguments}
    if piece.name is not None:
        function = {"name": piece.name, **function}
    if piece.id is None:
        return {"index": piece.index, "function": function}
    return {"index": piece.index, "id": piece.id, "type": "function", "function": function}


_KINDS = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
}


def error(problem: Problem) -> bytes:
    """OpenAI's error object; ``insufficient_quota`` has the type of the same name, as clients know it."""
    if problem.code == "insufficient_quota":
        kind = problem.code
    else:
        kind = _KINDS.get(problem.status, "invalid_request_error" if problem.status < 500 else "server_error")
    said: JSON = {"message": problem.message, "type": kind, "param": problem.param, "code": problem.code}
    if problem.retry_after is not None:
        said["retry_after"] = problem.retry_after
    return orjson.dumps({"error": said})


CHAT = Dialect(name="openai_chat", prefix="chatcmpl-", read=read, whole=whole, stream=ChatEncoder, error=error)
