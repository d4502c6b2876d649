"""The rig of ``fhir_subscription``: a ``sekmet-fhir`` server that notifies a server of this test."""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path

import httpx
import orjson
import pytest

from careplane.codecs.fhir_subscription import parse_notification, rest_hook
from careplane.connectors.fhir_subscription import SubscriptionConnector
from careplane.records import JSON
from careplane.sandbox.ehr_server import EhrServer

REQUIRED = ("base_url",)
SECRETS = ("token",)
TOPIC = "http://sekmet.dev/fhir/SubscriptionTopic/patient-change"


@dataclass(frozen=True)
class Server:
    """A FHIR server, and what it sent to ``hook``: method, path, secret, body."""

    settings: Mapping[str, str]
    hook: str
    got: list[tuple[str, str, str | None, JSON | None]] = field(default_factory=list)

    def wait_for(self, count: int) -> None:
        """Until so many notifications came."""
        deadline = time.monotonic() + 15
        while len(self.got) < count and time.monotonic() < deadline:
            time.sleep(0.02)
        assert len(self.got) >= count


@contextmanager
def peer(folder: Path) -> Iterator[Server]:
    if find_spec("sekmet") is None:
        pytest.skip("needs the extra 'sandbox' (sekmet-fhir)")
    got: list[tuple[str, str, str | None, JSON | None]] = []
    with _hooks(got) as hook, EhrServer(folder) as server:
        yield Server({"base_url": server.base_url, "token": "tok-4711-secret"}, hook, got)


@contextmanager
def _hooks(got: list[tuple[str, str, str | None, JSON | None]]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            got.append((self.command, self.path, self.headers.get("X-Hook"), orjson.loads(body) if body else None))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_PUT = do_POST  # noqa: N815 - the name that the library fixes

        def log_message(self, *_args: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/hook"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def at(host: str, port: int, _folder: Path) -> dict[str, str]:
    return {"base_url": f"http://{host}:{port}/fhir", "token": "tok-4711-secret", "timeout_seconds": "0.3"}


async def call(connector: SubscriptionConnector, words: str) -> object:
    return await connector.subscribe(rest_hook("Communication?", "https://here.test", f"X-Hook: {words}", words))


async def what_is_subscribed_is_sent_with_the_secret(connector: SubscriptionConnector, server: Server) -> None:
    held = await connector.subscribe(rest_hook("Basic?", server.hook, "X-Hook: s1", "a test"))
    target = f"Subscription/{held['id']}"
    now = await connector.held(target)
    assert now is not None
    assert now["status"] == "active"
    before = len(server.got)
    made = {"resourceType": "Basic", "id": "b1", "code": {"text": "synthetic"}}
    httpx.put(f"{server.settings['base_url']}/Basic/b1", json=made, trust_env=False).raise_for_status()
    server.wait_for(before + 1)
    method, path, secret, body = server.got[-1]
    assert (method, path, secret) == ("PUT", "/hook/Basic/b1", "s1")
    assert body is not None
    assert body["id"] == "b1"
    await connector.end(target)
    assert await connector.held(target) is None


async def a_topic_shakes_hands_counts_and_says_its_status(connector: SubscriptionConnector, server: Server) -> None:
    before = len(server.got)
    held = await connector.subscribe(rest_hook("Patient?", server.hook, "X-Hook: s2", "a test", topic=TOPIC))
    target = f"Subscription/{held['id']}"
    server.wait_for(before + 1)
    handshake = parse_notification(server.got[before][3] or {})
    assert (handshake.kind, handshake.subscription, handshake.since_start) == ("handshake", target, 0)
    await _until_active(connector, target)
    for number in (1, 2):
        body = {"resourceType": "Patient", "id": "p1", "active": number == 1}
        httpx.put(f"{server.settings['base_url']}/Patient/p1", json=body, trust_env=False).raise_for_status()
    server.wait_for(before + 3)
    told = [parse_notification(body or {}) for _, _, _, body in server.got[before + 1 :]]
    events = [event for one in told if one.kind == "event-notification" for event in one.events]
    assert sorted((event.number, event.focus) for event in events) == [(1, "Patient/p1"), (2, "Patient/p1")]
    status = await connector.status(target)
    assert status is not None
    assert (status.kind, status.subscription, status.since_start) == ("query-status", target, 2)
    await connector.end(target)


async def _until_active(connector: SubscriptionConnector, target: str) -> None:
    for _ in range(100):
        held = await connector.held(target)
        if held is not None and held["status"] == "active":
            return
        time.sleep(0.05)
    raise AssertionError("the Subscription did not become active")


async def a_server_without_events_says_so(connector: SubscriptionConnector, server: Server) -> None:
    held = await connector.subscribe(rest_hook("Basic?", server.hook, "X-Hook: s3", "a test"))
    assert await connector.events(f"Subscription/{held['id']}", 1, 2) is None
    await connector.end(f"Subscription/{held['id']}")


BEHAVIOURS = {
    "subscribe": (what_is_subscribed_is_sent_with_the_secret,),
    "status": (a_topic_shakes_hands_counts_and_says_its_status,),
    "events": (a_server_without_events_says_so,),
}
