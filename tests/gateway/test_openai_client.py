"""The official Python client of OpenAI against a served gateway: what its users do works, and fails as they know it."""

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import OpenAI
from pydantic import BaseModel

from careplane.gateway import Parts
from careplane.gateway.leases import Keeper
from careplane.gateway.limits import Limits, Quota
from careplane.store import open_store

from .conftest import Site
from .obliging import CHART, LONG, NAME, PNG, SCHEMA, TEXT, Obliging, allowed, sent, tool

Start = Callable[..., Site]
raw = pytest.mark.parametrize("serve", ["raw"], indirect=True)
FUNCTION = {"type": "function", "function": tool(parameters=SCHEMA, strict=True)}
IMAGE = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}


class Weather(BaseModel):
    """What the tests ask the model for."""

    city: str
    degrees: int


@pytest.fixture(scope="module")
def connected(obliging_site: tuple[Site, Obliging]) -> Iterator[OpenAI]:
    site, _ = obliging_site
    with OpenAI(base_url=f"{site.url}/v1", api_key=site.key, max_retries=0, timeout=20) as client:
        yield client


@pytest.fixture
def client(connected: OpenAI, model: Obliging) -> OpenAI:
    """A client of an app whose texts leave without identifiers; its model has seen nothing yet."""
    return connected


def user(text: str = TEXT) -> Any:
    return [{"role": "user", "content": text}]


def test_chat_whole(client: OpenAI, model: Obliging) -> None:
    got = client.chat.completions.create(model="default", messages=user(), user="jane", metadata={"mrn": "1"})
    assert got.choices[0].message.content == TEXT
    assert got.choices[0].finish_reason == "stop"
    assert got._request_id == got.id
    assert got.usage is not None
    assert (got.usage.prompt_tokens, got.usage.completion_tokens) == (11, 7)
    assert got.usage.prompt_tokens_details is not None
    assert got.usage.prompt_tokens_details.cached_tokens == 4
    assert not any(word in sent(model.seen) for word in ("Zebulon", "Quackenbush", "555-0188", "jane", "mrn"))


def test_chat_streamed(client: OpenAI) -> None:
    options: Any = {"include_usage": True}
    chunks = list(client.chat.completions.create(model="default", messages=user(), stream=True, stream_options=options))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == TEXT
    assert len([chunk for chunk in chunks if chunk.choices and chunk.choices[0].delta.content]) > 2
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.total_tokens == 18
    assert all(chunk.usage is None for chunk in chunks[:-1])


def test_chat_through_the_clients_own_accumulator(client: OpenAI) -> None:
    with client.chat.completions.stream(model="default", messages=user()) as stream:
        kinds = {event.type for event in stream}
        got = stream.get_final_completion()
    assert {"chunk", "content.delta", "content.done"} <= kinds
    assert got.choices[0].message.content == TEXT


def test_a_tool_is_called_and_answered(client: OpenAI, model: Obliging) -> None:
    tools: Any = [FUNCTION]
    known = {"careplane": CHART}
    asked = client.chat.completions.create(model="default", messages=user(), tools=tools, extra_body=known)
    assert asked.choices[0].finish_reason == "tool_calls"
    said = asked.choices[0].message
    assert said.tool_calls is not None
    call = said.tool_calls[0]
    assert call.type == "function"
    assert json.loads(call.function.arguments) == {"city": TEXT, "degrees": 1}
    result = {"role": "tool", "tool_call_id": call.id, "content": f"Sunny for {NAME}"}
    messages: Any = [*user(), said, result]
    told = client.chat.completions.create(model="default", messages=messages, tools=tools, extra_body=known)
    assert f"Sunny for {NAME}" in (told.choices[0].message.content or "")
    assert not any(word in sent(model.seen) for word in ("Zebulon", "Quackenbush", "555-0188"))


def test_a_tool_is_called_in_a_stream(client: OpenAI) -> None:
    tools: Any = [FUNCTION]
    with client.chat.completions.stream(model="default", messages=user(), tools=tools) as stream:
        list(stream)
        got = stream.get_final_completion()
    calls = got.choices[0].message.tool_calls or []
    assert [(call.id, call.function.name) for call in calls] == [("call_1", "weather")]
    assert json.loads(calls[0].function.arguments) == {"city": TEXT, "degrees": 1}


def test_structured_output_is_parsed(client: OpenAI) -> None:
    got = client.chat.completions.parse(model="default", messages=user(), response_format=Weather)
    assert got.choices[0].message.parsed == Weather(city=TEXT, degrees=21)


def test_reasoning_arrives_and_may_be_sent_back(client: OpenAI) -> None:
    got = client.chat.completions.create(model="default", messages=user("think first"))
    said = got.choices[0].message
    assert said.to_dict()["reasoning_content"] == "Hm, well."
    messages: Any = [*user("think first"), said, *user("again")]
    assert client.chat.completions.create(model="default", messages=messages).choices[0].message.content == "again"


def test_a_limit_on_the_reply_shows(client: OpenAI) -> None:
    got = client.chat.completions.create(model="default", messages=user("x"), max_completion_tokens=1)
    assert got.choices[0].finish_reason == "length"


@raw
def test_images_pass_where_the_app_may_send_them(serve: Start, model: Obliging) -> None:
    site = serve({"default": model.provider}, entitlement=allowed("identifiable"))
    with OpenAI(base_url=f"{site.url}/v1", api_key=site.key, max_retries=0) as client:
        content: Any = [{"type": "text", "text": "What is it?"}, IMAGE]
        got = client.chat.completions.create(model="default", messages=[{"role": "user", "content": content}])
        assert got.choices[0].message.content == "What is it? I see 1: image_url."
    assert model.seen[0].body["messages"][0]["content"][1] == IMAGE


def test_images_stay_where_only_text_without_identifiers_may_leave(client: OpenAI, model: Obliging) -> None:
    content: Any = [{"type": "text", "text": "What is it?"}, IMAGE]
    with pytest.raises((openai.PermissionDeniedError, openai.BadRequestError)):
        client.chat.completions.create(model="default", messages=[{"role": "user", "content": content}])
    assert model.seen == []


@pytest.mark.parametrize("encoding", ["float", "base64", None])
def test_embeddings(client: OpenAI, encoding: Any) -> None:
    more = {} if encoding is None else {"encoding_format": encoding}
    got = client.embeddings.create(model="default", input=["no pain", "mild pain"], **more)
    vectors: list[Any] = [row.embedding for row in got.data]
    if encoding == "base64":
        vectors = [list(memoryview(base64.b64decode(vector)).cast("f")) for vector in vectors]
    assert vectors == [[7.0, -0.5], [9.0, -0.5]]
    assert got.usage.prompt_tokens == 3


def test_models(client: OpenAI) -> None:
    assert [one.id for one in client.models.list()] == ["default"]
    assert client.models.retrieve("default").id == "default"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("none/at all")


def test_responses_whole(client: OpenAI, model: Obliging) -> None:
    got = client.responses.create(model="default", instructions="Repeat.", input=TEXT)
    assert (got.status, got.output_text) == ("completed", TEXT)
    assert got.usage is not None
    assert got.usage.total_tokens == 18
    assert not any(word in sent(model.seen) for word in ("Zebulon", "Quackenbush", "555-0188"))


def test_responses_streamed(client: OpenAI) -> None:
    with client.responses.stream(model="default", input=f"think first. {TEXT}") as stream:
        pieces = [event.delta for event in stream if event.type == "response.output_text.delta"]
        got = stream.get_final_response()
    assert "".join(pieces) == got.output_text == f"think first. {TEXT}"
    assert [item.type for item in got.output] == ["reasoning", "message"]


def test_responses_tools_both_ways(client: OpenAI) -> None:
    tools: Any = [{"type": "function", **tool(parameters=SCHEMA, strict=True)}]
    asked: Any = user()
    got = client.responses.create(model="default", input=asked, tools=tools)
    call = got.output[-1]
    assert call.type == "function_call"
    assert json.loads(call.arguments) == {"city": TEXT, "degrees": 1}
    items: Any = [
        *asked,
        *got.output,
        {"type": "function_call_output", "call_id": call.call_id, "output": f"Sunny for {NAME}"},
    ]
    told = client.responses.create(model="default", input=items, tools=tools)
    assert f"Sunny for {NAME}" in told.output_text
    with client.responses.stream(model="default", input=asked, tools=tools) as stream:
        list(stream)
        last = stream.get_final_response().output[-1]
    assert last.type == "function_call"
    assert json.loads(last.arguments) == {"city": TEXT, "degrees": 1}


def test_responses_parse_and_say_when_they_are_cut(client: OpenAI) -> None:
    got = client.responses.parse(model="default", input=TEXT, text_format=Weather)
    assert got.output_parsed == Weather(city=TEXT, degrees=21)
    cut = client.responses.create(model="default", input="x", max_output_tokens=1)
    assert (cut.status, cut.incomplete_details and cut.incomplete_details.reason) == ("incomplete", "max_output_tokens")


def test_a_wrong_key(client: OpenAI) -> None:
    with pytest.raises(openai.AuthenticationError) as caught:
        client.with_options(api_key="cp-wrong").chat.completions.create(model="default", messages=user())
    assert caught.value.code == "invalid_api_key"


def test_an_unknown_model(client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="default"):
        client.chat.completions.create(model="gpt-none", messages=user())
    with pytest.raises(openai.NotFoundError):
        client.responses.create(model="gpt-none", input="x")


def test_a_wrong_parameter_is_named(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model="default", messages=user(), n=2)
    assert caught.value.param == "n"
    with pytest.raises(openai.BadRequestError) as caught:
        client.responses.create(model="default", input="x", previous_response_id="resp_1")
    assert caught.value.param == "previous_response_id"
    with pytest.raises(openai.BadRequestError) as caught:
        client.embeddings.create(model="default", input=[1, 2, 3])
    assert caught.value.param == "input[0]"


def test_what_cannot_be_kept_to_is_refused_before_a_model_is_paid(client: OpenAI, model: Obliging) -> None:
    wrong: Any = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "nothing"}}}
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model="default", messages=user(), response_format=wrong)
    assert caught.value.param == "response_format.json_schema.schema"
    chart = {"context": {"resourceType": "Bundle", "entry": [{"resource": {"resourceType": "Patient", "name": "Zeb"}}]}}
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model="default", messages=user(), extra_body={"careplane": chart})
    assert caught.value.param == "careplane.context"
    assert model.seen == []


def test_too_large_a_body(client: OpenAI, model: Obliging) -> None:
    with pytest.raises(openai.APIStatusError) as caught:
        client.chat.completions.create(model="default", messages=user("x" * (17 * 1024 * 1024)))
    assert caught.value.status_code == 413
    assert model.seen == []


def test_a_large_body_is_read_too(client: OpenAI, model: Obliging) -> None:
    text = "word " * 100_000
    assert client.chat.completions.create(model="default", messages=user(text)).choices[0].message.content == text


def test_too_long_for_the_model(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model="default", messages=user("be full"))
    assert caught.value.code == "context_length_exceeded"


@pytest.mark.parametrize("stream", [False, True])
def test_an_upstream_that_is_busy(client: OpenAI, stream: bool) -> None:
    with pytest.raises(openai.InternalServerError) as caught:
        client.chat.completions.create(model="default", messages=user("be busy"), stream=stream)
    assert caught.value.status_code == 503
    assert int(caught.value.response.headers["retry-after"]) >= 1


def test_an_upstream_that_breaks_off_is_an_error_within_the_stream(client: OpenAI) -> None:
    stream = client.chat.completions.create(model="default", messages=user(f"break off{LONG}"), stream=True)
    with pytest.raises(openai.APIError, match="cut the stream"):
        list(stream)
    with client.responses.stream(model="default", input=f"break off{LONG}") as events:
        last: Any = list(events)[-1]
    assert (last.type, last.response.error.type) == ("response.failed", "upstream_error")


@raw
def test_a_rate_limit(serve: Start, model: Obliging, tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'limits.db'}")
    keeper = Keeper(store)
    parts = Parts(limits=Limits(keeper, {"app:an_app": Quota(requests_per_minute=1)}))
    site = serve({"default": model.provider}, parts=parts)
    with OpenAI(base_url=f"{site.url}/v1", api_key=site.key, max_retries=0) as client:
        client.chat.completions.create(model="default", messages=user("x"))
        with pytest.raises(openai.RateLimitError) as caught:
            client.chat.completions.create(model="default", messages=user("x"))
    assert caught.value.code == "rate_limit_exceeded"
    assert int(caught.value.response.headers["retry-after"]) >= 1
    assert len(model.seen) == 1
    keeper.close()
    store.close()


def test_a_client_that_leaves_a_stream_cancels_the_upstream(client: OpenAI, model: Obliging) -> None:
    stream = client.chat.completions.create(model="default", messages=user(f"wait for ever{LONG}"), stream=True)
    next(iter(stream))
    stream.close()
    assert model.gone.wait(10)


def test_a_client_that_gives_up_cancels_the_upstream(client: OpenAI, model: Obliging) -> None:
    impatient = client.with_options(timeout=0.5)
    with pytest.raises(openai.APITimeoutError):
        impatient.chat.completions.create(model="default", messages=user(f"wait for ever{LONG}"))
    assert model.gone.wait(10)
