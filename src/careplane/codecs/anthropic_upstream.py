"""Anthropic's Messages as a client speaks it: a canonical request to their body, their reply to chunks.

Left out, as the API has no place for them: ``seed``, penalties, ``logit_bias``, ``verbosity``, ``name``. System
messages go to the front, as in Anthropic's own OpenAI door. Whatever the endpoint says in an error is not repeated.

Source: https://docs.anthropic.com/en/api/messages and /en/docs/build-with-claude/streaming.
"""

import re
from collections.abc import Iterator
from typing import Any

import orjson

from careplane.codecs.sse import EventParser
from careplane.codecs.tool_arguments import as_object
from careplane.errors import UpstreamBusy, UpstreamError, UpstreamRejected
from careplane.records import JSON
from careplane.records.model import Chunk, ToolDelta

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
                self._usage[name] = int(usage[name])
        self._written = int(usage.get("output_tokens") or self._written)

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
