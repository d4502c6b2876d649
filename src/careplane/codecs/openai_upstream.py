"""OpenAI's Chat Completions and embeddings as a client speaks them: canonical requests to bodies, replies to chunks.

Source: https://platform.openai.com/docs/api-reference/chat and /embeddings. What endpoints do differently from it
is taken where it is harmless: reasoning under two names, tool calls without an index or with a repeated one, ``stop``
as the reason of a reply that calls tools, counts on every chunk.
"""

from dataclasses import dataclass
from secrets import token_hex
from typing import Any

import orjson

from careplane.codecs.counts import tokens
from careplane.codecs.sse import EventParser
from careplane.errors import UpstreamBusy, UpstreamError, UpstreamRejected
from careplane.records import JSON
from careplane.records.model import ChatRequest, Chunk, Embeddings, EmbedRequest, ToolDelta

_REASONS = {
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}


@dataclass(frozen=True, slots=True)
class Quirks:
    """What an endpoint wants differently."""

    max_tokens_field: str = "max_tokens"
    stream: bool = True
    stream_options: bool = True
    temperature: bool = True


def chat_body(request: ChatRequest, model: str, quirks: Quirks) -> bytes:
    """The body of a chat completion."""
    body: JSON = {**request.body, "model": request.model or model}
    limit = body.pop("max_completion_tokens", None) or body.pop("max_tokens", None)
    if limit is not None:
        body[quirks.max_tokens_field] = limit
    if not quirks.temperature:
        body.pop("temperature", None)
    if request.stream and quirks.stream:
        body["stream"] = True
        if quirks.stream_options:
            body["stream_options"] = {"include_usage": True}
    return orjson.dumps(body)


def embed_body(request: EmbedRequest, model: str) -> bytes:
    """The body of a request for embeddings."""
    body: JSON = {"model": request.model or model, "input": list(request.inputs), "encoding_format": "float"}
    return orjson.dumps(body | ({"dimensions": request.dimensions} if request.dimensions else {}))


def read_embeddings(data: bytes) -> Embeddings:
    """The vectors of a reply, in the order of the inputs.

    Raises:
        ValueError: not a list of embeddings.
    """
    try:
        given: Any = orjson.loads(data)
        rows = {int(row["index"]): [float(number) for number in row["embedding"]] for row in given["data"]}
        vectors = tuple(rows[index] for index in range(len(given["data"])))
        counted = (given.get("usage") or {}).get("prompt_tokens")
        return Embeddings(vectors=vectors, input_tokens=None if counted is None else tokens(counted))
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError("not a list of embeddings") from error


def read_reply(data: bytes) -> list[Chunk]:
    """The chunks of a whole reply.

    Raises:
        ValueError: not a chat completion.
        UpstreamError: the reply is an error.
    """
    reader = Reply()
    chunks = reader.read(data)
    if not reader.finished:
        raise ValueError("a completion without a reason why it ended")
    return chunks


class Reply:
    """Reads one reply, streamed (:meth:`feed`) or whole (:meth:`read`); ``finished`` once it said why it ended."""

    def __init__(self) -> None:
        self._events = EventParser()
        self._calls: list[str | None] = []
        self._places: dict[int, int] = {}
        self.finished = False

    def feed(self, data: bytes) -> list[Chunk]:
        """The chunks that these bytes complete.

        Raises:
            ValueError: not a stream of chunks of a chat completion.
            UpstreamError: the stream reported an error.
        """
        found: list[Chunk] = []
        for event in self._events.feed(data):
            if event.data != "[DONE]":
                found += self.read(event.data)
        return found

    def read(self, data: str | bytes) -> list[Chunk]:
        """The chunks of one JSON object: a completion, or a chunk of one; errors as in :meth:`feed`."""
        try:
            part: Any = orjson.loads(data)
            if part.get("error"):
                raise _reported(part["error"])
            chunks: list[Chunk] = []
            for choice in part.get("choices") or ():
                self._choice(choice, chunks)
            if usage := part.get("usage"):
                chunks.append(_usage(usage))
        except (TypeError, KeyError, AttributeError, IndexError) as error:
            raise ValueError("not a chat completion") from error
        return chunks

    def _choice(self, choice: JSON, chunks: list[Chunk]) -> None:
        if choice.get("index"):
            return
        said = choice.get("delta") or choice.get("message") or {}
        if len(said) == 1 and type(said.get("content")) is str:  # what most chunks are
            if said["content"]:
                chunks.append(Chunk(text=said["content"]))
        else:
            self._parts(said, chunks)
        reason = choice.get("finish_reason")
        if reason is not None and not self.finished:
            self.finished = True
            chunks.append(Chunk(finish_reason=_REASONS.get(reason, "tool_calls" if self._calls else "stop")))

    def _parts(self, said: JSON, chunks: list[Chunk]) -> None:
        calls = tuple(self._call(i, call) for i, call in enumerate(said.get("tool_calls") or ()))
        text, refusal = _text(said.get("content")), _text(said.get("refusal"))
        reasoning = _text(said.get("reasoning_content") or said.get("reasoning"))
        if text or refusal or reasoning or calls:
            chunks.append(Chunk(text=text, refusal=refusal, reasoning=reasoning, tool_calls=calls))

    def _call(self, position: int, call: JSON) -> ToolDelta:
        """A piece of a tool call. A new id begins a new call, whatever index it comes with."""
        index, ident = call.get("index"), call.get("id") or None
        key = position if index is None else int(index)
        function = call.get("function") or {}
        place = self._places.get(key)
        if place is None or (ident is not None and self._calls[place] not in (None, ident)):
            place = self._places[key] = len(self._calls)
            self._calls.append(ident)
            ident = ident or f"call_{token_hex(12)}"  # clients answer a call by its id, so it needs one
        arguments = function.get("arguments")
        if isinstance(arguments, dict):
            arguments = orjson.dumps(arguments).decode()
        return ToolDelta(index=place, id=ident, name=function.get("name") or None, arguments=_text(arguments))


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list):  # parts, as some servers write them
        value = "".join(_text(part.get("text")) for part in value)
    if not isinstance(value, str):
        raise TypeError("text was expected")
    return value


def _usage(given: JSON) -> Chunk:
    details = given.get("prompt_tokens_details") or {}
    cached = details.get("cached_tokens")
    return Chunk(
        input_tokens=tokens(given["prompt_tokens"]),
        output_tokens=tokens(given.get("completion_tokens") or 0),
        cached_tokens=None if cached is None else tokens(cached),
    )


def _reported(error: Any) -> UpstreamError:
    """An error within a reply, by its code or type; what it says is not repeated."""
    given = error if isinstance(error, dict) else {}
    words = {str(given.get(name)).lower() for name in ("code", "type", "status")}
    if words & {"rate_limit_exceeded", "overloaded", "overloaded_error", "server_overloaded", "429", "503"}:
        return UpstreamBusy("The model endpoint is overloaded.")
    if words & {"content_filter", "content_policy_violation"}:
        return UpstreamRejected("The model endpoint's content filter stopped the reply.", "content_filter")
    if "context_length_exceeded" in words:
        return UpstreamRejected("The request is too long for this model.", "context_length_exceeded")
    return UpstreamError("The model endpoint reported an error in its reply.")
