"""Answers over real connections: whole ones, compressed ones, and those that never end."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from careplane.connectors import _http
from careplane.connectors._http import AnswerTooLarge, Http

Serving = Callable[[Starlette], AbstractContextManager[str]]
LIMIT = 1 << 20
PIECE = b"x" * (1 << 16)


class Server:
    """Answers with what its paths say; ``sent`` counts the bytes of the endless one, ``calls`` its requests."""

    def __init__(self) -> None:
        self.sent = self.calls = 0

    def app(self) -> Starlette:
        return Starlette(routes=[Route("/endless", self._endless), Route("/packed/{size:int}", self._packed)])

    async def _endless(self, _request: Request) -> Response:
        self.calls += 1

        async def body() -> AsyncIterator[bytes]:
            while self.sent < 200 * LIMIT:
                self.sent += len(PIECE)
                yield PIECE
                await asyncio.sleep(0)  # lets the server see that nobody reads

        return StreamingResponse(body())

    async def _packed(self, request: Request) -> Response:
        body = gzip.compress(b"y" * request.path_params["size"])
        return Response(body, headers={"Content-Encoding": "gzip", "ETag": '"v1"'})


def get(url: str, *, repeatable: bool = True) -> httpx.Response:
    async def session() -> httpx.Response:
        http = Http(httpx.AsyncClient)
        try:
            return await http.send(http.client.build_request("GET", url), repeatable=repeatable)
        finally:
            await http.aclose()

    return asyncio.run(session())


@pytest.mark.parametrize("repeatable", [True, False])
def test_an_answer_that_never_ends_is_read_to_the_limit_and_not_asked_for_again(
    serving: Serving, monkeypatch: pytest.MonkeyPatch, repeatable: bool
) -> None:
    monkeypatch.setattr(_http, "MOST_BYTES", LIMIT)
    server = Server()
    with serving(server.app()) as url, pytest.raises(AnswerTooLarge, match="larger than 1 MB"):
        get(f"{url}/endless", repeatable=repeatable)
    assert server.calls == 1
    assert server.sent < 100 * LIMIT, "the connection was closed while it came"


def test_a_compressed_answer_counts_as_what_it_becomes(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_http, "MOST_BYTES", LIMIT)
    with serving(Server().app()) as url:
        whole = get(f"{url}/packed/{LIMIT}")
        with pytest.raises(AnswerTooLarge):
            get(f"{url}/packed/{LIMIT + 1}")
    assert (whole.status_code, whole.content, whole.headers["ETag"]) == (200, b"y" * LIMIT, '"v1"')
    assert "content-encoding" not in whole.headers
