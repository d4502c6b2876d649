"""OpenAI's Chat Completions, judged by the official client: what it sends is read, what we send it understands."""

import json
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from careplane.codecs.dialect import Asked, Problem
from careplane.codecs.openai_chat import CHAT
from careplane.codecs.sse import EventParser
from careplane.errors import InputError
from careplane.records.model import Chunk, ToolCall, ToolDelta, Usage

from .model_values import USAGE, reply

HELLO = {"role": "user", "content": "Hello"}
WEATHER = {
    "type": "function",
    "function": {"name": "weather", "description": "now", "parameters": {"type": "object", "properties": {}}},
}
PNG = "data:image/png;base64,iVBORw0KGgo="


def read(**given: Any) -> Asked:
    return CHAT.read(orjson.dumps({"model": "fast", "messages": [HELLO], **given}))


def refusal(body: bytes) -> InputError:
    with pytest.raises(InputError) as caught:
        CHAT.read(body)
    return caught.value


def test_parameters_pass_in_canonical_form() -> None:
    passed: dict[str, Any] = {
        "temperature": 0.5,
        "top_p": 1,
        "seed": 7,
        "stop": ["END"],
        "logit_bias": {"50256": -100},
        "presence_penalty": -1.5,
        "frequency_penalty": 2,
        "tools": [WEATHER],
        "tool_choice": {"type": "function", "function": {"name": "weather"}},
        "parallel_tool_calls": False,
        "response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}},
        "reasoning_effort": "low",
        "verbosity": "high",
    }
    assert read(**passed).body == {"messages": [HELLO], **passed}


def test_the_newer_name_of_the_limit_wins() -> None:
    assert read(max_tokens=5, max_completion_tokens=9).body["max_tokens"] == 9
    assert "max_completion_tokens" not in read(max_completion_tokens=9).body


def test_what_identifies_or_stores_stays_here() -> None:
    asked = read(
        user="Jane Roe",
        metadata={"mrn": "123"},
        store=True,
        safety_identifier="x",
        prompt_cache_key="jane",
        service_tier="flex",
        prompt_cache_retention="24h",
        n=1,
        logprobs=False,
        modalities=["text"],
        response_format={"type": "text"},
        tools=[],
        stream=True,
        stream_options={"include_usage": True, "include_obfuscation": False},
        careplane={"patient": "123"},
    )
    assert asked.body == {"messages": [HELLO]}
    assert (asked.model, asked.stream, asked.include_usage) == ("fast", True, True)


def test_null_counts_as_not_given() -> None:
    nothing = dict.fromkeys(("temperature", "tools", "n", "audio", "stream", "stream_options", "careplane", "stop"))
    assert read(**nothing) == read()


def test_messages_of_every_role_pass() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"a": 1}'}}
    messages = [
        {"role": "system", "content": [{"type": "text", "text": "Be brief."}], "name": "rules"},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is this?"},
                {"type": "image_url", "image_url": {"url": PNG, "detail": "low"}},
                {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
                {"type": "file", "file": {"file_data": "data:application/pdf;base64,AAAA", "filename": "a.pdf"}},
            ],
        },
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "content": "sunny", "tool_call_id": "c1"},
        {"role": "assistant", "content": None, "refusal": "No."},
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]},
    ]
    assert read(messages=messages).body["messages"] == messages


def test_developer_becomes_system() -> None:
    assert read(messages=[{"role": "developer", "content": "x"}]).body["messages"][0]["role"] == "system"


def test_a_reply_can_be_sent_back_as_the_client_holds_it() -> None:
    said = reply("Hi", reasoning="why", tool_calls=(ToolCall(id="c1", name="weather", arguments="{}"),))
    held = ChatCompletion.model_validate_json(CHAT.whole("id", "fast", 1, read(), said)).choices[0].message
    for form in (held.model_dump(), held.model_dump(exclude_unset=True), held.model_dump(exclude_none=True)):
        assert read(messages=[form]).body["messages"] == [
            {
                "role": "assistant",
                "content": "Hi",
                "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}],
            }
        ]


def test_careplanes_own_part() -> None:
    bundle = {"resourceType": "Bundle", "entry": [{"resource": {"resourceType": "Patient", "id": "1"}}]}
    own = {
        "context": bundle,
        "patient": "1",
        "encounter": "Encounter/e-1",
        "purpose": "TREAT",
        "site": "Organization/north",
        "untrusted": [0],
        "cache": True,
    }
    options = read(careplane=own).options
    assert options.context == ({"resourceType": "Patient", "id": "1"},)
    assert (options.patient, options.encounter) == ("Patient/1", "Encounter/e-1")
    assert (options.purpose, options.site, options.untrusted, options.cache) == (
        "treatment",
        "Organization/north",
        (0,),
        True,
    )


DEEP: Any = {}
for _ in range(100):
    DEEP = {"a": DEEP}


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("model", {"model": None}),
        ("model", {"model": 7}),
        ("model", {"model": ""}),
        ("messages", {"messages": None}),
        ("messages", {"messages": []}),
        ("messages", {"messages": {}}),
        ("messages[0]", {"messages": ["Hello"]}),
        ("messages[1].role", {"messages": [HELLO, {"role": "critic", "content": "x"}]}),
        ("messages[0].role", {"messages": [{"role": ["user"], "content": "x"}]}),
        ("messages[0].role", {"messages": [{"role": "function", "content": "x", "name": "f"}]}),
        ("messages[0].content", {"messages": [{"role": "user"}]}),
        ("messages[0].content", {"messages": [{"role": "user", "content": None}]}),
        ("messages[0].content", {"messages": [{"role": "user", "content": 5}]}),
        ("messages[0].content", {"messages": [{"role": "user", "content": []}]}),
        ("messages[0].content", {"messages": [{"role": "assistant", "content": None}]}),
        ("messages[0].content[0]", {"messages": [{"role": "user", "content": ["x"]}]}),
        ("messages[0].content[0].type", {"messages": [{"role": "user", "content": [{"type": "video"}]}]}),
        ("messages[0].content[0].type", {"messages": [{"role": "system", "content": [{"type": "image_url"}]}]}),
        ("messages[0].content[0].text", {"messages": [{"role": "user", "content": [{"type": "text"}]}]}),
        (
            "messages[0].content[0].image_url.url",
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "file:///etc"}}]}]},
        ),
        (
            "messages[0].content[0].file.file_id",
            {"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "f"}}]}]},
        ),
        ("messages[0].name", {"messages": [{**HELLO, "name": 1}]}),
        ("messages[0].thoughts", {"messages": [{**HELLO, "thoughts": "x"}]}),
        ("messages[0].tool_call_id", {"messages": [{"role": "tool", "content": "x"}]}),
        ("messages[0].tool_calls", {"messages": [{"role": "assistant", "tool_calls": "x"}]}),
        ("messages[0].tool_calls[0].id", {"messages": [{"role": "assistant", "tool_calls": [{}]}]}),
        (
            "messages[0].tool_calls[0].function.arguments",
            {
                "messages": [
                    {"role": "assistant", "tool_calls": [{"id": "a", "function": {"name": "f", "arguments": {}}}]}
                ]
            },
        ),
        ("temperature", {"temperature": "hot"}),
        ("temperature", {"temperature": True}),
        ("temperature", {"temperature": 2.1}),
        ("temperature", {"temperature": [1]}),
        ("max_tokens", {"max_tokens": 0}),
        ("max_tokens", {"max_tokens": 1.0}),
        ("max_tokens", {"max_tokens": 10**30}),
        ("seed", {"seed": 2**64 - 1}),
        ("n", {"n": 2}),
        ("n", {"n": True}),
        ("logprobs", {"logprobs": True}),
        ("top_logprobs", {"top_logprobs": 3}),
        ("modalities", {"modalities": ["text", "audio"]}),
        ("audio", {"audio": {"voice": "x"}}),
        ("functions", {"functions": []}),
        ("web_search_options", {"web_search_options": {}}),
        ("tools[0].type", {"tools": [{"type": "custom", "custom": {"name": "x"}}]}),
        ("tools[0].function.name", {"tools": [{"type": "function", "function": {"name": "no spaces"}}]}),
        ("tools[0].function.name", {"tools": [{"type": "function", "function": {}}]}),
        (
            "tools[0].function.parameters",
            {"tools": [{"type": "function", "function": {"name": "x", "parameters": DEEP}}]},
        ),
        ("tools", {"tools": [WEATHER] * 129}),
        ("tool_choice", {"tool_choice": "weather"}),
        ("tool_choice", {"tool_choice": ["auto"]}),
        ("tool_choice.type", {"tool_choice": {"type": "allowed_tools"}}),
        ("tool_choice.function.name", {"tool_choice": {"type": "function", "function": {}}}),
        ("response_format.type", {"response_format": {"type": "grammar"}}),
        ("response_format.json_schema", {"response_format": {"type": "json_schema"}}),
        ("response_format.json_schema.name", {"response_format": {"type": "json_schema", "json_schema": {}}}),
        ("stop[0]", {"stop": [1]}),
        ("logit_bias", {"logit_bias": {"abc": 1}}),
        ("logit_bias.1", {"logit_bias": {"1": "x"}}),
        ("stream", {"stream": "yes"}),
        ("stream_options", {"stream_options": "yes"}),
        ("stream_options.include_usage", {"stream_options": {"include_usage": 1}}),
        ("frobnicate", {"frobnicate": 1}),
        ("careplane", {"careplane": []}),
        ("careplane.contxt", {"careplane": {"contxt": {}}}),
        ("careplane.context", {"careplane": {"context": {"resourceType": "Patient"}}}),
        ("careplane.context.entry", {"careplane": {"context": {"resourceType": "Bundle", "entry": {}}}}),
        ("careplane.context.entry[0]", {"careplane": {"context": {"resourceType": "Bundle", "entry": [{}]}}}),
        ("careplane.patient", {"careplane": {"patient": "Group/1"}}),
        ("careplane.purpose", {"careplane": {"purpose": "Zebulon"}}),
        ("careplane.untrusted", {"careplane": {"untrusted": [1]}}),
        ("careplane.untrusted", {"careplane": {"untrusted": [True]}}),
    ],
)
def test_a_wrong_field_is_named(field: str, given: dict[str, Any]) -> None:
    body = {"model": "fast", "messages": [HELLO], **given}
    assert refusal(json.dumps(body).encode()).field == field


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "empty"),
        (b"hello", "not valid JSON"),
        (b"[]", "must be a JSON object"),
        (b"null", "must be a JSON object"),
        (b'{"model": NaN}', "not valid JSON"),
        (b'{"model": Infinity}', "not valid JSON"),
        (b'{"temperature": 1e999}', "not valid JSON"),
        (b'{"model": "\xff"}', "not valid JSON"),
        (b'{"model": "\\ud800"}', "not valid JSON"),
        (b"\xef\xbb\xbf{}", "not valid JSON"),
        (b'{"a":' * 5000 + b"1" + b"}" * 5000, "not valid JSON"),
        (b'{"careplane":' + b"[" * 300 + b"]" * 300 + b"}", "levels deep"),
        (b'{"model": "a", "messages": [], "model": "b"}', "model: is given twice"),
        (b'{"messages": [{"role": "user", "content": "a", "content": "b"}]}', "content: is given twice"),
        (b'{"x": "\\u0022\\u0022", "model": 1, "model": 2}', "model: is given twice"),
        (b'{"model": 1, "mod\\u0065l": 2}', "model: is given twice"),
    ],
)
def test_a_body_that_is_not_strict_json_is_refused(body: bytes, says: str) -> None:
    assert says in str(refusal(body))


def test_quotes_in_texts_are_no_duplicates() -> None:
    text = 'She said "no", \\ and "yes".'
    escaped = orjson.dumps(text).replace(b'\\"', b"\\u0022")
    body = b'{"model":"m","messages":[{"role":"user","content":' + escaped + b"}]}"
    assert CHAT.read(body).body["messages"][0]["content"] == text


JSONS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
KNOWN = st.sampled_from(
    [
        "messages",
        "model",
        "tools",
        "tool_choice",
        "response_format",
        "stop",
        "careplane",
        "stream_options",
        "logit_bias",
    ]
)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(KNOWN, JSONS, max_size=5))
def test_any_json_is_read_or_refused(body: dict[str, Any]) -> None:
    _read_or_refuse(json.dumps(body).encode())


MESSAGE = st.fixed_dictionaries(
    {"role": st.sampled_from(["system", "user", "assistant", "tool", "developer"]) | JSONS},
    optional={
        "content": JSONS
        | st.lists(
            st.fixed_dictionaries(
                {"type": st.sampled_from(["text", "image_url", "file"])},
                optional={"text": JSONS, "image_url": JSONS, "file": JSONS},
            )
        ),
        "tool_calls": JSONS
        | st.lists(st.fixed_dictionaries({}, optional={"id": JSONS, "function": JSONS, "type": JSONS})),
        "tool_call_id": JSONS,
        "name": JSONS,
    },
)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(MESSAGE, min_size=1, max_size=3), st.dictionaries(KNOWN, JSONS, max_size=2))
def test_any_message_is_read_or_refused(messages: list[Any], rest: dict[str, Any]) -> None:
    body = {"model": "m", **rest, "messages": messages}
    _read_or_refuse(json.dumps(body).encode())


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    _read_or_refuse(body)


def _read_or_refuse(body: bytes) -> None:
    try:
        asked = CHAT.read(body)
    except InputError:
        return
    assert asked.body["messages"]


def test_a_whole_reply_is_what_the_client_expects() -> None:
    call = ToolCall(id="c1", name="weather", arguments='{"a":1}')
    said = reply("Hello", reasoning="why", tool_calls=(call,), finish_reason="tool_calls")
    got = ChatCompletion.model_validate_json(CHAT.whole("chatcmpl-1", "fast", 99, read(), said), strict=True)
    choice = got.choices[0]
    assert (got.id, got.created, got.model, choice.finish_reason) == ("chatcmpl-1", 99, "fast", "tool_calls")
    assert (choice.message.content, choice.message.refusal) == ("Hello", None)
    assert choice.message.to_dict()["reasoning_content"] == "why"
    assert choice.message.tool_calls is not None
    assert choice.message.tool_calls[0].to_dict() == {
        "id": "c1",
        "type": "function",
        "function": {"name": "weather", "arguments": '{"a":1}'},
    }
    assert got.usage is not None
    assert (got.usage.prompt_tokens, got.usage.completion_tokens, got.usage.total_tokens) == (11, 7, 18)
    assert got.usage.prompt_tokens_details is not None
    assert got.usage.prompt_tokens_details.cached_tokens == 4


def test_a_refusal_has_no_content_and_an_empty_reply_has_empty_content() -> None:
    refused = orjson.loads(CHAT.whole("i", "m", 1, read(), reply(refusal="No.")))["choices"][0]["message"]
    assert (refused["content"], refused["refusal"]) == (None, "No.")
    assert orjson.loads(CHAT.whole("i", "m", 1, read(), reply()))["choices"][0]["message"]["content"] == ""


def test_estimated_usage_says_so() -> None:
    usage = Usage(input_tokens=1, output_tokens=1, cost_usd=0.0, estimated=True)
    assert orjson.loads(CHAT.whole("i", "m", 1, read(), reply("x", usage)))["usage"]["careplane_estimated"] is True


CHUNKS = (
    Chunk(reasoning="why "),
    Chunk(text="Hel"),
    Chunk(text='lo "\u2028"\n'),
    Chunk(tool_calls=(ToolDelta(index=0, id="c1", name="weather", arguments=""),)),
    Chunk(tool_calls=(ToolDelta(index=0, arguments='{"a":'), ToolDelta(index=1, id="c2", name="weather"))),
    Chunk(tool_calls=(ToolDelta(index=0, arguments="1}"), ToolDelta(index=1, arguments="{}"))),
    Chunk(finish_reason="tool_calls", input_tokens=1),
)


def stream(asked: Asked, finish_reason: str = "tool_calls") -> bytes:
    encoder = CHAT.stream("chatcmpl-1", "fast", 99, asked)
    said = encoder.start() + b"".join(encoder.chunk(chunk) + encoder.keepalive() for chunk in CHUNKS)
    return said + encoder.end(finish_reason, USAGE)


@pytest.mark.parametrize("include_usage", [True, False])
def test_a_stream_adds_up_to_the_reply(include_usage: bool) -> None:
    asked = read(stream=True, stream_options={"include_usage": include_usage})
    datas = [event.data for event in EventParser().feed(stream(asked))]
    assert datas.pop() == "[DONE]"
    state = ChatCompletionStreamState()
    for data in datas:
        state.handle_chunk(ChatCompletionChunk.model_validate_json(data, strict=True))
        assert ("usage" in orjson.loads(data)) is include_usage
    got = state.get_final_completion()
    assert got.choices[0].message.content == 'Hello "\u2028"\n'
    assert got.choices[0].finish_reason == "tool_calls"
    calls = got.choices[0].message.tool_calls or []
    assert [(call.id, call.function.name, call.function.arguments) for call in calls] == [
        ("c1", "weather", '{"a":1}'),
        ("c2", "weather", "{}"),
    ]
    assert (got.usage.total_tokens if got.usage else None) == (18 if include_usage else None)


def test_an_error_has_the_shape_that_clients_branch_on() -> None:
    problem = Problem(status=429, code="rate_limit_exceeded", message="Slow down.", retry_after=3)
    said = orjson.loads(CHAT.error(problem))["error"]
    assert said == {
        "message": "Slow down.",
        "type": "rate_limit_error",
        "param": None,
        "code": "rate_limit_exceeded",
        "retry_after": 3.0,
    }
    cut = CHAT.stream("i", "m", 1, read()).error(problem)
    assert orjson.loads(EventParser().feed(cut)[0].data)["error"] == said


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "invalid_value", "invalid_request_error"),
        (401, "invalid_api_key", "authentication_error"),
        (403, "refused", "permission_error"),
        (404, "model_not_found", "not_found_error"),
        (413, "too_large", "invalid_request_error"),
        (429, "insufficient_quota", "insufficient_quota"),
        (503, "overloaded", "server_error"),
    ],
)
def test_the_type_follows_the_status(status: int, code: str, kind: str) -> None:
    said = orjson.loads(CHAT.error(Problem(status=status, code=code, message="x")))
    assert said["error"]["type"] == kind
