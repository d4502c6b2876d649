"""The raw listener: HTTP/1.1 on a socket for the data plane alone, as thin as llhttp (``httptools``) allows.

The whole server of an installation speaks ASGI (:mod:`careplane.gateway.asgi`); this one exists because an ASGI server
costs more than the rest of a call together (``docs/decisions/0018-wire.md``). Its rules against abuse:

- llhttp's strict parser; a request with ``Content-Length`` and ``Transfer-Encoding``, or two lengths, is refused;
- limits on the head, the number of headers, the body, the time until a request is whole, and idle connections;
- one request at a time per connection: what is pipelined behind it waits, unread;
- a client that goes away cancels its call.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Mapping
from http import HTTPStatus
from typing import cast

import httptools

from careplane.gateway.exchange import MAX_BODY, Handler, place_of

MAX_HEAD = 32 * 1024
MAX_HEADERS = 100
REQUEST_SECONDS = 30.0
IDLE_SECONDS = 75.0
LINGER_SECONDS = 5.0
HIGH_WATER = 64 * 1024
log = logging.getLogger("careplane.gateway")
_STATUS = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n" for status in HTTPStatus}
_JSON = {"content-type": "application/json"}
_FAULT = b'{"error":{"message":"Something is wrong on our side.","type":"server_error","param":null,"code":"fault"}}'
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Listener(asyncio.Protocol):
    """One connection of a client, and the exchange that is under way on it."""

    def __init__(self, handler: Handler, connections: "set[Listener]") -> None:
        self._handler = handler
        self._connections = connections
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._task: asyncio.Task[None] | None = None
        self._waiting: deque[bytes] = deque()
        self._drained: asyncio.Future[None] | None = None
        self._full = False
        self._closing = False
        self._timer: asyncio.TimerHandle | None = None
        self._due = float("inf")
        self._parser = httptools.HttpRequestParser(self)
        self._fresh()

    def _fresh(self) -> None:
        self._url = b""
        self.method = ""
        self.path = ""
        self._headers: dict[str, str] = {}
        self.body = b""
        self.too_large = False
        self._pieces: list[bytes] = []
        self._head_size = 0
        self._size = 0
        self._count = 0
        self._headed = False
        self._whole = False
        self._refused = 0
        self._begun = False
        self._ended = False
        self._chunked = False
        self._keep = True

    # ---- what the event loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=HIGH_WATER)
        self._connections.add(self)
        self._wait(IDLE_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._connections.discard(self)
        self._stop_timer()
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)
        if self._task is not None:
            self._task.cancel()

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)

    def data_received(self, data: bytes) -> None:
        if self.too_large:  # unread: what was sent before the reply came must not reset the connection
            return
        if self._task is not None:  # pipelined: it waits, and the client with it
            self._waiting.append(data)
            if self._transport is not None:
                self._transport.pause_reading()
            return
        if not self._head_size:
            self._wait(REQUEST_SECONDS)
        self._feed(data)

    def _feed(self, data: bytes) -> None:
        if not self._headed:
            self._head_size += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._refused = self._refused or 400
        except (httptools.HttpParserError, UnicodeDecodeError):
            self._refused = self._refused or 400
        if not self._headed and self._head_size > MAX_HEAD:
            self._refused = self._refused or 431
        if self._refused:
            self._turn_away(self._refused)
        elif self._whole or self.too_large:
            self._due = float("inf")
            self._task = self._loop.create_task(self._handler(self))
            self._task.add_done_callback(self._served)

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers of the request, names in lower case."""
        return self._headers

    # ---- what the parser calls

    def on_message_begin(self) -> None:
        if self._whole:
            self._refused = 400  # a second request in the same packet: not worth its risks

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count += 1
        key = name.decode("ascii").lower()
        if self._count > MAX_HEADERS:
            self._refused = 431
        elif key in self._headers and key in ("content-length", "transfer-encoding", "host", "authorization"):
            self._refused = 400
        else:
            self._headers[key] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self._headed = True
        headers = self._headers
        self.method = self._parser.get_method().decode("ascii")
        self.path = self._url.partition(b"?")[0].decode("ascii")
        self._keep = self._parser.should_keep_alive()
        coding = headers.get("transfer-encoding")
        if coding is not None and ("content-length" in headers or coding.lower() != "chunked"):
            self._refused = 400
        elif "content-length" in headers and int(headers["content-length"]) > MAX_BODY:
            self._turn_down()
        elif headers.get("expect", "").lower() == "100-continue" and self._transport is not None:
            self._transport.write(_CONTINUE)

    def on_body(self, body: bytes) -> None:
        self._size += len(body)
        if self._size > MAX_BODY:
            self._turn_down()
        elif not self._refused:
            self._pieces.append(body)

    def on_message_complete(self) -> None:
        self._whole = True
        if self.too_large:
            return
        self.body = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces = []

    def _turn_down(self) -> None:
        """The body is too large: the handler says so, in the words of the API, and nothing more is read of it."""
        self.too_large = True
        self._keep = False
        self._pieces = []

    # ---- serving

    def _served(self, task: "asyncio.Task[None]") -> None:
        """The exchange is over. A fault of ours is logged by its kind and place alone: its text may hold a prompt."""
        self._task = None
        fault = None if task.cancelled() else task.exception()
        if fault is not None:
            log.error("a call failed", extra={"facts": {"error": type(fault).__name__, "at": place_of(fault)}})
        if self._transport is None:
            return
        if not self._ended:
            if self._begun or fault is None:
                self._transport.abort()  # cut in the midst: the client must not take it for whole
            else:
                self._keep = False
                self._write_whole(500, _FAULT)
        if self.too_large:
            self._linger()
            return
        if not self._keep or self._closing:
            self._transport.close()
            return
        self._fresh()
        self._wait(IDLE_SECONDS)
        waiting, self._waiting = b"".join(self._waiting), deque()
        self._transport.resume_reading()
        if waiting:
            self.data_received(waiting)

    async def reply(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        if self._transport is None:
            return
        self._write_whole(status, body, headers)
        if self._full:
            await self._drain()

    def _write_whole(self, status: int, body: bytes, headers: Mapping[str, str] = _JSON) -> None:
        if self._transport is None:
            return
        head = self._head(status, headers) + f"content-length: {len(body)}\r\n\r\n"
        self._begun = self._ended = True
        self._transport.write(head.encode("latin-1") + (body if self.method != "HEAD" else b""))

    async def begin(self, status: int, headers: Mapping[str, str]) -> None:
        if self._transport is None:
            return
        self._begun = True
        self._transport.write(f"{self._head(status, headers)}transfer-encoding: chunked\r\n\r\n".encode("latin-1"))

    async def write(self, piece: bytes) -> None:
        if self._transport is None or not piece:
            return
        self._transport.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        if self._full:
            await self._drain()

    async def end(self) -> None:
        if self._transport is not None:
            self._ended = True
            self._transport.write(b"0\r\n\r\n")

    def _head(self, status: int, headers: Mapping[str, str]) -> str:
        lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
        if lines.count("\n") != len(headers):
            raise ValueError("a header holds a line break")
        keep = self._keep and not self._closing
        return f"{_STATUS[status]}{lines}" if keep else f"{_STATUS[status]}{lines}connection: close\r\n"

    async def _drain(self) -> None:
        self._drained = self._loop.create_future()
        try:
            await self._drained
        finally:
            self._drained = None

    # ---- ends

    def close(self) -> None:
        """Close as soon as the exchange under way is over."""
        self._closing = True
        if self._task is None and self._transport is not None:
            self._transport.close()

    def abort(self) -> "asyncio.Task[None] | None":
        """Close now; the exchange under way, which is returned, is cancelled."""
        if self._transport is not None:
            self._transport.abort()
        return self._task

    def _turn_away(self, status: int) -> None:
        """Answer what cannot be served, and close: what follows on the connection cannot be trusted."""
        self._keep = False
        self._stop_timer()
        phrase = HTTPStatus(status).phrase
        body = f'{{"error":{{"message":"{phrase}","type":"invalid_request_error","param":null,"code":"bad_http"}}}}'
        self._write_whole(status, body.encode())
        if self._transport is not None:
            self._transport.close()

    def _linger(self) -> None:
        """Let a client that is still sending read its reply first; then close."""
        if self._transport is not None:
            self._transport.write_eof()
            self._wait(LINGER_SECONDS)

    def _wait(self, seconds: float) -> None:
        """Wait no longer than this. A timer that runs already looks again when it fires: most never have to."""
        self._due = self._loop.time() + seconds
        if self._timer is None or self._timer.when() > self._due:
            self._stop_timer()
            self._timer = self._loop.call_at(self._due, self._late)

    def _late(self) -> None:
        self._timer = None
        now = self._loop.time()
        if now < self._due:
            self._timer = self._loop.call_at(min(self._due, now + IDLE_SECONDS), self._late)
            return
        if self._head_size and not self._whole and not self.too_large:
            self._turn_away(408)
        elif self._transport is not None:
            self._transport.close()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
