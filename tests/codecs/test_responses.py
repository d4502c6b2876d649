"""OpenAI's Responses, judged by the official client: its models, and its accumulator of streams."""

import json
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openai._types import omit
from openai.lib.streaming.responses._responses import ResponseStreamState
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from careplane.codecs.dialect import Asked, Problem
from careplane.codecs.responses import RESPONSES
from careplane.codecs.sse import EventParser
from careplane.errors import InputError, UpstreamError
from careplane.records.model import Chunk, ToolCall, ToolDelta

from .model_values import USAGE, reply

EVENT: TypeAdapter[ResponseStreamEvent] = TypeAdapter(ResponseStreamEvent)
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
PNG = "data:image/png;base64,iVBORw0KGgo="
IMAGE = {"type": "image_url", "image_url": {"url": PNG, "detail": "auto"}}


def read(**given: Any) -> Asked:
    return RESPONSES.read(orjson.dumps({"model": "fast", "input": "Hello", **given}))


def test_a_text_with_instructions() -> None:
    asked = read(
        instructions="Be brief.",
        max_output_tokens=9,
        temperature=1.5,
        reasoning={"effort": "low", "summary": "auto"},
        text={"format": {"type": "json_schema", "name": "a", "schema": SCHEMA, "strict": True}, "verbosity": "low"},
        tools=[{"type": "function", "name": "weather", "description": "now", "parameters": SCHEMA, "strict": True}],
        tool_choice={"type": "function", "name": "weather"},
        store=True,
        user="jane",
        metadata={"mrn": "1"},
        include=["reasoning.encrypted_content"],
        truncation="disabled",
        background=False,
        stream=True,
    )
    function = {"name": "weather", "description": "now", "parameters": SCHEMA, "strict": True}
    assert asked.stream
    assert asked.body == {
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}],
        "max_tokens": 9,
        "temperature": 1.5,
        "reasoning_effort": "low",
        "verbosity": "low",
        "response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": SCHEMA, "strict": True}},
        "tools": [{"type": "function", "function": function}],
        "tool_choice": {"type": "function", "function": {"name": "weather"}},
    }


def test_items_become_messages() -> None:
    items = [
        {"role": "developer", "content": "Rules."},
        {
            "type": "message",
            "role": "user",
            "content": [
                {"type": "input_text", "text": "See"},
                {"type": "input_image", "image_url": PNG, "detail": "auto"},
                {"type": "input_file", "file_data": "data:application/pdf;base64,AAAA", "filename": "a.pdf"},
            ],
        },
        {"type": "reasoning", "id": "rs_1", "summary": []},
        {
            "type": "message",
            "id": "msg_1",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "text": "Let me look.", "annotations": []}],
        },
        {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "weather", "arguments": "{}"},
        {"type": "function_call", "call_id": "c2", "name": "weather", "arguments": '{"a":1}', "status": "completed"},
        {
            "type": "function_call_output",
            "call_id": "c1",
            "output": [
                {"type": "input_text", "text": "sunny"},
                {"type": "input_image", "image_url": PNG, "detail": "auto"},
            ],
        },
        {"type": "function_call_output", "call_id": "c2", "output": "rain"},
    ]
    asked = read(input=items, instructions="I", careplane={"untrusted": [6, 7]})
    calls = [
        {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{}"}},
        {"id": "c2", "type": "function", "function": {"name": "weather", "arguments": '{"a":1}'}},
    ]
    file = {"type": "file", "file": {"file_data": "data:application/pdf;base64,AAAA", "filename": "a.pdf"}}
    assert asked.body["messages"] == [
        {"role": "system", "content": "I"},
        {"role": "system", "content": "Rules."},
        {"role": "user", "content": [{"type": "text", "text": "See"}, IMAGE, file]},
        {"role": "assistant", "content": "Let me look.", "tool_calls": calls},
        {"role": "tool", "tool_call_id": "c1", "content": "sunny"},
        {"role": "tool", "tool_call_id": "c2", "content": "rain"},
        {"role": "user", "content": [IMAGE]},
    ]
    assert asked.options.untrusted == (4, 5, 6)


@pytest.mark.parametrize(
    ("path", "given"),
    [
        ("input", {"input": None}),
        ("input", {"input": []}),
        ("input", {"input": {}}),
        ("input", {"input": [{"type": "reasoning"}]}),
        ("input[0]", {"input": [1]}),
        ("input[0].type", {"input": [{"type": "item_reference", "id": "x"}]}),
        ("input[0].type", {"input": [{"type": "web_search_call"}]}),
        ("input[0].role", {"input": [{"content": "x"}]}),
        ("input[0].role", {"input": [{"role": "tool", "content": "x"}]}),
        ("input[0].content", {"input": [{"role": "user"}]}),
        ("input[0].content[0].type", {"input": [{"role": "user", "content": [{"type": "output_text"}]}]}),
        (
            "input[0].content[0].file_id",
            {"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}]},
        ),
        (
            "input[0].content[0].image_url",
            {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "file:///x"}]}]},
        ),
        ("input[0].call_id", {"input": [{"type": "function_call", "name": "a", "arguments": "{}"}]}),
        ("input[0].arguments", {"input": [{"type": "function_call", "call_id": "a", "name": "a", "arguments": {}}]}),
        ("input[0].output", {"input": [{"type": "function_call_output", "call_id": "a"}]}),
        ("previous_response_id", {"previous_response_id": "resp_1"}),
        ("conversation", {"conversation": "c"}),
        ("background", {"background": True}),
        ("prompt", {"prompt": {"id": "p"}}),
        ("truncation", {"truncation": "auto"}),
        ("include", {"include": ["message.output_text.logprobs"]}),
        ("tools[0].type", {"tools": [{"type": "web_search"}]}),
        ("tools[0].name", {"tools": [{"type": "function"}]}),
        ("tools[0].defer_loading", {"tools": [{"type": "function", "name": "a", "defer_loading": True}]}),
        ("tool_choice.type", {"tool_choice": {"type": "file_search"}}),
        ("tool_choice.name", {"tool_choice": {"type": "function"}}),
        ("text.format.type", {"text": {"format": {"type": "grammar"}}}),
        ("text.format.name", {"text": {"format": {"type": "json_schema"}}}),
        ("reasoning.effort", {"reasoning": {"effort": "huge"}}),
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
PART = st.fixed_dictionaries(
    {"type": st.sampled_from(["input_text", "output_text", "input_image", "input_file", "refusal"])},
    optional=dict.fromkeys(["text", "image_url", "file_data", "filename", "detail", "refusal"], JSONS),
)
ITEM = st.fixed_dictionaries(
    {"type": st.sampled_from(["message", "function_call", "function_call_output", "reasoning"])},
    optional={
        "role": st.sampled_from(["user", "assistant", "developer"]),
        "content": JSONS | st.lists(PART, max_size=2),
        "output": JSONS | st.lists(PART, max_size=2),
        **dict.fromkeys(["call_id", "name", "arguments"], JSONS | st.text("ab", min_size=1, max_size=3)),
    },
)
TOP = st.dictionaries(
    st.sampled_from(["instructions", "tools", "tool_choice", "text", "reasoning", "include", "careplane"]),
    JSONS,
    max_size=3,
)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(ITEM, max_size=4) | JSONS, TOP)
def test_any_body_is_read_or_refused(items: Any, top: dict[str, Any]) -> None:
    try:
        asked = RESPONSES.read(json.dumps({"model": "m", **top, "input": items}).encode())
    except InputError:
        return
    assert asked.body["messages"]


CALLS = (
    ToolCall(id="c1", name="weather", arguments='{"city":"x"}'),
    ToolCall(id="c2", name="w", arguments="{}"),
)
TOOLS = [{"type": "function", "name": "weather", "parameters": SCHEMA, "strict": True}]


def test_a_whole_reply_is_what_the_client_expects() -> None:
    said = reply("Hello", reasoning="hm", tool_calls=CALLS, finish_reason="tool_calls")
    asked = read(tools=TOOLS, temperature=0.5)
    got = Response.model_validate_json(RESPONSES.whole("resp_1", "fast", 9, asked, said))
    assert (got.id, got.status, got.output_text, got.store if hasattr(got, "store") else None) == (
        "resp_1",
        "completed",
        "Hello",
        False,
    )
    assert [item.type for item in got.output] == ["reasoning", "message", "function_call", "function_call"]
    assert got.output[2].to_dict()["arguments"] == '{"city":"x"}'
    assert (got.temperature, got.tools[0].to_dict()["name"]) == (0.5, "weather")
    assert got.usage is not None
    assert (got.usage.input_tokens, got.usage.input_tokens_details.cached_tokens, got.usage.total_tokens) == (11, 4, 18)
    assert len({item.id for item in got.output}) == 4


def test_the_output_can_be_sent_back_as_the_client_holds_it() -> None:
    said = reply("Hello", reasoning="hm", tool_calls=CALLS, finish_reason="tool_calls")
    got = Response.model_validate_json(RESPONSES.whole("resp_1", "fast", 9, read(), said))
    for form in ([item.to_dict() for item in got.output], [item.model_dump() for item in got.output]):
        assert read(input=[{"role": "user", "content": "Hi"}, *form]).body["messages"][1] == {
            "role": "assistant",
            "content": "Hello",
            "tool_calls": [
                {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
                for call in CALLS
            ],
        }


@pytest.mark.parametrize(
    ("finish", "status", "reason"),
    [
        ("stop", "completed", None),
        ("length", "incomplete", "max_output_tokens"),
        ("content_filter", "incomplete", "content_filter"),
    ],
)
def test_why_it_ended(finish: str, status: str, reason: str | None) -> None:
    got = Response.model_validate_json(RESPONSES.whole("resp_1", "f", 1, read(), reply("x", finish_reason=finish)))
    assert got.status == status
    assert (got.incomplete_details.reason if got.incomplete_details else None) == reason


CHUNKS = (
    Chunk(reasoning="why "),
    Chunk(reasoning="not"),
    Chunk(text="Hel"),
    Chunk(text='lo "\n'),
    Chunk(refusal="No."),
    Chunk(tool_calls=(ToolDelta(index=0, id="c1", name="weather"),)),
    Chunk(tool_calls=(ToolDelta(index=0, arguments='{"city":'),)),
    Chunk(tool_calls=(ToolDelta(index=0, arguments='"x"}'), ToolDelta(index=1, id="c2", name="w", arguments="{}"))),
    Chunk(finish_reason="tool_calls", input_tokens=1),
)


def parsed(stream: bytes) -> list[ResponseStreamEvent]:
    events = EventParser().feed(stream)
    for number, event in enumerate(events):
        data = orjson.loads(event.data)
        assert (data["type"], data["sequence_number"]) == (event.name, number)
    return [EVENT.validate_json(event.data) for event in events]


def stream(chunks: tuple[Chunk, ...], finish: str) -> bytes:
    encoder = RESPONSES.stream("resp_1", "fast", 9, read(tools=TOOLS))
    said = encoder.start() + b"".join(encoder.chunk(chunk) + encoder.keepalive() for chunk in chunks)
    return said + encoder.end(finish, USAGE)


def test_a_stream_adds_up_to_the_reply() -> None:
    state: ResponseStreamState[Any] = ResponseStreamState(input_tools=omit, text_format=omit)
    events = parsed(stream(CHUNKS, "tool_calls"))
    seen = [one for event in events for one in state.handle_event(event)]
    got: Any = seen[-1]
    assert got.type == "response.completed"
    kinds = [item.type for item in got.response.output]
    assert kinds == ["reasoning", "message", "message", "function_call", "function_call"]
    assert got.response.output_text == 'Hello "\n'
    assert got.response.output[3].arguments == '{"city":"x"}'
    said = [one.delta for one in seen if one.type == "response.output_text.delta"]
    assert said == ["Hel", 'lo "\n']


def test_the_order_of_events() -> None:
    events = [event.type for event in parsed(stream((Chunk(text="a"), Chunk(text="b")), "stop"))]
    assert events == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]


def test_a_stream_says_the_same_as_the_whole_reply() -> None:
    said = reply('Hello "\n', reasoning="why not", refusal="No.", tool_calls=CALLS, finish_reason="tool_calls")
    whole = orjson.loads(RESPONSES.whole("resp_1", "fast", 9, read(tools=TOOLS), said))
    last = EventParser().feed(stream(CHUNKS, "tool_calls"))[-1]
    assert orjson.loads(last.data)["response"] == whole


@pytest.mark.parametrize(("finish", "name"), [("length", "response.incomplete"), ("stop", "response.completed")])
def test_a_stream_of_nothing_has_an_empty_message(finish: str, name: str) -> None:
    last: Any = parsed(stream((), finish))[-1]
    assert last.type == name
    assert last.response.output_text == ""
    assert len(last.response.output) == 1


def test_a_failure_within_the_stream_keeps_our_code() -> None:
    encoder = RESPONSES.stream("resp_1", "fast", 9, read())
    said = encoder.start() + encoder.chunk(Chunk(text="Hel"))
    said += encoder.error(Problem(status=503, code="stopped", message="The app was stopped."))
    last: Any = parsed(said)[-1]
    assert (last.type, last.response.status, last.response.error.code) == ("response.failed", "failed", "server_error")
    assert (last.response.error.type, last.response.error.message) == ("stopped", "The app was stopped.")


def test_mixed_pieces_of_tool_calls_are_an_error_and_not_a_wrong_call() -> None:
    encoder = RESPONSES.stream("r", "f", 1, read())
    encoder.chunk(Chunk(tool_calls=(ToolDelta(index=0, id="a", name="x"), ToolDelta(index=1, id="b", name="x"))))
    with pytest.raises(UpstreamError, match="mixed"):
        encoder.chunk(Chunk(tool_calls=(ToolDelta(index=0, arguments="{}"),)))
