"""Anthropic's Messages on both sides, judged by the official client's models and by a round trip."""

import json
from typing import Any

import orjson
import pytest
from anthropic.lib.streaming._messages import accumulate_event
from anthropic.types import Message, RawMessageStreamEvent
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from careplane.codecs.anthropic_messages import MESSAGES
from careplane.codecs.anthropic_reply import Reply, read_reply
from careplane.codecs.anthropic_upstream import messages_body
from careplane.codecs.dialect import Asked, Problem
from careplane.codecs.sse import Event, EventParser
from careplane.errors import InputError, UpstreamBusy, UpstreamError, UpstreamRejected
from careplane.records.model import Chunk, ToolCall, ToolDelta

from .model_values import USAGE, reply

EVENT: TypeAdapter[RawMessageStreamEvent] = TypeAdapter(RawMessageStreamEvent)
HELLO = {"role": "user", "content": "Hello"}
PNG = {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}
PDF = {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}


def read(**given: Any) -> Asked:
    return MESSAGES.read(orjson.dumps({"model": "fast", "max_tokens": 64, "messages": [HELLO], **given}))


def test_parameters_find_their_canonical_names() -> None:
    asked = read(
        system="Be brief.",
        temperature=0.5,
        top_k=40,
        stop_sequences=["END"],
        stream=True,
        tools=[
            {"name": "weather", "description": "now", "input_schema": SCHEMA, "cache_control": {"type": "ephemeral"}}
        ],
        tool_choice={"type": "any", "disable_parallel_tool_use": True},
        thinking={"type": "enabled", "budget_tokens": 1024},
        output_config={"format": {"type": "json_schema", "schema": SCHEMA}},
        metadata={"user_id": "jane"},
        service_tier="auto",
    )
    assert asked.stream
    assert asked.body == {
        "max_tokens": 64,
        "temperature": 0.5,
        "top_k": 40,
        "stop": ["END"],
        "tools": [{"type": "function", "function": {"name": "weather", "description": "now", "parameters": SCHEMA}}],
        "tool_choice": "required",
        "parallel_tool_calls": False,
        "reasoning_effort": "low",
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "reply", "schema": SCHEMA, "strict": True},
        },
        "messages": [{"role": "system", "content": "Be brief."}, HELLO],
    }


def test_blocks_become_parts_calls_and_results() -> None:
    messages = [
        {"role": "user", "content": [{"type": "text", "text": "See"}, {"type": "image", "source": PNG}]},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "hm", "signature": "s"},
                {"type": "text", "text": "Let me look."},
                {"type": "tool_use", "id": "t1", "name": "weather", "input": {"city": "Köln"}},
                {"type": "tool_use", "id": "t2", "name": "weather", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {
                    "type": "tool_result",
                    "tool_use_id": "t1",
                    "content": [{"type": "text", "text": "sunny"}, {"type": "image", "source": PNG}],
                },
                {"type": "tool_result", "tool_use_id": "t2", "is_error": True, "content": "no city"},
                {"type": "text", "text": "And now?"},
            ],
        },
    ]
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
    asked = read(messages=messages, system=[{"type": "text", "text": "S"}], careplane={"untrusted": [2]})
    assert asked.body["messages"] == [
        {"role": "system", "content": "S"},
        {"role": "user", "content": [{"type": "text", "text": "See"}, image]},
        {
            "role": "assistant",
            "content": "Let me look.",
            "tool_calls": [
                {"id": "t1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Köln"}'}},
                {"id": "t2", "type": "function", "function": {"name": "weather", "arguments": "{}"}},
            ],
        },
        {"role": "tool", "tool_call_id": "t1", "content": "sunny"},
        {"role": "tool", "tool_call_id": "t2", "content": "Error: no city"},
        {"role": "user", "content": [image, {"type": "text", "text": "And now?"}]},
    ]
    assert asked.options.untrusted == (3, 4, 5)


@pytest.mark.parametrize(
    ("path", "given"),
    [
        ("max_tokens", {"max_tokens": None}),
        ("messages", {"messages": []}),
        ("messages[0]", {"messages": [1]}),
        ("messages[0].role", {"messages": [{"role": "tool", "content": "x"}]}),
        ("messages[0].content", {"messages": [{"role": "user"}]}),
        ("messages[0].content", {"messages": [{"role": "user", "content": []}]}),
        ("messages[0].content[0].type", {"messages": [{"role": "user", "content": [{"type": "tool_use"}]}]}),
        (
            "messages[0].content[0].source.media_type",
            {"messages": [{"role": "user", "content": [{"type": "image", "source": PDF}]}]},
        ),
        (
            "messages[0].content[0].source.media_type",
            {
                "messages": [
                    {"role": "user", "content": [{"type": "image", "source": {**PNG, "media_type": "image/png;x"}}]}
                ]
            },
        ),
        (
            "messages[0].content[0].source.type",
            {
                "messages": [
                    {"role": "user", "content": [{"type": "image", "source": {"type": "file", "file_id": "f"}}]}
                ]
            },
        ),
        (
            "messages[0].content[0].source.url",
            {
                "messages": [
                    {"role": "user", "content": [{"type": "image", "source": {"type": "url", "url": "ftp://x"}}]}
                ]
            },
        ),
        (
            "messages[0].content[0].tool_use_id",
            {"messages": [{"role": "user", "content": [{"type": "tool_result", "content": "x"}]}]},
        ),
        (
            "messages[0].content[0].content[0].type",
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [{"type": "tool_result", "tool_use_id": "a", "content": [{"type": "tool_use"}]}],
                    }
                ]
            },
        ),
        (
            "messages[0].content[0].input",
            {
                "messages": [
                    {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "b", "input": []}]}
                ]
            },
        ),
        ("system", {"system": 5}),
        ("system[0].type", {"system": [{"type": "image"}]}),
        ("temperature", {"temperature": 1.5}),
        ("stop_sequences", {"stop_sequences": "END"}),
        ("tools[0].type", {"tools": [{"type": "web_search_20250305", "name": "web_search"}]}),
        ("tools[0].input_schema", {"tools": [{"name": "a"}]}),
        ("tool_choice.type", {"tool_choice": {"type": "required"}}),
        ("tool_choice.name", {"tool_choice": {"type": "tool"}}),
        ("thinking.budget_tokens", {"thinking": {"type": "enabled"}}),
        ("output_config.format.schema", {"output_config": {"format": {"type": "json_schema"}}}),
        ("mcp_servers", {"mcp_servers": []}),
        ("container", {"container": "c"}),
        ("inference_geo", {"inference_geo": "us"}),
        ("frobnicate", {"frobnicate": 1}),
    ],
)
def test_a_wrong_field_is_named(path: str, given: dict[str, Any]) -> None:
    with pytest.raises(InputError) as caught:
        read(**given)
    assert caught.value.field == path


JSONS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
KINDS = st.sampled_from(["text", "image", "document", "tool_use", "tool_result", "thinking"])
NAMES = ["text", "source", "id", "name", "input", "content", "tool_use_id", "is_error", "title", "citations"]
BLOCK = st.fixed_dictionaries({"type": KINDS}, optional=dict.fromkeys(NAMES, JSONS))
TURN = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant", "system"]), "content": st.lists(BLOCK, max_size=3) | JSONS}
)
TOP = st.dictionaries(
    st.sampled_from(["system", "tools", "tool_choice", "thinking", "output_config", "stop_sequences", "careplane"]),
    JSONS,
    max_size=3,
)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(TURN, max_size=3), TOP)
def test_any_body_is_read_or_refused(messages: list[Any], top: dict[str, Any]) -> None:
    body = {"model": "m", "max_tokens": 1, **top, "messages": messages}
    try:
        asked = MESSAGES.read(json.dumps(body).encode())
    except InputError:
        return
    assert asked.body["messages"]
    orjson.dumps(messages_body(asked.body, "m", stream=False))


def test_a_whole_reply_is_what_the_client_expects() -> None:
    calls = (
        ToolCall(id="t1", name="weather", arguments='{"city":"x"}'),
        ToolCall(id="t2", name="w", arguments="{oops"),
    )
    said = reply("Hello", reasoning="hm", tool_calls=calls, finish_reason="tool_calls")
    got = Message.model_validate_json(MESSAGES.whole("msg_1", "fast", 9, read(), said), strict=True)
    assert [block.type for block in got.content] == ["thinking", "text", "tool_use", "tool_use"]
    assert got.content[2].to_dict()["input"] == {"city": "x"}
    assert got.content[3].to_dict()["input"] == {"INVALID_JSON": "{oops"}
    assert (got.id, got.model, got.role, got.stop_reason) == ("msg_1", "fast", "assistant", "tool_use")
    assert (got.usage.input_tokens, got.usage.cache_read_input_tokens, got.usage.output_tokens) == (7, 4, 7)
    back = read(messages=[HELLO, {"role": "assistant", "content": [block.to_dict() for block in got.content]}])
    assert back.body["messages"][1]["content"] == "Hello"


@pytest.mark.parametrize(
    ("finish", "stop"),
    [("stop", "end_turn"), ("length", "max_tokens"), ("content_filter", "refusal"), ("odd", "end_turn")],
)
def test_stop_reasons(finish: str, stop: str) -> None:
    assert orjson.loads(MESSAGES.whole("m", "f", 1, read(), reply("x", finish_reason=finish)))["stop_reason"] == stop


CHUNKS = (
    Chunk(reasoning="why "),
    Chunk(reasoning="not"),
    Chunk(text="Hel"),
    Chunk(text='lo "\n'),
    Chunk(tool_calls=(ToolDelta(index=0, id="t1", name="weather", arguments=""),)),
    Chunk(tool_calls=(ToolDelta(index=0, arguments='{"city":'),)),
    Chunk(tool_calls=(ToolDelta(index=0, arguments='"x"}'), ToolDelta(index=1, id="t2", name="w", arguments="{}"))),
    Chunk(finish_reason="tool_calls", input_tokens=1),
)


def events(chunks: tuple[Chunk, ...], finish: str) -> list[Event]:
    encoder = MESSAGES.stream("msg_1", "fast", 9, read())
    said = encoder.start() + b"".join(encoder.chunk(chunk) + encoder.keepalive() for chunk in chunks)
    return EventParser().feed(said + encoder.end(finish, USAGE))


def accumulated(given: list[Event]) -> Any:
    snapshot, buffers = None, dict[int, bytes]()
    for event in given:
        assert orjson.loads(event.data)["type"] == event.name
        if event.name != "ping":
            parsed = EVENT.validate_json(event.data)
            snapshot = accumulate_event(event=parsed, current_snapshot=snapshot, json_bufs=buffers)
    return snapshot


def test_a_stream_adds_up_to_the_reply() -> None:
    got = accumulated(events(CHUNKS, "tool_calls"))
    assert [block.type for block in got.content] == ["thinking", "text", "tool_use", "tool_use"]
    assert (got.content[0].thinking, got.content[1].text) == ("why not", 'Hello "\n')
    assert (got.content[2].id, got.content[2].name, got.content[2].input) == ("t1", "weather", {"city": "x"})
    assert (got.content[3].id, got.content[3].input) == ("t2", {})
    assert got.stop_reason == "tool_use"
    assert (got.usage.input_tokens, got.usage.cache_read_input_tokens, got.usage.output_tokens) == (7, 4, 7)


def test_blocks_never_overlap() -> None:
    open_block: int | None = None
    for event in events(CHUNKS, "tool_calls"):
        data = orjson.loads(event.data)
        if event.name == "content_block_start":
            assert open_block is None
            open_block = data["index"]
        elif event.name == "content_block_delta":
            assert data["index"] == open_block
        elif event.name == "content_block_stop":
            assert data["index"] == open_block
            open_block = None
    assert open_block is None


def test_a_stream_of_nothing_is_whole_too() -> None:
    got = accumulated(events((), "stop"))
    assert (got.content, got.stop_reason) == ([], "end_turn")


def test_mixed_pieces_of_tool_calls_are_an_error_and_not_a_wrong_call() -> None:
    encoder = MESSAGES.stream("m", "f", 1, read())
    encoder.chunk(Chunk(tool_calls=(ToolDelta(index=0, id="a", name="x"), ToolDelta(index=1, id="b", name="x"))))
    with pytest.raises(UpstreamError, match="mixed"):
        encoder.chunk(Chunk(tool_calls=(ToolDelta(index=0, arguments="{}"),)))


def test_errors_have_anthropics_shape() -> None:
    problem = Problem(status=413, code="too_large", message="Too much.", param="messages")
    said = orjson.loads(MESSAGES.error(problem))
    assert said == {
        "type": "error",
        "error": {"type": "request_too_large", "message": "messages: Too much.", "code": "too_large"},
    }
    cut = EventParser().feed(MESSAGES.stream("m", "f", 1, read()).error(problem))[0]
    assert (cut.name, orjson.loads(cut.data)) == ("error", said)


TEXT = st.text(min_size=1, max_size=12).filter(lambda text: bool(text.strip()))
IDS = st.from_regex(r"[A-Za-z0-9_-]{1,12}", fullmatch=True)
ARGUMENTS = st.dictionaries(st.text(max_size=4), st.integers(-9, 9) | st.text(max_size=4), max_size=3)
CALL = st.builds(
    lambda ident, name, given: {
        "id": ident,
        "type": "function",
        "function": {"name": name, "arguments": orjson.dumps(given).decode()},
    },
    IDS,
    IDS,
    ARGUMENTS,
)
PICTURE = st.sampled_from(["data:image/png;base64,AAAA", "https://example.org/a.png"]).map(
    lambda url: {"type": "image_url", "image_url": {"url": url}}
)


@st.composite
def conversations(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Canonical messages in the order that the API allows: turns that alternate, results right after their calls."""
    messages: list[dict[str, Any]] = []
    if draw(st.booleans()):
        messages.append({"role": "system", "content": draw(TEXT)})
    for _ in range(draw(st.integers(1, 3))):
        parts = draw(st.lists(PICTURE, max_size=2))
        text = draw(TEXT)
        messages.append({"role": "user", "content": [*parts, {"type": "text", "text": text}] if parts else text})
        calls = draw(st.lists(CALL, max_size=2, unique_by=lambda call: call["id"]))
        message: dict[str, Any] = {"role": "assistant", "content": draw(TEXT) if not calls else None}
        messages.append(message | {"tool_calls": calls} if calls else message)
        messages += [{"role": "tool", "tool_call_id": call["id"], "content": draw(TEXT)} for call in calls]
    return [*messages, {"role": "user", "content": draw(TEXT)}] if messages[-1]["role"] == "assistant" else messages


SAMPLING = st.fixed_dictionaries(
    {"max_tokens": st.integers(1, 999)},
    optional={
        "temperature": st.floats(0, 1),
        "top_k": st.integers(1, 9),
        "stop": st.lists(TEXT, min_size=1, max_size=2),
        "response_format": st.just(
            {"type": "json_schema", "json_schema": {"name": "reply", "schema": SCHEMA, "strict": True}}
        ),
    },
)
TOOLING = st.fixed_dictionaries(
    {"tools": st.just([{"type": "function", "function": {"name": "f", "description": "d", "parameters": SCHEMA}}])},
    optional={
        "tool_choice": st.sampled_from(["auto", "none", "required", {"type": "function", "function": {"name": "f"}}])
    },
)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(conversations(), SAMPLING, TOOLING | st.just({}))
def test_canonical_to_anthropic_and_back_is_the_same(
    messages: list[dict[str, Any]], sampling: dict[str, Any], tooling: dict[str, Any]
) -> None:
    body = {**sampling, **tooling, "messages": messages}
    sent = messages_body(body, "claude", stream=True)
    back = MESSAGES.read(orjson.dumps(sent))
    assert (back.model, back.stream) == ("claude", True)
    assert back.body == body


def test_neighbours_of_one_role_are_one_message_and_blanks_go() -> None:
    sent = messages_body(
        {
            "messages": [
                {"role": "system", "content": "a"},
                {"role": "user", "content": "b"},
                {"role": "user", "content": [{"type": "text", "text": " "}, {"type": "text", "text": "c"}]},
                {"role": "system", "content": [{"type": "text", "text": "d"}]},
                {"role": "assistant", "content": "e \n"},
            ],
            "temperature": 1.8,
            "top_p": 1,
            "seed": 4,
            "response_format": {"type": "json_object"},
        },
        "claude",
        stream=False,
    )
    assert [block["text"] for block in sent["system"]] == ["a", "d", "Answer with one JSON object and nothing else."]
    assert sent["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": "b"}, {"type": "text", "text": "c"}]},
        {"role": "assistant", "content": "e"},
    ]
    assert (sent["temperature"], sent["max_tokens"]) == (1, 4096)
    assert not sent.keys() & {"top_p", "seed", "stream"}


def test_documents_pass_and_audio_is_refused_before_it_leaves() -> None:
    part = {"type": "file", "file": {"file_data": "data:application/pdf;base64,AAAA", "filename": "a.pdf"}}
    sent = messages_body({"messages": [{"role": "user", "content": [part]}]}, "claude", stream=False)
    assert sent["messages"][0]["content"] == [
        {
            "type": "document",
            "source": {"type": "base64", "media_type": "application/pdf", "data": "AAAA"},
            "title": "a.pdf",
        }
    ]
    audio = {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}
    with pytest.raises(UpstreamRejected, match="input_audio"):
        messages_body({"messages": [{"role": "user", "content": [audio]}]}, "claude", stream=False)


def test_what_the_server_side_writes_the_client_side_reads() -> None:
    encoder = MESSAGES.stream("msg_1", "fast", 9, read())
    said = encoder.start() + b"".join(encoder.chunk(chunk) for chunk in CHUNKS) + encoder.end("tool_calls", USAGE)
    for size in (1, 3, 7, len(said)):
        reader = Reply()
        got = [chunk for i in range(0, len(said), size) for chunk in reader.feed(said[i : i + size])]
        assert reader.finished
        _check(got)
    calls = (ToolCall(id="t1", name="weather", arguments='{"city":"x"}'), ToolCall(id="t2", name="w", arguments="{}"))
    whole = reply('Hello "\n', reasoning="why not", tool_calls=calls, finish_reason="tool_calls")
    _check(read_reply(MESSAGES.whole("msg_1", "fast", 9, read(), whole)))


def _check(got: list[Chunk]) -> None:
    assert "".join(chunk.text for chunk in got) == 'Hello "\n'
    assert "".join(chunk.reasoning for chunk in got) == "why not"
    deltas = [delta for chunk in got for delta in chunk.tool_calls]
    assert [(delta.index, delta.id, delta.name) for delta in deltas if delta.id] == [
        (0, "t1", "weather"),
        (1, "t2", "w"),
    ]
    assert "".join(delta.arguments for delta in deltas if delta.index == 0) == '{"city":"x"}'
    assert "".join(delta.arguments for delta in deltas if delta.index == 1) == "{}"
    last = got[-1]
    assert (last.finish_reason, last.input_tokens, last.output_tokens, last.cached_tokens) == ("tool_calls", 11, 7, 4)


def event(name: str, **data: Any) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + orjson.dumps({"type": name, **data}) + b"\n\n"


@pytest.mark.parametrize(
    ("kind", "raises"),
    [("overloaded_error", UpstreamBusy), ("invalid_request_error", UpstreamRejected), ("api_error", UpstreamError)],
)
def test_an_error_within_the_stream_is_raised_without_its_words(kind: str, raises: type[UpstreamError]) -> None:
    with pytest.raises(raises) as caught:
        Reply().feed(event("error", error={"type": kind, "message": "secret"}))
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "data", [b"{", b"[]", b"7", b"{}", b'{"type":"content_block_delta"}', b'{"type":"message_start","message":{}}']
)
def test_what_is_no_message_is_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError):
        Reply().feed(b"data: " + data + b"\n\n")
    with pytest.raises(ValueError):
        read_reply(data)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(["message_start", "content_block_start", "content_block_delta", "message_delta", "error"]), JSONS
)
def test_any_event_is_read_or_a_named_error(kind: str, rest: Any) -> None:
    data = {**rest, "type": kind} if isinstance(rest, dict) else {"type": kind, "delta": rest, "index": rest}
    try:
        Reply().feed(b"data: " + json.dumps(data).encode() + b"\n\n")
    except (ValueError, UpstreamError):
        return


def test_unknown_events_mean_nothing() -> None:
    assert Reply().feed(event("content_block_sparkle", index=0) + event("ping")) == []
