"""The public keys of those who sign tokens for us: fetched from a JWKS URL (RFC 7517 section 5), cached, rotated.

A URL comes from an allow-list of the site, never from a token alone: whoever may name the URL may sign. Keys are asked
for again when a token names one that is not there (a rotation), at most once per ``PAUSE_SECONDS``, so that made-up key
names cannot be used to hammer the other side. While it does not answer, keys of the last hour still count.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import httpx
import orjson

from careplane.codecs.jwt import has_key
from careplane.codecs.smart.urls import secure_url
from careplane.errors import UpstreamError, UpstreamTimeout
from careplane.records import JSON

FRESH_SECONDS = 600.0
STALE_SECONDS = 3600.0
PAUSE_SECONDS = 10.0
TIMEOUT_SECONDS = 5.0
MAX_BYTES = 262_144


@dataclass(frozen=True, slots=True)
class _Held:
    """Keys, when they were fetched, and when they were last asked for."""

    keys: JSON | None
    fetched: float
    asked: float


class Jwks:
    """The key sets of this process, by URL. May be used from several event loops.

    ``open_client`` makes a client for one fetch; ``clock`` counts seconds.
    """

    def __init__(
        self,
        open_client: Callable[[], httpx.AsyncClient] = lambda: httpx.AsyncClient(timeout=TIMEOUT_SECONDS),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._open_client = open_client
        self._clock = clock
        self._held: dict[str, _Held] = {}
        self._under_way: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, asyncio.Task[JSON]]] = (
            WeakKeyDictionary()
        )

    async def keys(self, url: str, kid: str | None = None) -> JSON:
        """The JWK set at a URL; fetched again when it is old or has no key ``kid``.

        Raises:
            InputError: the URL is not one that keys are fetched from (https, or http on loopback).
            UpstreamError: there are no keys, and the other side does not give them.
        """
        held, now = self._held.get(url), self._clock()
        if (
            held is not None
            and held.keys is not None
            and now - held.fetched < FRESH_SECONDS
            and has_key(held.keys, kid)
        ):
            return held.keys
        if held is not None and now - held.asked < PAUSE_SECONDS:
            return self._old(url, held, now)
        try:
            return await self._fetch_once(url)
        except UpstreamError:
            if held is None or held.keys is None:
                raise
            return self._old(url, held, now)

    def _old(self, url: str, held: _Held, now: float) -> JSON:
        if held.keys is None or now - held.fetched > STALE_SECONDS:
            raise UpstreamError(f"The keys at {_host(url)} could not be fetched a moment ago.")
        return held.keys

    async def _fetch_once(self, url: str) -> JSON:
        """One fetch for all that wait for the same URL in this loop."""
        waiting = self._under_way.setdefault(asyncio.get_running_loop(), {})
        task = waiting.get(url)
        if task is None:
            task = waiting[url] = asyncio.ensure_future(self._fetch(url))
            task.add_done_callback(lambda _done: waiting.pop(url, None))
        return await asyncio.shield(task)

    async def _fetch(self, url: str) -> JSON:
        secure_url(url, "jku")
        held = self._held.get(url)
        keys, fetched = (held.keys, held.fetched) if held is not None else (None, 0.0)
        try:
            async with self._open_client() as client:
                keys = await _get(client, url)
            fetched = self._clock()
        finally:
            self._held[url] = _Held(keys, fetched, self._clock())
        return keys


async def _get(client: httpx.AsyncClient, url: str) -> JSON:
    host = _host(url)
    body = bytearray()
    try:
        async with client.stream("GET", url, headers={"Accept": "application/json"}) as response:
            if response.status_code != 200:
                raise UpstreamError(f"The keys at {host} were not given: HTTP {response.status_code}.")
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > MAX_BYTES:
                    raise UpstreamError(f"The key set at {host} is longer than {MAX_BYTES} bytes.")
    except httpx.TimeoutException as error:
        raise UpstreamTimeout(f"The keys at {host} were not given in time.") from error
    except httpx.HTTPError as error:
        raise UpstreamError(f"The keys at {host} could not be fetched.") from error
    return _key_set(bytes(body), host)


def _key_set(body: bytes, host: str) -> JSON:
    try:
        given = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise UpstreamError(f"{host} gave no JWK set: it is not JSON.") from error
    if type(given) is not dict or type(given.get("keys")) is not list:
        raise UpstreamError(f"{host} gave no JWK set: a list 'keys' is needed.")
    return given


def _host(url: str) -> str:
    return httpx.URL(url).host
