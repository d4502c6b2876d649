"""Amazon Bedrock's Converse and ConverseStream as a client reads them: a body or a binary event stream, to chunks.

Source: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html.
"""

from collections.abc import Callable, Iterator
from typing import Any

import orjson

from careplane.codecs.counts import tokens
from careplane.codecs.event_stream import Frame, Frames
from careplane.errors import UpstreamBusy, UpstreamError, UpstreamRejected, UpstreamTimeout
from careplane.records import JSON
from careplane.records.model import Chunk, ToolDelta

_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "content_filtered": "content_filter",
    "guardrail_intervened": "content_filter",
}


def read_reply(data: bytes) -> list[Chunk]:
    """The chunks of a whole reply.

    Raises:
        ValueError: not the body of a Converse reply.
    """
    return _guarded(lambda: list(_reply(orjson.loads(data))))


def _reply(given: JSON) -> Iterator[Chunk]:
    calls = 0
    for block in given["output"]["message"]["content"]:
        if "text" in block:
            yield Chunk(text=_text(block["text"]))
        elif "toolUse" in block:
            use = block["toolUse"]
            arguments = orjson.dumps(use["input"]).decode()
            delta = ToolDelta(index=calls, id=_text(use["toolUseId"]), name=_text(use["name"]), arguments=arguments)
            yield Chunk(tool_calls=(delta,))
            calls += 1
        elif "reasoningContent" in block:
            yield Chunk(reasoning=_text(block["reasoningContent"].get("reasoningText", {}).get("text", "")))
    yield Chunk(finish_reason=_reason(given["stopReason"]))
    yield _usage(given["usage"])


class Reply:
    """Reads a ConverseStream as it arrives; ``finished`` once the model said why it stopped."""

    def __init__(self) -> None:
        self._frames = Frames()
        self._tools: dict[int, int] = {}
        self.finished = False

    def feed(self, data: bytes) -> list[Chunk]:
        """The chunks that the stream holds now.

        Raises:
            ValueError: not a ConverseStream, or a checksum does not hold.
            UpstreamError: the stream reported an error.
        """
        return _guarded(lambda: [chunk for frame in self._frames.feed(data) for chunk in self._chunks(frame)])

    def _chunks(self, frame: Frame) -> Iterator[Chunk]:
        headers = frame.headers
        if headers.get(":message-type", "event") != "event":
            raise _reported(headers.get(":exception-type") or headers.get(":error-code") or "")
        given = orjson.loads(frame.payload)
        match headers.get(":event-type"):
            case "contentBlockStart":
                yield from self._begun(given)
            case "contentBlockDelta":
                yield from self._said(given["contentBlockIndex"], given["delta"])
            case "messageStop":
                self.finished = True
                yield Chunk(finish_reason=_reason(given["stopReason"]))
            case "metadata":
                yield _usage(given["usage"])

    def _begun(self, given: JSON) -> Iterator[Chunk]:
        use = given["start"].get("toolUse")
        if use is not None:
            index = self._tools[given["contentBlockIndex"]] = len(self._tools)
            delta = ToolDelta(index=index, id=_text(use["toolUseId"]), name=_text(use["name"]))
            yield Chunk(tool_calls=(delta,))

    def _said(self, block: int, delta: JSON) -> Iterator[Chunk]:
        if "text" in delta:
            yield Chunk(text=_text(delta["text"]))
        elif "toolUse" in delta:
            piece = ToolDelta(index=self._tools[block], arguments=_text(delta["toolUse"]["input"]))
            yield Chunk(tool_calls=(piece,))
        elif "reasoningContent" in delta:
            yield Chunk(reasoning=_text(delta["reasoningContent"].get("text", "")))


def _guarded(read: Callable[[], list[Chunk]]) -> list[Chunk]:
    """Whatever is of another shape than documented is a ``ValueError``."""
    try:
        return read()
    except (TypeError, KeyError, AttributeError, IndexError) as error:
        raise ValueError("not what Converse sends") from error


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("text was expected")
    return value


def _reason(given: Any) -> str:
    if _text(given).startswith("malformed"):
        raise ValueError("the model wrote something that its endpoint could not read")
    return _REASONS.get(given, "stop")


def _usage(given: JSON) -> Chunk:
    """Converse counts what was read from or written to a cache apart; our input is all of it."""
    cached = tokens(given.get("cacheReadInputTokens") or 0)
    read = tokens(given["inputTokens"]) + cached + tokens(given.get("cacheWriteInputTokens") or 0)
    return Chunk(input_tokens=read, output_tokens=tokens(given["outputTokens"]), cached_tokens=cached)


def _reported(kind: str) -> UpstreamError:
    """An exception within a stream, by its kind; what it says is not repeated."""
    match kind[:1].lower() + kind[1:]:
        case "throttlingException" | "serviceUnavailableException" | "modelNotReadyException":
            return UpstreamBusy("The model endpoint is overloaded.")
        case "modelTimeoutException":
            return UpstreamTimeout("The model endpoint timed out within its reply.")
        case "validationException":
            return UpstreamRejected("The model endpoint does not accept this request.")
        case "accessDeniedException":
            return UpstreamRejected("The model endpoint does not accept our credentials.", "authentication")
    return UpstreamError("The model endpoint reported an error in its reply.")
