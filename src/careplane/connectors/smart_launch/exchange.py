"""One request to the EHR and its whole answer: bounded in time and size, no redirects, no person in an error."""

import asyncio
from collections.abc import Mapping
from weakref import WeakKeyDictionary

import httpx

from careplane.codecs.smart import read_error
from careplane.errors import UpstreamBusy, UpstreamError, UpstreamRejected, UpstreamTimeout

MAX_BYTES = 1_048_576
_REFUSALS = (400, 401, 403)


class Exchange:
    """HTTP to one EHR. A connection belongs to one event loop, so each loop gets a client of its own."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._clients: WeakKeyDictionary[asyncio.AbstractEventLoop, httpx.AsyncClient] = WeakKeyDictionary()

    async def get(self, url: str, what: str, headers: Mapping[str, str] | None = None) -> bytes:
        """The body at a URL.

        Raises:
            UpstreamError: it is not there, too long, or not given in time.
        """
        status, body = await self._send("GET", url, what, headers=headers)
        _raise_for(status, body, what)
        return body

    async def post(self, url: str, form: Mapping[str, str], what: str) -> bytes:
        """The answer to a form.

        Raises:
            UpstreamRejected: the other side refused; ``code`` is its error word.
            UpstreamError: it failed, or did not answer in time.
        """
        status, body = await self._send("POST", url, what, form=form)
        _raise_for(status, body, what)
        return body

    async def aclose(self) -> None:
        """Close the connections of the running event loop."""
        client = self._clients.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client.aclose()

    async def _send(
        self,
        method: str,
        url: str,
        what: str,
        *,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, bytes]:
        sent = {"Accept": "application/json", **(headers or {})}
        body = bytearray()
        try:
            async with asyncio.timeout(self._seconds):
                async with self._client().stream(method, url, data=form, headers=sent) as response:
                    async for chunk in response.aiter_bytes():
                        body += chunk
                        if len(body) > MAX_BYTES:
                            raise UpstreamError(f"{what}: the EHR's answer is longer than {MAX_BYTES} bytes.")
                    return response.status_code, bytes(body)
        except (httpx.TimeoutException, TimeoutError) as error:
            raise UpstreamTimeout(f"{what}: the EHR did not answer within {self._seconds:g} seconds.") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise UpstreamError(f"{what}: the EHR could not be reached, or broke off.") from error

    def _client(self) -> httpx.AsyncClient:
        loop = asyncio.get_running_loop()
        if loop not in self._clients:
            self._clients[loop] = httpx.AsyncClient(timeout=self._seconds, follow_redirects=False)
        return self._clients[loop]


def _raise_for(status: int, body: bytes, what: str) -> None:
    if 200 <= status < 300:
        return
    if status in _REFUSALS:
        word = read_error(body)
        told = f" ({word})" if word != "unknown" else ""
        raise UpstreamRejected(f"{what}: the EHR refused with HTTP {status}{told}. Launch again from the EHR.", word)
    if status in (429, 503):
        raise UpstreamBusy(f"{what}: the EHR is busy (HTTP {status}). Try again in a moment.")
    raise UpstreamError(f"{what}: the EHR answered HTTP {status}.")
