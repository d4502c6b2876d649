"""Anthropic's Messages as a client hears it: their reply, whole or streamed, to chunks.

Whatever the endpoint says in an error is not repeated.

Source: https://docs.anthropic.com/en/api/messages and /en/docs/build-with-claude/streaming.
"""

from collections.abc import Iterator
from typing import Any

import orjson

from careplane.codecs.counts import tokens
from careplane.codecs.sse import EventParser
from careplane.errors import UpstreamBusy, UpstreamError, UpstreamRejected
from careplane.records import JSON
from careplane.records.model import Chunk, ToolDelta

REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}


def read_reply(data: bytes) -> list[Chunk]:
    """The chunks of a whole reply.

    Raises:
        ValueError: not a message.
        UpstreamError: the reply is an error.
    """
    reader = Reply()
    try:
        given: Any = orjson.loads(data)
        if given["type"] == "error":
            raise _reported(given["error"])
        chunks = [chunk for i, block in enumerate(given["content"]) for chunk in reader.whole_block(i, block)]
        reader.count(given["usage"])
        return [*chunks, *reader.ended(given["stop_reason"])]
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError("not a message") from error


class Reply:
    """Reads one streamed reply; ``finished`` once it said why it ended."""

    def __init__(self) -> None:
        self._events = EventParser()
        self._tools: dict[int, int] = {}
        self._empty: set[int] = set()
        self._usage = {"input_tokens": 0, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}
        self._written = 0
        self.finished = False

    def feed(self, data: bytes) -> list[Chunk]:
        """The chunks that these bytes complete.

        Raises:
            ValueError: not a stream of the events of a message.
            UpstreamError: the stream reported an error.
        """
        return [chunk for event in self._events.feed(data) for chunk in self.read(event.data)]

    def read(self, data: str) -> list[Chunk]:
        """The chunks of one event's data; events of unknown types mean nothing, as the API asks."""
        try:
            event: Any = orjson.loads(data)
            read = _EVENTS.get(event["type"])
            return list(read(self, event)) if read is not None else []
        except (TypeError, KeyError, AttributeError) as error:
            raise ValueError("not an event of a message") from error

    def whole_block(self, index: int, block: JSON) -> Iterator[Chunk]:
        """A block of a reply that is not streamed."""
        yield from self._begin({"index": index, "content_block": block})
        yield from self._stop({"index": index})

    def count(self, usage: JSON) -> None:
        """Remember counts: each event that has some gives the sums so far."""
        for name in self._usage:
            if usage.get(name) is not None:
                self._usage[name] = tokens(usage[name])
        self._written = tokens(usage.get("output_tokens") or self._written)

    def ended(self, reason: str | None) -> Iterator[Chunk]:
        """The last chunk: why, and all counts; cached tokens are a part of the input."""
        if reason is None or self.finished:
            return
        self.finished = True
        yield Chunk(
            finish_reason=REASONS.get(reason, "stop"),
            input_tokens=sum(self._usage.values()),
            output_tokens=self._written,
            cached_tokens=self._usage["cache_read_input_tokens"],
        )

    def _start(self, event: JSON) -> Iterator[Chunk]:
        self.count(event["message"]["usage"])
        yield from ()

    def _begin(self, event: JSON) -> Iterator[Chunk]:
        block, index = event["content_block"], int(event["index"])
        kind = block["type"]
        if kind == "tool_use":
            place = self._tools[index] = len(self._tools)
            given = orjson.dumps(block["input"]).decode() if block.get("input") else ""
            if not given:
                self._empty.add(index)
            yield Chunk(tool_calls=(ToolDelta(index=place, id=block["id"], name=block["name"], arguments=given),))
        elif kind == "text" and block["text"]:
            yield Chunk(text=_text(block["text"]))
        elif kind == "thinking" and block["thinking"]:
            yield Chunk(reasoning=_text(block["thinking"]))

    def _delta(self, event: JSON) -> Iterator[Chunk]:
        delta, index = event["delta"], int(event["index"])
        kind = delta["type"]
        if kind == "text_delta":
            yield Chunk(text=_text(delta["text"]))
        elif kind == "thinking_delta":
            yield Chunk(reasoning=_text(delta["thinking"]))
        elif kind == "input_json_delta" and delta["partial_json"] and index in self._tools:
            self._empty.discard(index)
            piece = ToolDelta(index=self._tools[index], arguments=_text(delta["partial_json"]))
            yield Chunk(tool_calls=(piece,))

    def _stop(self, event: JSON) -> Iterator[Chunk]:
        index = int(event["index"])
        if index in self._empty:
            self._empty.discard(index)
            yield Chunk(tool_calls=(ToolDelta(index=self._tools[index], arguments="{}"),))

    def _message_delta(self, event: JSON) -> Iterator[Chunk]:
        self.count(event.get("usage") or {})
        yield from self.ended(event["delta"].get("stop_reason"))

    def _error(self, event: JSON) -> Iterator[Chunk]:
        raise _reported(event["error"])


_EVENTS = {
    "message_start": Reply._start,
    "content_block_start": Reply._begin,
    "content_block_delta": Reply._delta,
    "content_block_stop": Reply._stop,
    "message_delta": Reply._message_delta,
    "error": Reply._error,
}


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("text was expected")
    return value


def _reported(error: JSON) -> UpstreamError:
    kind = error.get("type")
    if kind in ("overloaded_error", "rate_limit_error"):
        return UpstreamBusy("The model endpoint is overloaded.")
    if kind in ("invalid_request_error", "request_too_large"):
        return UpstreamRejected("The model endpoint did not accept the request.")
    return UpstreamError("The model endpoint reported an error in its reply.")
