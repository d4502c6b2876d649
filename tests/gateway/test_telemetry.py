"""What operators see: counts and names of ours, and never a word of a prompt, a reply, a key or an upstream."""

import io
import json
import logging
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import httpx
import pytest

from careplane.errors import UpstreamError
from careplane.gateway import Parts, Telemetry
from careplane.gateway.telemetry import JsonLines, open_tracer
from careplane.providers import ChatRequest, Chunk, Provider

from .conftest import Site, eventually

Start = Callable[..., Site]
CANARIES = ("Quackenbush", "312-555-0188", "canary-77", "cp-")


async def repeat(request: ChatRequest) -> AsyncIterator[Chunk]:
    text = request.messages[-1].content
    if "fail" in text:
        raise UpstreamError("The model endpoint answered HTTP 500.")
    yield Chunk(text=f"canary-77 {text}")
    yield Chunk(finish_reason="stop", input_tokens=11, output_tokens=7)


def calls(site: Site) -> None:
    """Good calls and bad ones, each with a canary in every place that a client can write to."""
    headers = {"Authorization": f"Bearer {site.key}"}
    url = f"{site.url}/v1/chat/completions"
    for text, model in (("Zebulon Quackenbush", "default"), ("fail Quackenbush", "default"), ("x", "Quackenbush")):
        for stream in (False, True):
            body = {"model": model, "stream": stream, "messages": [{"role": "user", "content": f"{text} 312-555-0188"}]}
            httpx.post(url, json=body, headers=headers)
    httpx.post(url, json={"Quackenbush": 1}, headers=headers)
    httpx.post(f"{site.url}/v1/Quackenbush?q=canary-77", json={}, headers=headers)
    httpx.post(url, json={}, headers={"Authorization": "Bearer cp-canary-77"})


def provider() -> Provider:
    return Provider("echo", "echo-1", repeat)


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """All that is logged, at the most talkative level, as the gateway would write it."""
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield out
    root.removeHandler(handler)
    root.setLevel(level)


def test_logs_and_metrics_hold_no_canary(serve: Start, logged: io.StringIO) -> None:
    site = serve({"default": provider()})
    calls(site)
    page = site.gateway.parts.telemetry.page().decode()
    said = [json.loads(line) for line in logged.getvalue().splitlines()]
    mine = [line for line in said if line["logger"] == "careplane.gateway" and line["message"] == "call"]
    assert [line["status"] for line in mine] == [200, 200, 502, 502]
    assert mine[0]["input_tokens"] == 11
    assert not any(canary in json.dumps(line) for line in mine for canary in CANARIES)
    assert not any(canary in page for canary in CANARIES)
    assert 'careplane_calls_total{app="an_app",model="echo-1",operation="chat",provider="echo",route="default"' in page
    assert "gen_ai_client_operation_duration_seconds_bucket" in page
    assert "careplane_active_calls 0.0" in page


def test_an_exception_is_logged_by_its_kind_alone(logged: io.StringIO) -> None:
    try:
        raise ValueError("Quackenbush")
    except ValueError:
        logging.getLogger("careplane.gateway").exception("it broke")
    (line,) = [json.loads(line) for line in logged.getvalue().splitlines()]
    assert line["error"] == "ValueError"
    assert "Quackenbush" not in logged.getvalue()


def test_metrics_ask_for_their_token(serve: Start) -> None:
    site = serve({"default": provider()})
    assert httpx.get(f"{site.url}/metrics").status_code == 401
    assert httpx.get(f"{site.url}/metrics", headers={"Authorization": f"Bearer {site.key}"}).status_code == 401


@pytest.fixture
def collector() -> Iterator[tuple[str, list[bytes]]]:
    """An OTLP/HTTP endpoint that keeps what it is sent."""
    heard: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1/traces", heard
    server.shutdown()
    server.server_close()
    thread.join(5)


def test_spans_follow_the_conventions_and_hold_no_canary(serve: Start, collector: tuple[str, list[bytes]]) -> None:
    pytest.importorskip("opentelemetry.sdk")
    endpoint, heard = collector
    telemetry = Telemetry(open_tracer(endpoint, 1.0, "careplane-test"))
    site = serve({"default": provider()}, parts=Parts(telemetry=telemetry))
    calls(site)
    telemetry.close()
    eventually(lambda: bool(heard))
    told = b"".join(heard)
    for name in (b"careplane chat", b"chat ", b"gen_ai.usage.input_tokens", b"gen_ai.provider.name", b"echo-1"):
        assert name in told
    assert not any(canary.encode() in told for canary in CANARIES)
