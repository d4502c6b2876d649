"""The official clients read what the test endpoints write: what the contract suite runs against is the real format."""

import asyncio
import base64
import json
from typing import Any, cast

import anthropic
import botocore.session
import openai
import pytest
from botocore.config import Config
from botocore.validate import ParamValidator

from careplane.codecs import converse
from careplane.providers import Chunk, ToolDelta

from .conftest import Connect
from .shelf import FORMAT, PNG, calls, request, text, tool, wire
from .test_contract import collect
from .upstream import TEXT

streamed = pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
TOOLS = [tool("find_drug"), tool("find_dose")]
CALLS = [("call_1", "find_drug", {"drug": "lisinopril", "n": 1}), ("call_2", "find_dose", {"drug": "metformin"})]


def openai_client(url: str, name: str) -> openai.OpenAI:
    if name == "azure_openai":
        return openai.OpenAI(base_url=f"{url}/openai/v1", api_key="x", default_headers={"api-key": "key-secret"})
    return openai.OpenAI(base_url=f"{url}/v1", api_key="sk-secret", max_retries=0)


@pytest.mark.parametrize("name", ["openai_compatible", "azure_openai"])
@streamed
def test_openai_reads_it(connect: Connect, name: str, stream: bool) -> None:
    client = openai_client(connect(name).endpoint.url, name)
    plain: list[Any] = [{"role": "user", "content": "Hello."}]
    if stream:
        with client.chat.completions.stream(model="m", messages=plain) as events:
            said = events.get_final_completion()
        with client.chat.completions.stream(
            model="m", messages=plain, tools=cast(Any, TOOLS), tool_choice="required"
        ) as events:
            called = events.get_final_completion()
    else:
        said = cast(Any, client.chat.completions.create(model="m", messages=plain))
        called = cast(
            Any,
            client.chat.completions.create(model="m", messages=plain, tools=cast(Any, TOOLS), tool_choice="required"),
        )
    assert said.choices[0].message.content == TEXT
    assert said.choices[0].finish_reason == "stop"
    assert stream or (said.usage and said.usage.prompt_tokens) == 11
    found = called.choices[0].message.tool_calls or []
    assert [(one.id, one.function.name, json.loads(one.function.arguments)) for one in found] == CALLS
    vectors = client.embeddings.create(model="m", input=["a", "bbb"], encoding_format="float")
    assert [one.embedding[0] for one in sorted(vectors.data, key=lambda one: one.index)] == [1.0, 3.0]
    client.close()


@streamed
def test_anthropic_reads_it(connect: Connect, stream: bool) -> None:
    line = connect("anthropic")
    ours = {"x-api-key": "sk-ant-secret", "anthropic-version": "2023-06-01"}  # the client prefers later ones
    client = anthropic.Anthropic(base_url=line.endpoint.url, api_key="k", max_retries=0, default_headers=ours)
    tools = [{"name": one, "input_schema": {"type": "object"}} for one in ("find_drug", "find_dose")]
    asked: dict[str, Any] = {"model": "m", "max_tokens": 99, "messages": [{"role": "user", "content": "Hello."}]}
    forced = asked | {"tools": tools, "tool_choice": {"type": "any"}}
    replies: list[Any] = []
    for one in (asked, forced):
        if stream:
            with client.messages.stream(**one) as events:
                replies.append(events.get_final_message())
        else:
            replies.append(client.messages.create(**one))
    said, called = replies
    assert "".join(block.text for block in said.content) == TEXT
    assert said.stop_reason == "end_turn"
    assert (said.usage.input_tokens, said.usage.output_tokens, said.usage.cache_read_input_tokens) == (7, 7, 4)
    assert [(block.id, block.name, block.input) for block in called.content] == CALLS
    client.close()


def bedrock_client(url: str) -> Any:
    session = botocore.session.Session()
    session.set_credentials(wire("bedrock").KEY_ID, wire("bedrock").SECRET)  # type: ignore[attr-defined]
    config = Config(retries={"max_attempts": 0}, proxies={})
    return session.create_client("bedrock-runtime", region_name="eu-central-1", endpoint_url=url, config=config)


def test_botocore_reads_it_whole(connect: Connect) -> None:
    client = bedrock_client(connect("bedrock").endpoint.url)
    turns = [{"role": "user", "content": [{"text": "Hello."}]}]
    said = client.converse(modelId="a.model-v1:0", messages=turns)
    assert said["output"]["message"]["content"] == [{"text": TEXT}]
    assert (said["stopReason"], said["usage"]["inputTokens"]) == ("end_turn", 7)
    called = client.converse(modelId="m", messages=turns, toolConfig=converse.request(body())["toolConfig"])
    uses = [block["toolUse"] for block in called["output"]["message"]["content"]]
    assert [(one["toolUseId"], one["name"], one["input"]) for one in uses] == CALLS
    client.close()


def test_botocore_reads_the_frames(connect: Connect) -> None:
    line = connect("bedrock")
    line.endpoint.answer = lambda _: [
        Chunk(reasoning="Hm."),
        Chunk(text="Grüße "),
        Chunk(text="🙂"),
        Chunk(tool_calls=(ToolDelta(index=0, id="c", name="find_drug"),)),
        Chunk(tool_calls=(ToolDelta(index=0, arguments='{"drug": 1}'),)),
        Chunk(finish_reason="tool_calls"),
        Chunk(input_tokens=11, output_tokens=7, cached_tokens=4),
    ]
    client = bedrock_client(line.endpoint.url)
    turns = [{"role": "user", "content": [{"text": "Hello."}]}]
    events = list(client.converse_stream(modelId="m", messages=turns)["stream"])
    client.close()
    deltas = [event["contentBlockDelta"]["delta"] for event in events if "contentBlockDelta" in event]
    assert "".join(delta.get("text", "") for delta in deltas) == "Grüße 🙂"
    assert next(event["metadata"] for event in events if "metadata" in event)["usage"]["inputTokens"] == 7
    ours = asyncio.run(collect(line.provider, request()))
    assert text(ours) == "Grüße 🙂"
    assert calls(ours) == {0: ("c", "find_drug", '{"drug": 1}')}


def body() -> dict[str, Any]:
    """A canonical body with everything in it."""
    url = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
    page = {"filename": "a/b.pdf", "file_data": f"data:application/pdf;base64,{base64.b64encode(b'%PDF').decode()}"}
    call = {"id": "c1", "type": "function", "function": {"name": "find_drug", "arguments": '{"drug": "x"}'}}
    parts = [
        {"type": "text", "text": "Look:"},
        {"type": "image_url", "image_url": {"url": url}},
        {"type": "file", "file": page},
    ]
    return {
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": parts},
            {"role": "assistant", "content": "Wait.", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c1", "content": "lisinopril"},
            {"role": "user", "content": "And?"},
        ],
        "tools": TOOLS,
        "tool_choice": "required",
        "response_format": FORMAT,
        "reasoning_effort": "low",
        "max_tokens": 9,
        "temperature": 0.5,
        "top_p": 0.9,
        "stop": ["END"],
        "seed": 3,
    }


NAMED = {"type": "function", "function": {"name": "find_dose"}}


@pytest.mark.parametrize("choice", ["auto", "required", "none", NAMED], ids=["auto", "required", "none", "named"])
def test_the_body_of_converse_is_what_the_service_model_says(choice: Any) -> None:
    shape = botocore.session.Session().get_service_model("bedrock-runtime").operation_model("Converse").input_shape
    sent = converse.request(body() | {"tool_choice": choice})
    report = ParamValidator().validate({"modelId": "m", **sent}, shape)
    assert report.generate_report() == ""
