"""Any client reaches any provider: two gateways in a chain, each API between them, each API in front.

What the inner one's model gets and gives went through both sides of a dialect over real sockets.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, nullcontext
from typing import Any

import pytest
from anthropic import Anthropic
from openai import OpenAI

from careplane.providers import Provider, anthropic, openai_compatible

from .conftest import Site, site
from .obliging import CHART, NAME, PNG, SCHEMA, TEXT, Obliging, allowed, sent, tool

OPEN: dict[str, Callable[[Site], Provider]] = {
    "openai": lambda inner: openai_compatible.open(
        {"base_url": f"{inner.url}/v1", "model": "default", "api_key": inner.key}
    ),
    "anthropic": lambda inner: anthropic.open({"base_url": inner.url, "model": "default", "api_key": inner.key}),
}


@pytest.fixture(scope="module", params=OPEN)
def chain(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, ...]]:
    """Clients of an outer gateway whose provider is an inner gateway; and the model behind that."""
    model = Obliging()
    folder = tmp_path_factory.mktemp("chain")

    def served(name: str, provider: Provider, phi: str) -> Site:
        return stack.enter_context(
            site(folder / name, lambda _: nullcontext(""), {"default": provider}, entitlement=allowed(phi))
        )

    with ExitStack() as stack:
        inner = served("inner", model.provider, "identifiable")
        outer = served("outer", OPEN[request.param](inner), "deidentified")
        openly = served("openly", OPEN[request.param](inner), "identifiable")
        chat = stack.enter_context(OpenAI(base_url=f"{outer.url}/v1", api_key=outer.key, max_retries=0))
        messages = stack.enter_context(Anthropic(base_url=outer.url, api_key=outer.key, max_retries=0))
        pictures = stack.enter_context(Anthropic(base_url=openly.url, api_key=openly.key, max_retries=0))
        yield chat, messages, pictures, model


def user(text: str = TEXT) -> Any:
    return [{"role": "user", "content": text}]


@pytest.mark.parametrize("stream", [False, True])
def test_text_and_counts(chain: tuple[Any, ...], stream: bool) -> None:
    chat, messages, _, model = chain
    model.forget()
    if stream:
        with chat.chat.completions.stream(
            model="default", messages=user(), stream_options={"include_usage": True}
        ) as events:
            got = events.get_final_completion()
        with messages.messages.stream(model="default", max_tokens=99, messages=user()) as events:
            said = events.get_final_message()
    else:
        got = chat.chat.completions.create(model="default", messages=user())
        said = messages.messages.create(model="default", max_tokens=99, messages=user())
    assert got.choices[0].message.content == said.content[0].text == TEXT
    assert (got.choices[0].finish_reason, said.stop_reason) == ("stop", "end_turn")
    assert (got.usage.prompt_tokens, got.usage.completion_tokens) == (11, 7)
    assert got.usage.prompt_tokens_details.cached_tokens == said.usage.cache_read_input_tokens == 4
    assert len(model.seen) == 2
    assert not any(word in sent(model.seen) for word in ("Zebulon", "Quackenbush", "555-0188"))


@pytest.mark.parametrize("stream", [False, True])
def test_a_tool_there_and_back(chain: tuple[Any, ...], stream: bool) -> None:
    chat, _, _, model = chain
    model.forget()
    asked: Any = {
        "model": "default",
        "tools": [{"type": "function", "function": tool(parameters=SCHEMA)}],
        "extra_body": {"careplane": CHART},
    }
    if stream:
        with chat.chat.completions.stream(messages=user(), **asked) as events:
            said = events.get_final_completion().choices[0].message
    else:
        said = chat.chat.completions.create(messages=user(), **asked).choices[0].message
    (call,) = said.tool_calls
    assert (call.id, call.function.name) == ("call_1", "weather")
    assert json.loads(call.function.arguments) == {"city": TEXT, "degrees": 1}
    result = {"role": "tool", "tool_call_id": call.id, "content": f"Sunny for {NAME}"}
    told = chat.chat.completions.create(messages=[*user(), said, result], **asked)
    assert f"Sunny for {NAME}" in told.choices[0].message.content
    assert not any(word in sent(model.seen) for word in ("Zebulon", "Quackenbush", "555-0188"))


def test_a_schema_and_a_limit(chain: tuple[Any, ...]) -> None:
    chat, messages, _, model = chain
    wanted = {"type": "json_schema", "json_schema": {"name": "weather", "schema": SCHEMA, "strict": True}}
    got = chat.chat.completions.create(model="default", messages=user(), response_format=wanted)
    assert json.loads(got.choices[0].message.content) == {"city": TEXT, "degrees": 21}
    wanted = {"format": {"type": "json_schema", "schema": SCHEMA}}
    said = messages.messages.create(model="default", max_tokens=99, messages=user(), output_config=wanted)
    assert json.loads(said.content[0].text) == {"city": TEXT, "degrees": 21}
    cut = messages.messages.create(model="default", max_tokens=1, messages=user("x"))
    assert cut.stop_reason == "max_tokens"
    assert model.seen[-1].body["max_tokens"] == 1


def test_thinking_and_pictures(chain: tuple[Any, ...]) -> None:
    _, messages, pictures, model = chain
    said = messages.messages.create(model="default", max_tokens=99, messages=user("think first"))
    assert [block.type for block in said.content] == ["thinking", "text"]
    assert said.content[0].thinking == "Hm, well."
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
    content = [{"type": "text", "text": "What is it?"}, image]
    got = pictures.messages.create(model="default", max_tokens=99, messages=[{"role": "user", "content": content}])
    assert got.content[0].text == "What is it? I see 1: image_url."
    assert model.seen[-1].body["messages"][0]["content"][1]["image_url"]["url"] == f"data:image/png;base64,{PNG}"
