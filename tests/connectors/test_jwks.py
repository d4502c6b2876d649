"""Key sets over a real server: cached, rotated, kept over an outage, and refused when they are not key sets."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from careplane.connectors._jwks import FRESH_SECONDS, MAX_BYTES, PAUSE_SECONDS, STALE_SECONDS, Jwks
from careplane.errors import InputError, UpstreamError


class Signer:
    """A server that publishes keys; ``body`` and ``status`` are what it answers, ``asked`` how often it was."""

    def __init__(self) -> None:
        self.body: bytes = b'{"keys": [{"kid": "one"}]}'
        self.status = 200
        self.asked = 0
        self.pause = 0.0
        self.url = ""

    async def answer(self, _request: Request) -> Response:
        self.asked += 1
        await asyncio.sleep(self.pause)
        return Response(self.body, status_code=self.status)


class Time:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def signer(serving: Callable[[Starlette], AbstractContextManager[str]]) -> Iterator[Signer]:
    made = Signer()
    routes = [Route("/jwks", made.answer), Route("/moved", lambda _request: RedirectResponse("/jwks"))]
    with serving(Starlette(routes=routes)) as address:
        made.url = f"{address}/jwks"
        yield made


def test_keys_are_kept_until_they_are_old(signer: Signer) -> None:
    time = Time()
    jwks = Jwks(clock=time)
    for _ in range(3):
        assert asyncio.run(jwks.keys(signer.url, "one"))["keys"] == [{"kid": "one"}]
    assert signer.asked == 1
    time.now += FRESH_SECONDS
    asyncio.run(jwks.keys(signer.url, "one"))
    assert signer.asked == 2


def test_a_new_key_is_fetched_and_made_up_names_do_not_hammer(signer: Signer) -> None:
    time = Time()
    jwks = Jwks(clock=time)
    asyncio.run(jwks.keys(signer.url, "one"))
    signer.body = b'{"keys": [{"kid": "two"}]}'
    for _ in range(5):
        assert asyncio.run(jwks.keys(signer.url, "made-up"))["keys"] == [{"kid": "one"}]
    assert signer.asked == 1
    time.now += PAUSE_SECONDS
    assert asyncio.run(jwks.keys(signer.url, "two"))["keys"] == [{"kid": "two"}]
    assert signer.asked == 2


def test_keys_outlast_an_outage_of_an_hour_and_no_longer(signer: Signer) -> None:
    time = Time()
    jwks = Jwks(clock=time)
    asyncio.run(jwks.keys(signer.url, "one"))
    signer.status = 500
    time.now += FRESH_SECONDS
    assert asyncio.run(jwks.keys(signer.url, "one"))["keys"] == [{"kid": "one"}]
    time.now += STALE_SECONDS
    with pytest.raises(UpstreamError, match="a moment ago"):
        asyncio.run(jwks.keys(signer.url, "one"))


def test_all_who_wait_share_one_fetch(signer: Signer) -> None:
    signer.pause = 0.2
    jwks = Jwks()

    async def many() -> list[Any]:
        return await asyncio.gather(*(jwks.keys(signer.url, "one") for _ in range(20)))

    assert len(asyncio.run(many())) == 20
    assert signer.asked == 1


@pytest.mark.parametrize(
    "body", [b"", b"no", b"[]", b"{}", b'{"keys": {}}', b'{"keys": [' + b"1," * MAX_BYTES + b"1]}"]
)
def test_what_is_no_key_set_is_refused(signer: Signer, body: bytes) -> None:
    signer.body = body
    with pytest.raises(UpstreamError):
        asyncio.run(Jwks().keys(signer.url))


def test_a_redirect_is_not_followed(signer: Signer) -> None:
    with pytest.raises(UpstreamError, match="HTTP 307"):
        asyncio.run(Jwks().keys(signer.url.replace("/jwks", "/moved")))
    assert signer.asked == 0


def test_nobody_listening_is_an_upstream_error() -> None:
    with pytest.raises(UpstreamError, match="could not be fetched"):
        asyncio.run(Jwks().keys("http://127.0.0.1:9/jwks"))


@pytest.mark.parametrize(
    "url",
    ["", "jwks", "http://ehr.example.org/jwks", "ftp://127.0.0.1/x", "https://user:pass@ehr.example.org/jwks",
     "file:///etc/passwd", "https://ehr.example.org/jwks#part", "https://:99999999/"],
)  # fmt: skip
def test_keys_come_over_tls_or_from_this_machine(url: str) -> None:
    with pytest.raises(InputError):
        asyncio.run(Jwks().keys(url))
