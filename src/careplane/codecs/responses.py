"""OpenAI's Responses as a server speaks it: ``response`` objects and the events of a stream. Nothing is stored.

Source: https://platform.openai.com/docs/api-reference/responses (object, streaming).
"""

import orjson

from careplane.codecs.dialect import Asked, Dialect, Problem
from careplane.codecs.openai_chat import error
from careplane.codecs.responses_request import read
from careplane.codecs.sse import one_line
from careplane.errors import UpstreamError
from careplane.records import JSON
from careplane.records.model import Chunk, ModelReply, ToolDelta, Usage

_INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}
_SERVER_ERRORS = {"rate_limit_exceeded"}


def whole(ident: str, model: str, created: int, asked: Asked, reply: ModelReply) -> bytes:
    """A ``response`` object."""
    usage = reply.call.usage
    output = _Output(ident)
    if reply.reasoning:
        output.finish(output.begin("reasoning") | {"content": [_part("reasoning", reply.reasoning)]})
    if reply.text or not (reply.reasoning or reply.refusal or reply.tool_calls):
        output.finish(output.begin("text") | {"content": [_part("text", reply.text)]})
    if reply.refusal:
        output.finish(output.begin("refusal") | {"content": [_part("refusal", reply.refusal)]})
    for call in reply.tool_calls:
        output.finish(output.begin("tool", call.id, call.name) | {"arguments": call.arguments})
    return orjson.dumps(_ended(_response(ident, model, created, asked), output.items, reply.finish_reason, usage))


def _response(ident: str, model: str, created: int, asked: Asked) -> JSON:
    """A response that has begun, with what the client asked for repeated to it."""
    return {
        "id": ident,
        "object": "response",
        "created_at": created,
        "status": "in_progress",
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "max_output_tokens": None,
        "model": model,
        "output": [],
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None},
        "store": False,
        "temperature": None,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_p": None,
        "truncation": "disabled",
        "usage": None,
        "metadata": {},
        **(asked.echo or {}),
    }


def _ended(response: JSON, output: list[JSON], finish_reason: str, usage: Usage) -> JSON:
    reason = _INCOMPLETE.get(finish_reason)
    status = "incomplete" if reason else "completed"
    if reason and output:
        output[-1]["status"] = status
    details = {"reason": reason} if reason else None
    return {
        **response,
        "status": status,
        "incomplete_details": details,
        "output": output,
        "usage": usage_object(usage),
    }


def usage_object(usage: Usage) -> JSON:
    """``usage`` of a response, with a flag of our own when the tokens are an estimate."""
    counts: JSON = {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {"cached_tokens": usage.cached_tokens, "cache_write_tokens": 0},
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": usage.input_tokens + usage.output_tokens,
    }
    return {**counts, "careplane_estimated": True} if usage.estimated else counts


def _part(kind: str, text: str) -> JSON:
    if kind == "text":
        return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    if kind == "refusal":
        return {"type": "refusal", "refusal": text}
    return {"type": "reasoning_text", "text": text}


class _Output:
    """The items of a response, numbered as they begin."""

    __slots__ = ("_began", "_key", "items")

    def __init__(self, ident: str) -> None:
        self._key = ident.removeprefix("resp_")
        self._began = 0
        self.items: list[JSON] = []

    def begin(self, kind: str, call_id: str = "", name: str = "") -> JSON:
        """An item without content: ``reasoning``, ``text``, ``refusal`` or ``tool``."""
        place = f"{self._key}_{self._began}"
        self._began += 1
        if kind == "tool":
            called = {"call_id": call_id or f"call_{place}", "name": name, "arguments": ""}
            return {"id": f"fc_{place}", "type": "function_call", "status": "in_progress", **called}
        if kind == "reasoning":
            return {"id": f"rs_{place}", "type": "reasoning", "summary": [], "content": [], "status": "in_progress"}
        return {
            "id": f"msg_{place}",
            "type": "message",
            "role": "assistant",
            "status": "in_progress",
            "content": [],
        }

    def finish(self, item: JSON) -> JSON:
        """The item, whole."""
        done = {**item, "status": "completed"}
        self.items.append(done)
        return done


_TEXTS = {"text": "output_text", "refusal": "refusal", "reasoning": "reasoning_text"}


class ResponsesEncoder:
    """The events of a streamed response; see :class:`~careplane.codecs.dialect.Encoder`.

    Items follow each other. A provider that goes back to an earlier tool call after a later one began is an
    :class:`UpstreamError`, as such pieces have no place. The text is held until the end, as the API repeats it there.
    """

    __slots__ = ("_delta", "_item", "_kind", "_output", "_parts", "_response", "_sequence", "_tool")

    def __init__(self, ident: str, model: str, created: int, asked: Asked) -> None:
        self._response = _response(ident, model, created, asked)
        self._output = _Output(ident)
        self._sequence = -1
        self._kind = ""
        self._item: JSON = {}
        self._parts: list[str] = []
        self._tool = -1
        self._delta = b""

    def start(self) -> bytes:
        """The response without output, twice: created, and in progress."""
        created = self._event("response.created", response=self._response)
        return created + self._event("response.in_progress", response=self._response)

    def chunk(self, chunk: Chunk) -> bytes:
        """One piece of the reply; nothing when the chunk only has counts or a finish reason."""
        out = b""
        if chunk.reasoning:
            out += self._said("reasoning", chunk.reasoning)
        if chunk.text:
            out += self._said("text", chunk.text)
        if chunk.refusal:
            out += self._said("refusal", chunk.refusal)
        if chunk.tool_calls:
            out += b"".join(self._call(piece) for piece in chunk.tool_calls)
        return out

    def end(self, finish_reason: str, usage: Usage) -> bytes:
        """What is open closes, then the whole response."""
        out = self._close()
        if not self._output.items:
            out += self._open("text") + self._close()
        ended = _ended(self._response, self._output.items, finish_reason, usage)
        return out + self._event(f"response.{ended['status']}", response=ended)

    def error(self, problem: Problem) -> bytes:
        """The response as one that failed; our code is in ``error.type``, since ``error.code`` has a closed list."""
        code = problem.code if problem.code in _SERVER_ERRORS else "server_error"
        failure = {"code": code, "message": problem.message, "param": problem.param, "type": problem.code}
        failed = {**self._response, "status": "failed", "error": failure, "output": self._output.items}
        return self._event("response.failed", response=failed)

    def keepalive(self) -> bytes:
        """A comment, which clients skip."""
        return b": keep-alive\n\n"

    def _said(self, kind: str, text: str) -> bytes:
        opened = b"" if kind == self._kind else self._open(kind)
        self._parts.append(text)
        return opened + self._piece(text)

    def _call(self, piece: ToolDelta) -> bytes:
        out = b""
        if piece.index > self._tool:
            self._tool = piece.index
            out = self._open("tool", piece.id or "", piece.name or "")
        elif piece.index < self._tool or self._kind != "tool":
            raise UpstreamError("The model mixed the pieces of its tool calls.")
        if not piece.arguments:
            return out
        self._parts.append(piece.arguments)
        return out + self._piece(piece.arguments)

    def _piece(self, text: str) -> bytes:
        self._sequence += 1
        return self._delta + b"%d" % self._sequence + b',"delta":' + one_line(orjson.dumps(text)) + b"}\n\n"

    def _open(self, kind: str, call_id: str = "", name: str = "") -> bytes:
        out = self._close()
        self._kind, self._item, self._parts = kind, self._output.begin(kind, call_id, name), []
        index = len(self._output.items)
        out += self._event("response.output_item.added", output_index=index, item=self._item)
        where: JSON = {"item_id": self._item["id"], "output_index": index}
        event = "response.function_call_arguments.delta"
        if kind != "tool":
            where["content_index"] = 0
            out += self._event("response.content_part.added", **where, part=_part(kind, ""))
            event = f"response.{_TEXTS[kind]}.delta"
        logprobs: JSON = {"logprobs": []} if kind == "text" else {}
        head = orjson.dumps({"type": event, **where, **logprobs})
        self._delta = b"event: " + event.encode() + b"\ndata: " + head[:-1] + b',"sequence_number":'
        return out

    def _close(self) -> bytes:
        if not self._kind:
            return b""
        kind, item, text = self._kind, self._item, "".join(self._parts)
        self._kind = ""
        index = len(self._output.items)
        where: JSON = {"item_id": item["id"], "output_index": index}
        if kind == "tool":
            out = self._event("response.function_call_arguments.done", **where, name=item["name"], arguments=text)
            done = self._output.finish({**item, "arguments": text})
        else:
            where["content_index"] = 0
            part = _part(kind, text)
            said = {"refusal": text} if kind == "refusal" else {"text": text}
            logprobs: JSON = {"logprobs": []} if kind == "text" else {}
            out = self._event(f"response.{_TEXTS[kind]}.done", **where, **said, **logprobs)
            out += self._event("response.content_part.done", **where, part=part)
            done = self._output.finish({**item, "content": [part]})
        return out + self._event("response.output_item.done", output_index=index, item=done)

    def _event(self, event: str, /, **data: object) -> bytes:
        self._sequence += 1
        said = one_line(orjson.dumps({"type": event, "sequence_number": self._sequence, **data}))
        return b"event: " + event.encode() + b"\ndata: " + said + b"\n\n"


RESPONSES = Dialect(
    name="openai_responses", prefix="resp_", read=read, whole=whole, stream=ResponsesEncoder, error=error
)
