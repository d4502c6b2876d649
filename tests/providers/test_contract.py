"""What every provider of the shelf promises; what an item cannot do is in its ``tests/wire.py``, with the error."""

import asyncio
import base64
import json
from collections.abc import AsyncGenerator

import pytest

from careplane import errors
from careplane.providers import ChatRequest, Chunk, Provider

from .shelf import FORMAT, INSIDE, ITEMS, PNG, REMOTE, calls, embed_request, marked, reasons, request, text, tool, wire

each = pytest.mark.parametrize("item", [marked(name) for name in ITEMS])
both = pytest.mark.parametrize(
    ("item", "stream"),
    [marked(name, True) for name in ITEMS] + [marked(name, False) for name in REMOTE],
    ids=lambda value: {True: "stream", False: "whole"}.get(value, value),
)
"""Streamed and whole: to items without an endpoint it is the same."""


async def collect(provider: Provider, asked: ChatRequest) -> list[Chunk]:
    return [chunk async for chunk in provider.chat(asked)]


def ask(item: str, provider: Provider, asked: ChatRequest, feature: str = "") -> list[Chunk] | None:
    """The reply; ``None`` where the item says that it cannot do this, by the error that its gap names."""
    if feature not in wire(item).GAPS:
        return asyncio.run(collect(provider, asked))
    with pytest.raises(getattr(errors, wire(item).GAPS[feature])):
        asyncio.run(collect(provider, asked))
    return None


def room(item: str) -> int:
    """Enough tokens for a reply; few for the local model, which takes its time."""
    return 16 if item == "local" else 200


@both
def test_a_reply_is_text_and_then_one_reason(item: str, provider: Provider, stream: bool) -> None:
    chunks = ask(item, provider, request(stream=stream, max_tokens=room(item)))
    assert chunks
    assert text(chunks).strip()
    assert item == "local" or "lisinopril 10 mg" in text(chunks)  # what a small model writes is not promised
    (reason,) = reasons(chunks)
    assert reason == "stop" or item == "local"


@each
def test_the_same_request_gets_the_same_reply(item: str, provider: Provider) -> None:
    first, second = (ask(item, provider, request(max_tokens=room(item))) for _ in range(2))
    assert first
    assert second
    assert text(first) == text(second)


@both
def test_the_length_limit_holds_and_is_named(item: str, provider: Provider, stream: bool) -> None:
    chunks = ask(item, provider, request(stream=stream, max_tokens=5))
    assert chunks
    assert len(text(chunks).split()) <= 5
    assert reasons(chunks) == ["length"]


@both
def test_tokens_are_counted(item: str, provider: Provider, stream: bool) -> None:
    chunks = ask(item, provider, request(stream=stream, max_tokens=room(item)))
    assert chunks
    counted = [chunk for chunk in chunks if chunk.input_tokens is not None]
    assert counted
    assert (counted[-1].input_tokens or 0) > 0
    assert (counted[-1].output_tokens or 0) > 0


@both
def test_tools_are_called_in_pieces_that_join_to_json(item: str, provider: Provider, stream: bool) -> None:
    tools = [tool("find_drug"), tool("find_dose")]
    chunks = ask(item, provider, request(stream=stream, tools=tools, tool_choice="required"), "tools")
    if chunks is None:
        return
    found = calls(chunks)
    assert found
    assert list(found) == list(range(len(found)))
    assert len({ident for ident, _, _ in found.values()}) == len(found)
    assert all(ident and name in ("find_drug", "find_dose") for ident, name, _ in found.values())
    assert all(isinstance(json.loads(arguments), dict) for _, _, arguments in found.values())
    assert reasons(chunks) == ["tool_calls"]


@both
def test_structured_output_is_json_of_the_schema(item: str, provider: Provider, stream: bool) -> None:
    chunks = ask(item, provider, request(stream=stream, response_format=FORMAT), "schema")
    if chunks is not None:
        assert isinstance(json.loads(text(chunks))["drug"], str)


@each
def test_an_image_is_taken(item: str, provider: Provider) -> None:
    url = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
    parts = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": url}}]
    chunks = ask(item, provider, request(messages=[{"role": "user", "content": parts}]), "images")
    assert chunks is None or text(chunks)


@each
def test_embeddings_are_one_vector_per_text_in_order(item: str, provider: Provider) -> None:
    assert (provider.embed is None) == ("embeddings" in wire(item).GAPS)
    if provider.embed is None:
        return
    embed = provider.embed

    async def both() -> tuple[tuple[list[float], ...], tuple[list[float], ...]]:
        one = await embed(embed_request("a", "bbb", "cc"))
        return one.vectors, (await embed(embed_request("bbb"))).vectors

    vectors, alone = asyncio.run(both())
    assert len(vectors) == 3
    assert len({len(vector) for vector in vectors}) == 1
    assert vectors[1] == alone[0]
    assert vectors[0] != vectors[1]


@each
def test_closing_early_is_clean(item: str, provider: Provider) -> None:
    async def first() -> str:
        chunks = provider.chat(request(max_tokens=room(item)))
        assert isinstance(chunks, AsyncGenerator)
        said = ""
        while not said:
            said = (await anext(chunks)).text
        await chunks.aclose()
        return said

    assert asyncio.run(first())


@each
def test_a_provider_serves_several_loops(item: str, provider: Provider) -> None:
    for _ in range(2):
        assert asyncio.run(collect(provider, request(max_tokens=4)))


@each
def test_it_says_what_it_is(item: str, provider: Provider) -> None:
    assert provider.name == item
    assert provider.model
    assert provider.label


@each
def test_it_needs_no_upstream_to_be_opened_and_tells_what_is_missing(item: str, provider: Provider) -> None:
    if item in INSIDE:
        return
    from .conftest import opened

    with pytest.raises(errors.SettingsError):
        opened(item, {})
    given = wire(item).settings("http://127.0.0.1:9")
    with pytest.raises(errors.SettingsError, match="model"):
        opened(item, given | {"modle": "x"})
    for name, value in (("timeout", "soon"), ("timeout", "-1"), ("model", "a\nb"), ("ca_file", "/no/such/file")):
        with pytest.raises(errors.SettingsError, match=name):
            opened(item, given | {name: value})
