"""The data plane inside an ASGI server: the same exchanges as on the raw listener."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from careplane.gateway.exchange import MAX_BODY, Handler

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
        exchange = _AsgiExchange(scope, body, send)
        task = asyncio.ensure_future(handler(exchange))
        watch = asyncio.get_running_loop().call_later(_WATCH_AFTER, _watch, receive, task)
        try:
            await task
        except asyncio.CancelledError:
            if not task.cancelled():  # the server ends, not the client
                task.cancel()
                raise
        finally:
            watch.cancel()
            for watcher in _watchers.pop(task, ()):
                watcher.cancel()

    return app


_watchers: "dict[asyncio.Future[None], list[asyncio.Task[None]]]" = {}


def _watch(receive: _Receive, task: "asyncio.Future[None]") -> None:
    async def until_gone() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        task.cancel()

    _watchers.setdefault(task, []).append(asyncio.get_running_loop().create_task(until_gone()))


async def _read(receive: _Receive) -> bytes | None:
    """The body, at most one byte more than allowed; ``None`` if the client went away meanwhile."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        part = message.get("body", b"")
        size += len(part)
        if size <= MAX_BODY + 1:
            parts.append(part)
        if size > MAX_BODY or not message.get("more_body", False):
            return b"".join(parts) if size <= MAX_BODY else b" " * (MAX_BODY + 1)


class _AsgiExchange:
    def __init__(self, scope: MutableMapping[str, Any], body: bytes, send: _Send) -> None:
        self._send = send
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.headers: Mapping[str, str] = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        self.body = body

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
        lines = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        await self._send({"type": "http.response.start", "status": status, "headers": lines})
