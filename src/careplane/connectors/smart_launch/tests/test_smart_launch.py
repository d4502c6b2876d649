"""The client against an EHR that misbehaves: a real server that answers what a test tells it to."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson
import pytest

from careplane.codecs.smart import Scopes, read_scopes
from careplane.connectors.smart_launch import SmartClient
from careplane.connectors.smart_launch import open as open_client
from careplane.connectors.smart_launch.client import FRESH_SECONDS, STALE_SECONDS
from careplane.connectors.smart_launch.exchange import MAX_BYTES, Exchange
from careplane.errors import (
    CareplaneError,
    InputError,
    TokenError,
    UpstreamBusy,
    UpstreamError,
    UpstreamRejected,
)

VERIFIER = "v" * 43
REDIRECT = "https://careplane.example.org/smart/callback/x"


class Peer:
    """An EHR whose answers are set by path: status, body and headers."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, bytes, dict[str, str]]] = {}
        self.asked: list[tuple[str, bytes]] = []
        peer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                peer.asked.append((self.path, body))
                status, content, headers = peer.answers.get(self.path, (404, b"", {}))
                self.send_response(status)
                for name, value in {"Content-Length": str(len(content)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            do_POST = do_GET  # noqa: N815 - the name that http.server looks for

            def log_message(self, *_args: Any) -> None:
                """Keep quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.base = f"http://127.0.0.1:{self.server.server_port}"
        self.configure()

    def configure(self, **changes: Any) -> None:
        """Answer discovery with a good configuration, changed."""
        whole = {
            "issuer": self.base, "jwks_uri": f"{self.base}/jwks", "authorization_endpoint": f"{self.base}/authorize",
            "token_endpoint": f"{self.base}/token", "grant_types_supported": ["authorization_code"],
            "code_challenge_methods_supported": ["S256"], "capabilities": ["launch-ehr", "sso-openid-connect"],
        }  # fmt: skip
        body = orjson.dumps({name: value for name, value in {**whole, **changes}.items() if value is not None})
        self.answers["/fhir/.well-known/smart-configuration"] = (200, body, {})


@pytest.fixture
def peer() -> Iterator[Peer]:
    made = Peer()
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


def using(peer: Peer, act: Callable[[SmartClient], Any], **changes: Any) -> Any:
    """Let a client act, in one event loop."""

    async def session() -> Any:
        base = f"{peer.base}/fhir"
        client = SmartClient(
            **{"fhir_base": base, "client_id": "app", "redirect_uri": REDIRECT, "key": None, "exchange": Exchange(2.0),
               **changes})  # fmt: skip
        try:
            return await act(client)
        finally:
            await client.aclose()

    return asyncio.run(session())


def test_configuration_is_kept_and_outlives_an_outage_for_an_hour(peer: Peer) -> None:
    now = [0.0]

    async def act(client: SmartClient) -> None:
        await client.discover()
        now[0] = FRESH_SECONDS - 1
        await client.discover()
        assert len(peer.asked) == 1
        peer.answers.clear()
        now[0] = STALE_SECONDS - 1
        await client.discover()
        assert len(peer.asked) == 2
        now[0] = STALE_SECONDS + 1
        with pytest.raises(UpstreamError, match="404"):
            await client.discover()

    using(peer, act, ticks=lambda: now[0])


@pytest.mark.parametrize("changes", [
    {"code_challenge_methods_supported": ["plain"]}, {"token_endpoint": "http://evil.example/token"}, {"issuer": None},
])  # fmt: skip
def test_a_configuration_that_is_not_as_it_must_be_is_the_ehrs_fault(peer: Peer, changes: Any) -> None:
    peer.configure(**changes)
    with pytest.raises(UpstreamRejected, match="not as SMART demands") as told:
        using(peer, lambda client: client.discover())
    assert told.value.code == "malformed"


def test_a_launch_that_is_not_offered_is_not_begun(peer: Peer) -> None:
    with pytest.raises(UpstreamRejected, match="launch-standalone"):
        using(peer, lambda client: client.begin(Scopes(), verifier=VERIFIER, nonce="n"))


def test_issuer_of_an_answer_is_compared_where_one_is_named_or_promised(peer: Peer) -> None:
    using(peer, lambda client: client.check_issuer(None))
    using(peer, lambda client: client.check_issuer(peer.base))
    with pytest.raises(TokenError, match="another EHR"):
        using(peer, lambda client: client.check_issuer("https://other.example"))
    peer.configure(authorization_response_iss_parameter_supported=True)
    with pytest.raises(TokenError, match="another EHR"):
        using(peer, lambda client: client.check_issuer(None))


def test_redirects_are_not_followed(peer: Peer) -> None:
    peer.answers["/token"] = (307, b"", {"Location": f"{peer.base}/elsewhere"})
    with pytest.raises(UpstreamError, match="307"):
        using(peer, lambda client: client.redeem("code-of-ana", VERIFIER, Scopes()))
    assert "/elsewhere" not in [path for path, _body in peer.asked]


@pytest.mark.parametrize(("status", "body", "error", "told"), [
    (400, b'{"error":"invalid_grant","error_description":"Ana Quill"}', UpstreamRejected, "invalid_grant"),
    (401, b"<html>Ana Quill</html>", UpstreamRejected, "HTTP 401"), (503, b"", UpstreamBusy, "busy"),
    (500, b"Ana Quill", UpstreamError, "500"), (200, b"Ana Quill", UpstreamRejected, "not JSON"),
    (200, b"x" * (MAX_BYTES + 1), UpstreamError, "longer than"), (200, b"{}", UpstreamRejected, "token_type"),
])  # fmt: skip
def test_bad_answers_are_our_errors_and_name_nobody(
    peer: Peer, status: int, body: bytes, error: type[CareplaneError], told: str
) -> None:
    peer.answers["/token"] = (status, body, {})
    with pytest.raises(error, match=told) as caught:
        using(peer, lambda client: client.redeem("code-of-ana", VERIFIER, Scopes()))
    assert "Quill" not in str(caught.value)
    assert "code-of-ana" not in str(caught.value)


def test_an_answer_that_breaks_off_is_no_answer(peer: Peer) -> None:
    peer.answers["/token"] = (200, b"{", {"Content-Length": "100"})
    with pytest.raises(UpstreamError, match="broke off"):
        using(peer, lambda client: client.redeem("code", VERIFIER, Scopes()))


def test_a_resource_that_was_not_asked_for_is_refused(peer: Peer) -> None:
    peer.answers["/fhir/Patient/1"] = (200, b'{"resourceType":"Patient","id":"2"}', {})
    with pytest.raises(UpstreamError, match="another resource"):
        using(peer, lambda client: client.read("Patient/1", "token"))
    for reference in ("Patient/1/../2", "http://evil.example/Patient/1", "Nothing/1"):
        with pytest.raises(InputError):
            using(peer, partial(SmartClient.read, reference=reference, access_token="token"))


def test_what_the_ehr_does_not_offer_is_said(peer: Peer) -> None:
    for act in (lambda client: client.introspect("t"), lambda client: client.revoke("t")):
        with pytest.raises(UpstreamRejected, match="offers no"):
            using(peer, act)


def test_an_answer_without_an_id_token_says_nothing_about_who_it_is(peer: Peer) -> None:
    peer.answers["/token"] = (200, b'{"access_token":"a","token_type":"bearer","patient":"1"}', {})
    asked = read_scopes("launch openid fhirUser")

    async def act(client: SmartClient) -> None:
        await client.identify(await client.redeem("c", VERIFIER, asked), "n")

    with pytest.raises(TokenError, match="no id_token"):
        using(peer, act)


@pytest.mark.parametrize(("changes", "field"), [
    ({"fhir_base_url": "http://ehr.example.org/fhir"}, "fhir_base_url"), ({"redirect_uri": "app://x"}, "redirect_uri"),
    ({"private_key": "nonsense"}, "key"), ({"timeout_seconds": "0"}, "timeout_seconds"),
    ({"timeout_seconds": "soon"}, "timeout_seconds"),
])  # fmt: skip
def test_settings_are_checked(changes: dict[str, str], field: str) -> None:
    good = {"fhir_base_url": "https://ehr.example.org/fhir", "client_id": "app", "redirect_uri": REDIRECT}
    with pytest.raises(InputError) as told:
        open_client({**good, **changes})
    assert told.value.field == field
