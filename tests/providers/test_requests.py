"""What was asked arrives whole in each provider's own words, and all of what comes back is read."""

import asyncio
import base64
from typing import Any

import pytest

from careplane.errors import UpstreamError
from careplane.providers import Chunk, Embeddings, ToolDelta

from .conftest import Line
from .shelf import FORMAT, PNG, SCHEMA, calls, embed_request, reasons, request, text, tool, wire
from .test_contract import collect
from .upstream import Http, well_behaved

streamed = pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])


def asked(line: Line, stream: bool = True, **body: Any) -> dict[str, Any]:
    """What the endpoint read in a request."""
    asyncio.run(collect(line.provider, request(stream=stream, **body)))
    return dict(line.endpoint.asked[-1])


@streamed
def test_model_limits_and_turns(line: Line, stream: bool) -> None:
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "One."},
        {"role": "assistant", "content": "Two."},
        {"role": "user", "content": [{"type": "text", "text": "Three "}, {"type": "text", "text": "and ü."}]},
    ]
    said = asked(line, stream, messages=messages, temperature=0.25, max_tokens=77)
    assert (said["model"], said["stream"]) == (line.provider.model, stream)
    assert (said["max_tokens"], said["temperature"]) == (77, 0.25)
    assert said["system"] == ["Be brief."]
    assert [(role, words) for role, words in said["turns"][:2]] == [("user", "One."), ("assistant", "Two.")]
    assert "".join(words for _, words in said["turns"][2:]) == "Three and ü."


def test_another_model_can_be_asked_for(line: Line) -> None:
    other = request().model
    assert other == ""
    chosen = request()
    asyncio.run(collect(line.provider, type(chosen)(key="k", model="other-model", body=chosen.body)))
    path, _, body = line.endpoint.raw[-1]
    assert "other-model" in path or b'"other-model"' in body


def test_tools_and_the_choice_among_them(line: Line) -> None:
    tools = [tool("find_drug"), tool("find_dose")]
    for choice, heard in (("auto", "auto"), ("required", "any")):
        said = asked(line, tools=tools, tool_choice=choice)
        assert [name for name, _ in said["tools"]] == ["find_drug", "find_dose"]
        assert said["tools"][0][1]["properties"]["drug"] == {"type": "string"}
        assert said["choice"] == heard
    named = {"type": "function", "function": {"name": "find_dose"}}
    assert asked(line, tools=tools, tool_choice=named)["choice"] == "find_dose"
    none = asked(line, tools=tools, tool_choice="none")
    assert none["choice"] == "none" or none["tools"] == []


def test_tool_calls_and_their_results_go_back(line: Line) -> None:
    called = [
        {"id": f"call_{n}", "type": "function", "function": {"name": name, "arguments": '{"drug": "x"}'}}
        for n, name in enumerate(("find_drug", "find_dose"))
    ]
    messages = [
        {"role": "user", "content": "Which?"},
        {"role": "assistant", "content": None, "tool_calls": called},
        {"role": "tool", "tool_call_id": "call_0", "content": "lisinopril"},
        {"role": "tool", "tool_call_id": "call_1", "content": "10 mg"},
        {"role": "user", "content": "And now?"},
    ]
    said = asked(line, messages=messages, tools=[tool("find_drug"), tool("find_dose")], tool_choice="auto")
    assert said["calls"] == [("call_0", "find_drug", {"drug": "x"}), ("call_1", "find_dose", {"drug": "x"})]
    assert said["results"] == [("call_0", "lisinopril"), ("call_1", "10 mg")]
    assert [words for _, words in said["turns"]] == ["Which?", "And now?"]


def test_an_image_arrives_to_the_byte(line: Line) -> None:
    url = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
    parts = [{"type": "text", "text": "What?"}, {"type": "image_url", "image_url": {"url": url}}]
    assert asked(line, messages=[{"role": "user", "content": parts}])["images"] == [("image/png", PNG)]


def test_the_schema_arrives(line: Line) -> None:
    assert asked(line, response_format=FORMAT)["schema"] == SCHEMA


@streamed
def test_parallel_calls_are_told_apart(line: Line, stream: bool) -> None:
    tools = [tool("find_drug"), tool("find_dose")]
    chunks = asyncio.run(collect(line.provider, request(stream=stream, tools=tools, tool_choice="required")))
    found = calls(chunks)
    assert {index: (ident, name) for index, (ident, name, _) in found.items()} == {
        0: ("call_1", "find_drug"),
        1: ("call_2", "find_dose"),
    }
    assert found[0][2].replace(" ", "") == '{"drug":"lisinopril","n":1}'
    assert found[1][2].replace(" ", "") == '{"drug":"metformin"}'


@streamed
def test_text_and_calls_in_one_reply(line: Line, stream: bool) -> None:
    line.endpoint.answer = lambda _: [
        Chunk(text="Let me "),
        Chunk(text="look."),
        Chunk(tool_calls=(ToolDelta(index=0, id="c", name="find_drug"),)),
        Chunk(tool_calls=(ToolDelta(index=0, arguments="{}"),)),
        Chunk(finish_reason="tool_calls"),
    ]
    chunks = asyncio.run(collect(line.provider, request(stream=stream, tools=[tool("find_drug")])))
    assert text(chunks) == "Let me look."
    assert calls(chunks) == {0: ("c", "find_drug", "{}")}


@streamed
def test_reasoning_is_kept_apart(line: Line, stream: bool) -> None:
    line.endpoint.answer = lambda _: [
        Chunk(reasoning="Hm, "),
        Chunk(reasoning="well."),
        Chunk(text="Yes."),
        Chunk(finish_reason="stop"),
    ]
    chunks = asyncio.run(collect(line.provider, request(stream=stream)))
    assert "".join(chunk.reasoning for chunk in chunks) == "Hm, well."
    assert text(chunks) == "Yes."


@streamed
@pytest.mark.parametrize("reason", ["stop", "length", "content_filter"])
def test_every_reason_has_its_word(line: Line, stream: bool, reason: str) -> None:
    line.endpoint.answer = lambda _: [Chunk(text="x"), Chunk(finish_reason=reason)]
    assert reasons(asyncio.run(collect(line.provider, request(stream=stream)))) == [reason]


@streamed
def test_counts_are_those_of_the_provider(line: Line, stream: bool) -> None:
    chunks = asyncio.run(collect(line.provider, request(stream=stream)))
    last = [chunk for chunk in chunks if chunk.output_tokens is not None][-1]
    read = [chunk for chunk in chunks if chunk.input_tokens is not None][-1]
    assert (read.input_tokens, read.cached_tokens, last.output_tokens) == (11, 4, 7)


@streamed
def test_no_character_is_lost_or_split(line: Line, stream: bool) -> None:
    said = 'Grüße 🙂 "quoted" \\ back\nline\ttab \u2028 sep 患者 é'
    line.endpoint.answer = lambda _: [*(Chunk(text=one) for one in said), Chunk(finish_reason="stop")]
    assert text(asyncio.run(collect(line.provider, request(stream=stream)))) == said


@pytest.mark.parametrize("count", [0, 1, 3])
def test_another_number_of_vectors_than_texts_is_an_error(line: Line, count: int) -> None:
    embed = line.provider.embed
    if embed is None:
        return
    body = line.endpoint.wire.embeddings([[1.0, float(n)] for n in range(count)])
    line.endpoint.manner = lambda _: well_behaved(Http(200, "application/json", [body]))

    async def vectors() -> Embeddings:
        return await embed(embed_request("a", "bbb"))

    with pytest.raises(UpstreamError):
        asyncio.run(vectors())


def test_embeddings_are_asked_of_their_own_model(line: Line) -> None:
    embed = line.provider.embed
    if embed is None:
        assert "embeddings" in wire(line.provider.name).GAPS
        return

    async def vectors() -> Embeddings:
        return await embed(embed_request("a", "bbb", dimensions=2))

    found = asyncio.run(vectors())
    assert found.vectors == ([1.0, 0.5], [3.0, 0.5])
    said = line.endpoint.asked[-1]
    assert said["model"] != line.provider.model
    assert (list(said["inputs"]), said["dimensions"]) == (["a", "bbb"], 2)
