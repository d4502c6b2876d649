"""The whole road: a client of OpenAI's API, the gateway with its shield, each provider, its endpoint's own format."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, nullcontext
from typing import Any

import httpx
import openai
import pytest
from msgspec import structs

from careplane.providers import Chunk, ToolDelta
from careplane.records.app import Route as AppRoute

from ..gateway.conftest import Site, site  # noqa: TID252 - tests are no package that could be named
from ..gateway.obliging import CHART, NAME, TEXT, allowed  # noqa: TID252
from .conftest import opened
from .shelf import REMOTE, tool, wire
from .upstream import Asked, Endpoint

FAMILY = NAME.split()[1]
streamed = pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, dict[str, Endpoint]]]:
    """One gateway with a route to each remote item, and the endpoints behind them."""
    with ExitStack() as stack:
        endpoints = {name: stack.enter_context(Endpoint(wire(name))) for name in REMOTE}
        providers = {name: opened(name, wire(name).settings(endpoints[name].url)) for name in REMOTE}
        first, *others = REMOTE
        app = structs.replace(allowed(), route=AppRoute(model=first, also=tuple(others), max_tokens=300))
        folder = tmp_path_factory.mktemp("road")
        yield stack.enter_context(site(folder, lambda _: nullcontext(""), providers, entitlement=app)), endpoints


@pytest.fixture(params=REMOTE)
def road(request: pytest.FixtureRequest, everything: tuple[Site, dict[str, Endpoint]]) -> tuple[Site, str, Endpoint]:
    """The gateway, the route to one item, and its endpoint, which has seen nothing yet."""
    running, endpoints = everything
    endpoint = endpoints[request.param]
    endpoint.raw.clear()
    endpoint.failure = None
    return running, request.param, endpoint


def echo(asked: Asked) -> list[Chunk]:
    """What the model read comes back as text and, where it has a tool, as the tool's argument."""
    said = asked["turns"][-1][1]
    chunks = [Chunk(text=said[at : at + 5]) for at in range(0, len(said), 5)]
    if asked["tools"]:
        arguments = json.dumps({"drug": said})
        chunks.append(Chunk(tool_calls=(ToolDelta(index=0, id="call_1", name=asked["tools"][0][0]),)))
        chunks += [
            Chunk(tool_calls=(ToolDelta(index=0, arguments=arguments[at : at + 6]),))
            for at in range(0, len(arguments), 6)
        ]
    reason = "tool_calls" if asked["tools"] else "stop"
    return [*chunks, Chunk(finish_reason=reason), Chunk(input_tokens=11, output_tokens=7, cached_tokens=4)]


@streamed
def test_identifiers_stay_inside_and_come_back(road: tuple[Site, str, Endpoint], stream: bool) -> None:
    running, name, endpoint = road
    endpoint.answer = echo
    client = openai.OpenAI(base_url=f"{running.url}/v1", api_key=running.key, max_retries=0)
    asked: dict[str, Any] = {
        "model": name,
        "messages": [{"role": "user", "content": TEXT}],
        "tools": [tool("lookup")],
        "extra_body": {"careplane": CHART},
    }
    with client:
        if stream:
            with client.chat.completions.stream(**asked, stream_options={"include_usage": True}) as events:
                reply = events.get_final_completion()
        else:
            reply = client.chat.completions.create(**asked)
    message = reply.choices[0].message
    assert message.content == TEXT
    assert [json.loads(call.function.arguments) for call in message.tool_calls or ()] == [{"drug": TEXT}]
    assert reply.choices[0].finish_reason == "tool_calls"
    assert reply.usage is not None
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (11, 7)
    (_, headers, sent) = endpoint.raw[0]
    for word in (*NAME.split(), "0188"):
        assert word.encode() not in sent
        assert word not in str(headers)
    *_, record = running.ledger.records(kind="model_call")
    assert record.facts["provider"] == name


def test_embeddings_hold_no_identifier_either(road: tuple[Site, str, Endpoint]) -> None:
    running, name, endpoint = road
    body = {"model": name, "input": [TEXT, "plain"], "careplane": CHART}
    reply = httpx.post(f"{running.url}/v1/embeddings", json=body, headers={"Authorization": f"Bearer {running.key}"})
    if "embeddings" in wire(name).GAPS:
        assert reply.status_code == 403
        assert endpoint.raw == []
        return
    assert reply.status_code == 200, reply.text
    assert len(reply.json()["data"]) == 2
    assert FAMILY.encode() not in endpoint.raw[-1][2]


@pytest.mark.parametrize(
    ("status", "headers", "expected"),
    [(400, {}, 400), (401, {}, 502), (429, {"retry-after": "99"}, 503), (500, {}, 502), (504, {}, 504)],
)
def test_a_failing_endpoint_is_an_error_that_clients_understand(
    road: tuple[Site, str, Endpoint], status: int, headers: dict[str, str], expected: int
) -> None:
    running, name, endpoint = road
    endpoint.failure = (status, f"upstream-words {NAME}", headers)
    body = {"model": name, "messages": [{"role": "user", "content": TEXT}], "careplane": CHART}
    reply = httpx.post(
        f"{running.url}/v1/chat/completions",
        json=body,
        headers={"Authorization": f"Bearer {running.key}"},
        timeout=30,
    )
    assert reply.status_code == expected
    assert FAMILY not in reply.text
    assert "upstream-words" not in reply.text
    assert list(running.ledger.records(kind="model_error"))
    if expected == 503:
        assert 90 < float(reply.headers["retry-after"]) <= 99
