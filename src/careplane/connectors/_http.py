"""What every connector over HTTP needs: a client per event loop, and sending again within bounds.

Connections belong to one event loop, and durable runs have loops of their own. A request is sent again when the other
side says that it did not act (429, 503), and when it may have acted only if a repeat is harmless.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from weakref import WeakKeyDictionary

import httpx

from careplane.errors import InputError

ATTEMPTS = 4
FIRST_PAUSE = 0.25
LONGEST_PAUSE = 20.0
MOST_BYTES = 64 * 1024 * 1024

_BUSY = frozenset({429, 503})
_FAILED = frozenset({500, 502, 504})
_OF_BODY = frozenset({"content-encoding", "content-length", "transfer-encoding"})
"""Headers that tell of a body as it was on the wire."""

NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


class AnswerTooLarge(httpx.ReadError):
    """An answer has more than ``MOST_BYTES``: it was read no further, and the other side may have acted."""


class Http:
    """Requests to one service. The last answer comes back whatever its status; errors of the connection are httpx's."""

    def __init__(
        self, open_client: Callable[[], httpx.AsyncClient], sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        """``open_client`` makes a client with base URL and headers; ``sleep`` waits between attempts."""
        self._open_client = open_client
        self._clients: WeakKeyDictionary[asyncio.AbstractEventLoop, httpx.AsyncClient] = WeakKeyDictionary()
        self._sleep = sleep

    @property
    def client(self) -> httpx.AsyncClient:
        """The client of the running event loop."""
        loop = asyncio.get_running_loop()
        if loop not in self._clients:
            self._clients[loop] = self._open_client()
        return self._clients[loop]

    async def send(self, request: httpx.Request, *, repeatable: bool, attempts: int = ATTEMPTS) -> httpx.Response:
        """Send a request up to ``attempts`` times.

        Raises:
            AnswerTooLarge: of httpx.TransportError; it is not asked again.
            httpx.TransportError: no answer to the last attempt, or to one that must not be repeated.
        """
        again = _BUSY | _FAILED if repeatable else _BUSY
        for attempt in range(1, attempts):
            try:
                response = await self._once(request)
            except AnswerTooLarge:
                raise
            except httpx.TransportError as error:
                if not (repeatable or isinstance(error, NEVER_SENT)):
                    raise
                await self._sleep(_pause(attempt))
                continue
            if response.status_code not in again:
                return response
            await self._sleep(asked_pause(response) or _pause(attempt))
        return await self._once(request)

    async def _once(self, request: httpx.Request) -> httpx.Response:
        """The whole answer, counted while it comes: one that never ends costs no more than the limit."""
        response, held = await self.client.send(request, stream=True), bytearray()
        try:
            async for piece in response.aiter_bytes():
                held += piece
                if len(held) > MOST_BYTES:
                    raise AnswerTooLarge(f"the answer is larger than {MOST_BYTES // 1024**2} MB", request=request)
        finally:
            await response.aclose()
        headers = [(name, text) for name, text in response.headers.multi_items() if name.lower() not in _OF_BODY]
        return httpx.Response(response.status_code, headers=headers, content=bytes(held), request=response.request)

    async def aclose(self) -> None:
        """Close the connections of the running event loop."""
        client = self._clients.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client.aclose()


def checked_url(text: str, field: str = "base_url") -> str:
    """A base URL: HTTPS, or HTTP on loopback; without credentials, query or fragment.

    Raises:
        InputError: it is another.
    """
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL as error:
        raise InputError("is not a URL", field=field) from error
    if url.scheme not in ("http", "https") or not url.host:
        raise InputError("must be an http:// or https:// URL", field=field)
    if url.scheme == "http" and not is_loopback(url.host):
        raise InputError("must be https:// outside this machine", field=field)
    if url.userinfo or url.query or url.fragment:
        raise InputError("must hold neither credentials nor a query", field=field)
    return text.rstrip("/")


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine; ``127.0.0.1.example.org`` is not."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def checked_seconds(text: str, field: str = "timeout_seconds") -> float:
    """A time-out: above 0, at most 600 seconds.

    Raises:
        InputError: it is not one.
    """
    try:
        seconds = float(text)
    except ValueError as error:
        raise InputError("must be a number of seconds", field=field) from error
    if not 0 < seconds <= 600:
        raise InputError("must be above 0 and at most 600 seconds", field=field)
    return seconds


def only_known(settings: Mapping[str, str], known: tuple[str, ...]) -> None:
    """Refuse settings that an item does not have.

    Raises:
        InputError: names the first.
    """
    unknown = sorted(set(settings) - set(known))
    if unknown:
        raise InputError(f"unknown setting; known: {', '.join(known)}", field=unknown[0])


def asked_pause(response: httpx.Response) -> float | None:
    """Seconds that Retry-After asks for (a number or an HTTP date), at most ``LONGEST_PAUSE``."""
    header = response.headers.get("Retry-After", "").strip()
    if not header:
        return None
    try:
        seconds = float(header) if header.isdigit() else _until(header)
    except ValueError:
        return None
    return min(max(seconds, 0.0), LONGEST_PAUSE)


def _until(date: str) -> float:
    at = parsedate_to_datetime(date)
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return (at - datetime.now(UTC)).total_seconds()


def _pause(attempt: int) -> float:
    return float(FIRST_PAUSE * 2 ** (attempt - 1) * random.uniform(0.5, 1.5))  # noqa: S311 - not for secrets
