"""HTTP/1.1 to a model's endpoint: pooled connections, one at a time per connection, closed at once when given up.

Parsing is llhttp's (through ``httptools``), TLS the standard library's; what is here is the pool and its rules:

- a connection goes back to the pool only after its reply was read to its end and nothing else came with it, so that a
  reply can never be empty or another request's;
- giving up (a cancelled caller, a time limit) closes the connection: the endpoint sees it and can stop;
- no redirects, no proxies, no cookies; nothing that the endpoint wrote is put into an error.

Why not a ready client: ``docs/decisions/0018-wire.md``.
"""

import asyncio
import ssl
import time
import zlib
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import cast
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

import httptools

from careplane.errors import InputError, UpstreamError, UpstreamTimeout

MAX_BODY = 32 * 1024 * 1024
MAX_HEAD = 64 * 1024
MAX_IDLE = 256
"""Idle connections kept per endpoint and event loop."""

IDLE_SECONDS = 15.0
_ALWAYS = "user-agent: careplane\r\naccept-encoding: identity\r\n"
"""Some doors turn away callers without a name, and a compressed stream comes late."""

_HIGH_WATER = 256 * 1024


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds until connected, until the head of the reply, and until its end."""

    connect: float = 10.0
    first_byte: float = 60.0
    total: float = 120.0


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole reply; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class _Origin:
    host: str
    port: int
    tls: ssl.SSLContext | None
    name: str


async def send(
    url: str, headers: Mapping[str, str], body: bytes, timeouts: Timeouts, *, method: str = "POST", ca_file: str = ""
) -> Answer:
    """Send a request and read the whole reply.

    Raises:
        UpstreamTimeout: a time limit passed.
        UpstreamError: no connection, or not a whole HTTP reply.
    """
    origin, path = _target(url, ca_file)
    connection = await _connection(origin, timeouts.connect)
    try:
        connection.begin(_head(method, path, origin, headers, body), body, timeouts)
        await connection.headed()
        while not connection.done:
            await connection.more()
        answer = Answer(connection.status, connection.headers, connection.take())
    except BaseException:
        connection.abort()
        raise
    connection.release()
    return answer


class Incoming:
    """The reply of :func:`stream`: ``status`` and ``headers`` are there, the body comes as it arrives."""

    def __init__(self, connection: "_Connection") -> None:
        self._connection = connection
        self.status = connection.status
        self.headers: Mapping[str, str] = connection.headers

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body in pieces; reading slowly slows the endpoint (TCP back-pressure).

        Raises:
            UpstreamTimeout, UpstreamError: as :func:`send`.
        """
        connection = self._connection
        while True:
            if piece := connection.take():
                yield piece
            elif connection.done:
                return
            else:
                await connection.more()

    async def read(self) -> bytes:
        """The whole body."""
        return b"".join([piece async for piece in self.chunks()])


@asynccontextmanager
async def stream(
    url: str, headers: Mapping[str, str], body: bytes, timeouts: Timeouts, *, method: str = "POST", ca_file: str = ""
) -> AsyncIterator[Incoming]:
    """Send a request and read the reply as it comes; leaving the block before its end closes the connection."""
    origin, path = _target(url, ca_file)
    connection = await _connection(origin, timeouts.connect)
    try:
        connection.begin(_head(method, path, origin, headers, body), body, timeouts, streamed=True)
        await connection.headed()
        yield Incoming(connection)
    except BaseException:
        connection.abort()
        raise
    connection.release()


class _Connection(asyncio.Protocol):
    """One connection, and the exchange that is under way on it."""

    def __init__(self, origin: _Origin, pool: "deque[_Connection]", loop: asyncio.AbstractEventLoop) -> None:
        self.origin = origin
        self.released_at = 0.0
        self._pool = pool
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._busy = False
        self._waiter: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._reset()

    def _reset(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.done = False
        self._pieces: list[bytes] = []
        self._held = 0
        self._total = 0
        self._head_size = 0
        self._headed = False
        self._streamed = False
        self._paused = False
        self._inflate: zlib._Decompress | None = None
        self._keep = False
        self._error: UpstreamError | None = None

    # ---- what a caller does

    def begin(self, head: bytes, body: bytes, timeouts: Timeouts, *, streamed: bool = False) -> None:
        """Send one request."""
        if self._transport is None:
            raise UpstreamError("The model endpoint closed the connection.")
        self._busy = True
        self._streamed = streamed
        self._timeouts = timeouts
        now = self._loop.time()
        self._ends = now + timeouts.total
        self._due = min(now + timeouts.first_byte, self._ends)
        self._timer = self._loop.call_at(self._due, self._late)
        self._transport.write(head + body)

    async def headed(self) -> None:
        """Wait for the head of the reply."""
        while not self._headed:
            await self.more()

    async def more(self) -> None:
        """Wait until something more has arrived.

        Raises:
            UpstreamError: what went wrong meanwhile.
        """
        if self._error is not None:
            raise self._error
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None
        if self._error is not None:
            raise self._error

    def take(self) -> bytes:
        """The part of the body that has arrived and was not taken yet."""
        pieces, self._pieces, self._held = self._pieces, [], 0
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def release(self) -> None:
        """Give the connection back, if the exchange is over and it may be used again."""
        transport = self._transport
        self._stop_timer()
        if not self.done or transport is None or not self._may_stay(transport):
            self.abort()
            return
        self._reset()
        self._busy = False
        self.released_at = time.monotonic()
        if len(self._pool) >= MAX_IDLE:
            self.abort()
        else:
            self._pool.append(self)

    def _may_stay(self, transport: asyncio.Transport) -> bool:
        if self._error is not None or transport.is_closing() or transport.get_write_buffer_size():
            return False
        return self._keep

    def abort(self) -> None:
        """Close at once."""
        self._stop_timer()
        if self._transport is not None:
            self._transport.abort()
            self._transport = None

    @property
    def usable(self) -> bool:
        """Whether it is still open and has not idled too long."""
        transport = self._transport
        fresh = time.monotonic() - self.released_at < IDLE_SECONDS
        return transport is not None and not transport.is_closing() and fresh

    # ---- what the event loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if not self._busy:  # nobody asked: whatever it is, it must not meet the next request
            self.abort()
            return
        if not self._headed:
            self._head_size += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._fail("The model endpoint wants another protocol.")
        except httptools.HttpParserError:
            self._fail("The model endpoint sent something that is not HTTP.")
        except zlib.error:
            self._fail("The model endpoint sent a body that cannot be decompressed.")
        if not self._headed and self._head_size > MAX_HEAD:
            self._fail("The model endpoint sent too long a head.")
        self._wake()

    def eof_received(self) -> None:
        pass

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if not self._busy:
            return
        until_end = not {"content-length", "transfer-encoding"} & self.headers.keys()
        if self._headed and until_end and exc is None and not self.done:
            self.on_message_complete()
        if not self.done:
            self._fail("The model endpoint closed the connection before the end of its reply.")
        self._wake()

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.done:
            return
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        if self.done:  # a second reply to one request
            self._fail("The model endpoint sent more than one reply.")
            return
        self.status = self._parser.get_status_code()
        if self.status < 200:
            return
        self._headed = True
        encoding = self.headers.get("content-encoding", "identity").lower()
        if encoding in ("gzip", "deflate"):
            self._inflate = zlib.decompressobj(zlib.MAX_WBITS | 32)
        elif encoding != "identity":
            self._fail("The model endpoint sent an encoding that was not asked for.")
        self._due = self._ends  # the timer looks when it fires: to set it anew would cost every reply

    def on_body(self, body: bytes) -> None:
        if self._error is not None or self.done:
            return
        if self._inflate is not None:
            body = self._inflate.decompress(body, MAX_BODY + 1)
        self._total += len(body)
        if self._total > MAX_BODY:
            self._fail("The model endpoint sent a reply that is too large.")
            return
        self._pieces.append(body)
        self._held += len(body)
        if self._streamed and self._held > _HIGH_WATER and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()

    def on_message_complete(self) -> None:
        if self.status < 200:  # 100 Continue, 103 Early Hints: the reply is still to come
            self.headers = {}
            return
        if self._inflate is not None and not self._inflate.eof:
            self._fail("The model endpoint sent a body that cannot be decompressed.")
            return
        self._keep = bool(self._parser.should_keep_alive())  # llhttp knows it only now
        self.done = True
        self._stop_timer()

    # ---- inside

    def _late(self) -> None:
        if self._loop.time() < self._due:
            self._timer = self._loop.call_at(self._due, self._late)
            return
        self._timer = None
        self._error = UpstreamTimeout("The model endpoint did not answer in time.")
        self._wake()

    def _fail(self, message: str) -> None:
        if self._error is None and not self.done:
            self._error = UpstreamError(message)
        elif self.done:
            self._error = self._error or UpstreamError(message)
        if self._transport is not None:
            self._transport.abort()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class _Pools:
    """The idle connections of one event loop, closed when it ends: ``asyncio.run`` and its kind close every
    asynchronous generator that was begun on the loop, and one of them waits here for that."""

    def __init__(self) -> None:
        self.by_origin: dict[_Origin, deque[_Connection]] = {}
        self._watch = self._until_the_end()

    async def watch(self) -> None:
        await anext(self._watch)

    async def _until_the_end(self) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            for pool in self.by_origin.values():
                while pool:
                    pool.pop().abort()
            _pools.pop(asyncio.get_running_loop(), None)  # this generator knows its loop, which would keep it


_pools: "WeakKeyDictionary[asyncio.AbstractEventLoop, _Pools]" = WeakKeyDictionary()


async def _connection(origin: _Origin, seconds: float) -> _Connection:
    """An idle connection to an endpoint, else a new one."""
    loop = asyncio.get_running_loop()
    pools = _pools.get(loop)
    if pools is None:
        pools = _pools[loop] = _Pools()
        await pools.watch()
    pool = pools.by_origin.get(origin)
    if pool is None:
        pool = pools.by_origin[origin] = deque()
    while pool:
        connection = pool.pop()
        if connection.usable:
            return connection
        connection.abort()
    try:
        async with asyncio.timeout(seconds):
            _transport, made = await loop.create_connection(
                lambda: _Connection(origin, pool, loop), origin.host, origin.port, ssl=origin.tls
            )
    except TimeoutError as error:
        raise UpstreamTimeout("The model endpoint did not accept a connection in time.") from error
    except ssl.SSLError as error:
        raise UpstreamError("The model endpoint's certificate or TLS did not hold.") from error
    except OSError as error:
        raise UpstreamError("The model endpoint could not be reached.") from error
    return made


@lru_cache(maxsize=256)
def _target(url: str, ca_file: str) -> tuple[_Origin, str]:
    """Where a URL leads, and its path with query."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
        raise InputError("must be an http(s) URL without user and password", field="base_url")
    tls = parts.scheme == "https"
    port = parts.port or (443 if tls else 80)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not path.isascii() or not path.isprintable() or " " in path:
        raise InputError("must be percent-encoded", field="base_url")
    return _Origin(parts.hostname, port, _tls(ca_file) if tls else None, parts.netloc), path


@cache
def _tls(ca_file: str) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=ca_file or None)


def _head(method: str, path: str, origin: _Origin, headers: Mapping[str, str], body: bytes) -> bytes:
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    if lines.count("\n") != len(headers) or lines.count("\r") != len(headers) or "\0" in lines:
        raise UpstreamError("A header of the request holds a line break, so it was not sent.")
    head = f"{method} {path} HTTP/1.1\r\nhost: {origin.name}\r\n{_ALWAYS}{lines}content-length: {len(body)}\r\n\r\n"
    return head.encode("latin-1", "replace")
