"""The data plane inside an ASGI server: the same exchanges as on the raw listener."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from careplane.gateway.exchange import MAX_BODY, Handler, place_of

log = logging.getLogger("careplane.gateway")
_FAULT = b'{"error":{"message":"Something is wrong on our side.","type":"server_error","param":null,"code":"fault"}}'

_Message = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[_Message]]
_Send = Callable[[_Message], Awaitable[None]]
_WATCH_AFTER = 0.02
"""Seconds before somebody listens whether the client is still there: most refusals and cache hits are over by then."""


def asgi(handler: Handler) -> Callable[[MutableMapping[str, Any], _Receive, _Send], Awaitable[None]]:
    """The handler as an ASGI application (HTTP only)."""

    async def app(scope: MutableMapping[str, Any], receive: _Receive, send: _Send) -> None:
        body = await _read(receive)
        if body is None:
            return
        exchange = _AsgiExchange(scope, *body, send)
        task = asyncio.ensure_future(handler(exchange))
        watch = _Watch(receive, task)
        try:
            await asyncio.wait({task})
        finally:
            watch.end()
            task.cancel()  # a no-op when it is over: only the end of the server comes before
        if not task.cancelled() and (fault := task.exception()) is not None:
            log.error("a call failed", extra={"facts": {"error": type(fault).__name__, "at": place_of(fault)}})
            if not exchange.begun:
                await exchange.reply(500, {"content-type": "application/json"}, _FAULT)

    return app


class _Watch:
    """Cancels a task when its client goes away."""

    def __init__(self, receive: _Receive, task: "asyncio.Future[None]") -> None:
        self._receive = receive
        self._task = task
        self._watcher: asyncio.Task[None] | None = None
        self._timer = asyncio.get_running_loop().call_later(_WATCH_AFTER, self._begin)

    def _begin(self) -> None:
        self._watcher = asyncio.get_running_loop().create_task(self._until_gone())

    async def _until_gone(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._task.cancel()

    def end(self) -> None:
        """Stop watching."""
        self._timer.cancel()
        if self._watcher is not None:
            self._watcher.cancel()


async def _read(receive: _Receive) -> tuple[bytes, bool] | None:
    """The body, ``b""`` if it is too large, and whether it is; ``None`` if the client went away meanwhile."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        part = message.get("body", b"")
        size += len(part)
        if size <= MAX_BODY:
            parts.append(part)
        if size > MAX_BODY or not message.get("more_body", False):
            return (b"".join(parts), False) if size <= MAX_BODY else (b"", True)


class _AsgiExchange:
    def __init__(self, scope: MutableMapping[str, Any], body: bytes, too_large: bool, send: _Send) -> None:
        self._send = send
        self.begun = False
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.headers: Mapping[str, str] = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        self.body = body
        self.too_large = too_large

    async def reply(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        await self._head(status, {**headers, "content-length": str(len(body))})
        await self._send({"type": "http.response.body", "body": body})

    async def begin(self, status: int, headers: Mapping[str, str]) -> None:
        await self._head(status, headers)

    async def write(self, piece: bytes) -> None:
        await self._send({"type": "http.response.body", "body": piece, "more_body": True})

    async def end(self) -> None:
        await self._send({"type": "http.response.body", "body": b""})

    async def _head(self, status: int, headers: Mapping[str, str]) -> None:
        self.begun = True
        lines = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        await self._send({"type": "http.response.start", "status": status, "headers": lines})
