"""The official Python client of Anthropic against a served gateway."""

from collections.abc import Callable, Iterator
from typing import Any

import anthropic
import pytest
from anthropic import Anthropic

from .conftest import Site
from .obliging import CHART, LONG, NAME, PNG, SCHEMA, TEXT, Obliging, allowed, sent, tool

Start = Callable[..., Site]
TOOL: Any = tool(input_schema=SCHEMA)
IMAGE: Any = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}


@pytest.fixture(scope="module")
def connected(obliging_site: tuple[Site, Obliging]) -> Iterator[Anthropic]:
    site, _ = obliging_site
    with Anthropic(base_url=site.url, api_key=site.key, max_retries=0, timeout=20) as client:
        yield client


@pytest.fixture
def client(connected: Anthropic, model: Obliging) -> Anthropic:
    """A client of an app whose texts leave without identifiers; its model has seen nothing yet."""
    return connected


def user(text: str = TEXT) -> Any:
    return [{"role": "user", "content": text}]


def test_messages_whole(client: Anthropic, model: Obliging) -> None:
    got = client.messages.create(
        model="default", max_tokens=99, system="Repeat.", messages=user(), metadata={"user_id": "jane"}
    )
    assert [block.text for block in got.content if block.type == "text"] == [TEXT]
    assert got.stop_reason == "end_turn"
    assert (got.usage.input_tokens, got.usage.cache_read_input_tokens, got.usage.output_tokens) == (7, 4, 7)
    assert not any(word in sent(model.seen) for word in ("Zebulon", "Quackenbush", "555-0188", "jane"))


def test_messages_of_the_beta_client(client: Anthropic, model: Obliging) -> None:
    edits: Any = {"edits": [{"type": "clear_tool_uses_20250919"}]}
    got = client.beta.messages.create(
        model="default",
        max_tokens=99,
        messages=user("x"),
        betas=["context-management-2025-06-27"],
        context_management=edits,
    )
    assert [block.text for block in got.content if block.type == "text"] == ["x"]
    assert "edits" not in sent(model.seen)


def test_messages_streamed(client: Anthropic) -> None:
    with client.messages.stream(model="default", max_tokens=99, messages=user(f"think first. {TEXT}")) as stream:
        pieces = list(stream.text_stream)
        got = stream.get_final_message()
    assert len(pieces) > 2
    assert "".join(pieces) == f"think first. {TEXT}"
    assert [block.type for block in got.content] == ["thinking", "text"]
    assert (got.stop_reason, got.usage.output_tokens) == ("end_turn", 7)


@pytest.mark.parametrize("streamed", [False, True])
def test_a_tool_is_used_and_its_result_read(client: Anthropic, model: Obliging, streamed: bool) -> None:
    known: Any = {"careplane": CHART}
    if streamed:
        with client.messages.stream(
            model="default", max_tokens=99, messages=user(), tools=[TOOL], extra_body=known
        ) as stream:
            asked: Any = stream.get_final_message()
    else:
        asked = client.messages.create(model="default", max_tokens=99, messages=user(), tools=[TOOL], extra_body=known)
    assert asked.stop_reason == "tool_use"
    use = asked.content[-1]
    assert (use.type, use.name, use.input) == ("tool_use", "weather", {"city": TEXT, "degrees": 1})
    result = {"type": "tool_result", "tool_use_id": use.id, "content": f"Sunny for {NAME}"}
    messages: Any = [
        *user(),
        {"role": "assistant", "content": asked.content},
        {"role": "user", "content": [result]},
    ]
    told = client.messages.create(model="default", max_tokens=99, messages=messages, tools=[TOOL], extra_body=known)
    assert f"Sunny for {NAME}" in "".join(block.text for block in told.content if block.type == "text")
    assert not any(word in sent(model.seen) for word in ("Zebulon", "Quackenbush", "555-0188"))


@pytest.mark.parametrize("serve", ["raw"], indirect=True)
def test_images(client: Anthropic, serve: Start, model: Obliging) -> None:
    content: Any = [{"type": "text", "text": "What is it?"}, IMAGE]
    messages: Any = [{"role": "user", "content": content}]
    with pytest.raises((anthropic.PermissionDeniedError, anthropic.BadRequestError)):
        client.messages.create(model="default", max_tokens=9, messages=messages)
    assert model.seen == []
    site = serve({"default": model.provider}, entitlement=allowed("identifiable"))
    with Anthropic(base_url=site.url, api_key=site.key, max_retries=0) as other:
        got = other.messages.create(model="default", max_tokens=9, messages=messages)
    assert [block.text for block in got.content if block.type == "text"] == ["What is it? I see 1: image_url."]


def test_models(client: Anthropic) -> None:
    assert [one.id for one in client.models.list()] == ["default"]
    assert client.models.retrieve("default").display_name == "default"


def test_errors_are_those_that_the_client_knows(client: Anthropic) -> None:
    with pytest.raises(anthropic.AuthenticationError):
        client.with_options(api_key="cp-wrong").messages.create(model="default", max_tokens=9, messages=user())
    with pytest.raises(anthropic.NotFoundError, match="default"):
        client.messages.create(model="claude-none", max_tokens=9, messages=user())
    with pytest.raises(anthropic.BadRequestError, match="temperature"):
        client.messages.create(model="default", max_tokens=9, messages=user(), extra_body={"temperature": 7})
    with pytest.raises(anthropic.APIStatusError) as caught:
        client.messages.create(model="default", max_tokens=9, messages=user("be busy"))
    assert caught.value.status_code == 503
    assert int(caught.value.response.headers["retry-after"]) >= 1


def test_an_upstream_that_breaks_off_is_an_error_within_the_stream(client: Anthropic) -> None:
    stream = client.messages.stream(model="default", max_tokens=99, messages=user(f"break off{LONG}"))
    with pytest.raises(anthropic.APIError, match="cut the stream"), stream as events:
        list(events)


def test_a_client_that_leaves_cancels_the_upstream(client: Anthropic, model: Obliging) -> None:
    with client.messages.stream(model="default", max_tokens=99, messages=user(f"wait for ever{LONG}")) as stream:
        next(iter(stream.text_stream))
    assert model.gone.wait(10)
