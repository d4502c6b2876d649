"""The data plane over real sockets, driven as a client of OpenAI's API would."""

import json
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from careplane.errors import LedgerBroken, StoreError
from careplane.gateway import list_keys, revoke_key
from careplane.gateway.plane import problem
from careplane.providers import ChatRequest, openai_compatible, scripted
from careplane.records.app import DataPolicy

from .conftest import NOW, Site, echoing, eventually

Start = Callable[..., Site]
CANARY = "Zebulon Quackenbush"
BODY: dict[str, Any] = {
    "model": "default",
    "messages": [{"role": "user", "content": f"My name is {CANARY}, call 312-555-0188."}],
}


def said(request: ChatRequest) -> Iterator[str]:
    """The last message, in pieces of three characters."""
    text = request.messages[-1].content
    return (text[i : i + 3] for i in range(0, len(text), 3))


def post(site: Site, body: object, key: str | None = None, content: bytes | None = None) -> httpx.Response:
    headers = {"Authorization": f"Bearer {key or site.key}"}
    data = content if content is not None else json.dumps(body).encode()
    return httpx.post(f"{site.url}/v1/chat/completions", content=data, headers=headers, timeout=20)


def streamed(site: Site, body: dict[str, Any]) -> tuple[str, list[dict[str, Any]]]:
    response = post(site, body | {"stream": True})
    assert response.headers["content-type"].startswith("text/event-stream")
    lines = [line[6:] for line in response.text.splitlines() if line.startswith("data: ")]
    assert lines[-1] == "[DONE]"
    parts = [json.loads(line) for line in lines[:-1]]
    return "".join(c["delta"].get("content", "") for part in parts for c in part["choices"]), parts


def test_identifiers_stay_inside_and_come_back(serve: Start) -> None:
    seen: list[str] = []

    def remember(request: ChatRequest) -> Iterator[str]:
        seen.extend(message.content for message in request.messages)
        return said(request)

    site = serve({"default": echoing(remember)})
    whole = post(site, BODY).json()
    text, _ = streamed(site, BODY)
    assert whole["choices"][0]["message"]["content"] == BODY["messages"][0]["content"] == text
    assert (whole["usage"]["prompt_tokens"], whole["usage"]["completion_tokens"]) == (11, 7)
    assert len(seen) == 2
    assert not any(word in part for part in seen for word in ("Zebulon", "Quackenbush", "0188"))


def test_a_context_bundle_names_what_to_look_for(serve: Start) -> None:
    seen: list[str] = []

    def remember(request: ChatRequest) -> Iterator[str]:
        seen.append(request.messages[-1].content)
        return said(request)

    site = serve({"default": echoing(remember)})
    person = {"resourceType": "Patient", "name": [{"family": "Quackenbush", "given": ["Zebulon"]}]}
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": person}]}
    body = {"model": "default", "messages": [{"role": "user", "content": "saw quackenbush today"}]}
    reply = post(site, body | {"careplane": {"context": bundle}}).json()
    assert "quackenbush" not in seen[0]
    assert reply["choices"][0]["message"]["content"] == "saw quackenbush today"


def test_the_ledger_has_every_call_and_no_text(serve: Start) -> None:
    site = serve({"default": echoing(said)})
    post(site, BODY)
    streamed(site, BODY)
    records = list(site.ledger.records())
    assert [record.kind for record in records] == ["model_call", "model_stream_started", "model_call"]
    assert records[0].facts["surrogates"] == 2
    assert records[0].facts["cost_usd"] == pytest.approx((11 * 1 + 7 * 2) / 1e6)
    written = " ".join(str(record.facts) for record in records)
    assert "Quackenbush" not in written
    assert "555-0188" not in written


def test_usage_comes_on_a_stream_when_asked(serve: Start) -> None:
    site = serve({"default": echoing(said)})
    _, parts = streamed(site, BODY | {"stream_options": {"include_usage": True}})
    assert parts[-1]["choices"] == []
    assert parts[-1]["usage"]["total_tokens"] == 18


def test_a_chain_of_two_gateways(serve: Start) -> None:
    inner = serve({"default": scripted.open({"fault_percent": "0"})}, DataPolicy(phi="identifiable"))
    settings = {"base_url": f"{inner.url}/v1", "model": "default", "api_key": inner.key}
    for stream in ("true", "false"):
        outer = serve({"default": openai_compatible.open(settings | {"stream": stream})})
        reply = post(outer, BODY).json()
        assert CANARY in reply["choices"][0]["message"]["content"]
        assert reply["usage"]["completion_tokens"] > 0
    records = list(inner.ledger.records(kind="model_call"))
    assert len(records) == 2
    assert records[0].facts["surrogates"] == 0


@pytest.mark.parametrize(
    ("content", "status", "param"),
    [
        (b"{", 400, None),
        (b"[]", 400, None),
        (b'{"model": "default"}', 400, "messages"),
        (b'{"model": "default", "messages": []}', 400, "messages"),
        (b'{"model": 3, "messages": [{"role": "user", "content": "x"}]}', 400, "model"),
        (b'{"model": "default", "messages": [{"role": "robot", "content": "x"}]}', 400, "messages[0].role"),
        (b'{"model": "default", "messages": [{"role": "user", "content": 5}]}', 400, "messages[0].content"),
        (b'{"model": "default", "messages": [{"role": "user", "content": "x"}], "max_tokens": 0}', 400, "max_tokens"),
        (b'{"model": "default", "messages": [{"role": "user", "content": "x"}], "tools": [1]}', 400, "tools[0]"),
        (b'{"model": "default", "messages": [{"role": "user", "content": "\\ud800"}]}', 400, None),
        (b'{"model": "other", "messages": [{"role": "user", "content": "x"}]}', 404, None),
        (b'{"model": "second", "messages": [{"role": "user", "content": "x"}]}', 403, None),
    ],
)
def test_bad_requests_name_what_is_wrong(serve: Start, content: bytes, status: int, param: str | None) -> None:
    provider = echoing(said)
    site = serve({"default": provider, "second": provider})
    response = post(site, None, content=content)
    error = response.json()["error"]
    assert (response.status_code, error["param"]) == (status, param)
    assert error["message"]
    (record,) = site.ledger.records()
    assert record.kind == "request_refused"
    assert record.facts["status"] == status


@pytest.mark.slow
def test_a_body_that_is_too_large_is_refused(serve: Start) -> None:
    site = serve({"default": echoing(said)})
    response = post(site, None, content=b'"' + b"x" * (17 * 1024 * 1024) + b'"')
    assert response.status_code == 413
    assert response.json()["error"]["code"] == "request_too_large"
    assert "16 MiB" in response.json()["error"]["message"]
    (record,) = site.ledger.records()
    assert (record.kind, record.app, record.facts["status"]) == ("request_refused", "an_app", 413)


def test_what_fails_inside_names_no_file_and_no_host_of_ours(serve: Start) -> None:
    site = serve({"default": echoing(said)})
    assert post(site, BODY).status_code == 200
    shutil.rmtree(folder := site.ledger.folder)
    response = post(site, BODY)
    assert (response.status_code, response.json()["error"]["code"]) == (503, "ledger_error")
    assert str(folder.parent) not in response.text
    store = problem(StoreError("The database postgresql://db.inside.example/x did not answer."))
    assert (store.status, store.code) == (503, "store_error")
    assert "inside" not in store.message
    assert problem(LedgerBroken("000001.jsonl:7: the tail was cut")).code == "ledger_error"


def test_fields_that_change_nothing_are_taken(serve: Start) -> None:
    site = serve({"default": echoing(said)})
    given = {"user": "u", "seed": 3, "n": None, "stream": None, "response_format": {"type": "text"}, "tools": []}
    assert post(site, BODY | given).status_code == 200


def test_elsewhere_the_error_has_the_shape_of_the_api(serve: Start) -> None:
    site = serve({"default": echoing(said)})
    for response in (httpx.get(f"{site.url}/v1/chat/completions"), httpx.post(f"{site.url}/v1/batches", json={})):
        assert response.status_code == 404
        assert "POST /v1/chat/completions" in response.json()["error"]["message"]


def test_keys(serve: Start) -> None:
    site = serve({"default": echoing(said)})
    assert post(site, BODY, key="cp-wrong").status_code == 401
    assert httpx.get(f"{site.url}/v1/models").status_code == 401
    models = httpx.get(f"{site.url}/v1/models", headers={"Authorization": f"Bearer {site.key}"})
    assert [model["id"] for model in models.json()["data"]] == ["default"]
    (key,) = list_keys(site.store)
    assert site.key not in repr(key)
    revoke_key(site.store, key.id, NOW)
    eventually(lambda: post(site, BODY).status_code == 401)


def test_a_policy_that_lets_nothing_out_refuses(serve: Start) -> None:
    site = serve({"default": echoing(said)}, DataPolicy(phi="none"))
    for stream in (False, True):
        response = post(site, BODY | {"stream": stream})
        assert response.status_code == 403
        assert "Quackenbush" not in response.text
    allowed = post(site, {"model": "default", "messages": [{"role": "user", "content": "What is a beta blocker?"}]})
    assert allowed.status_code == 200


def test_a_dead_provider_is_an_error_on_record(serve: Start) -> None:
    dead = openai_compatible.open({"base_url": "http://127.0.0.1:9/v1", "model": "m", "timeout": "2"})
    site = serve({"default": dead})
    for stream in (False, True):
        response = post(site, BODY | {"stream": stream})
        assert response.status_code == 502
        assert response.headers["retry-after"]
        assert "Quackenbush" not in response.text
    assert len(list(site.ledger.records(kind="model_error"))) == 2
