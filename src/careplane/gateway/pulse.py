"""Signs of life on a stream: a model that thinks for a minute must not look like a connection that is dead.

Proxies between a client and the gateway close what is silent for long; what is sent means nothing to a client.
"""

import asyncio

from careplane.codecs.dialect import Encoder
from careplane.gateway.exchange import Exchange

KEEPALIVE_SECONDS = 15.0


class Pulse:
    """Writes to a stream, and by itself when nothing was written for ``seconds``. One timer per stream."""

    __slots__ = ("_encoder", "_exchange", "_last", "_loop", "_seconds", "_sending", "_timer", "_writing")

    def __init__(self, exchange: Exchange, encoder: Encoder, seconds: float = KEEPALIVE_SECONDS) -> None:
        self._exchange = exchange
        self._encoder = encoder
        self._seconds = seconds
        self._loop = asyncio.get_running_loop()
        self._last = self._loop.time()
        self._writing = False
        self._sending: asyncio.Task[None] | None = None
        self._timer = self._loop.call_later(seconds, self._tick)

    async def write(self, piece: bytes) -> None:
        """Send a piece; returns when the client reads fast enough to take more."""
        if self._sending is not None:
            await asyncio.wait({self._sending})
        self._writing = True
        await self._exchange.write(piece)
        self._writing = False
        self._last = self._loop.time()

    def end(self) -> None:
        """Stop."""
        self._timer.cancel()
        if self._sending is not None:
            self._sending.cancel()

    def _tick(self) -> None:
        quiet = self._loop.time() - self._last
        if quiet >= self._seconds and not self._writing:
            self._sending = self._loop.create_task(self._exchange.write(self._encoder.keepalive()))
            self._sending.add_done_callback(self._sent)
            quiet = 0.0
        self._timer = self._loop.call_later(max(self._seconds - quiet, 0.01), self._tick)

    def _sent(self, task: "asyncio.Task[None]") -> None:
        self._sending = None
        self._last = self._loop.time()
        if not task.cancelled():
            task.exception()  # a client that is gone: whoever serves the stream is told as well
