"""The listening end: connections that stay open, blocks cut and joined anyhow, answers in the order of the messages.

Messages that came together are answered together, so that they share one write to the disk; while they are, nothing
more is read from their connection. A block must be complete within a time of its first byte, whatever trickles in.
"""

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass

from careplane.codecs.hl7v2 import Block, Blocks, block
from careplane.codecs.hl7v2.framing import MAX_BYTES

Answer = Callable[[Block, str], Awaitable[Sequence[bytes]]]
"""What a block is answered with, given the address of its sender: messages, in order; none for no answer."""

_APART = 0.02
"""Seconds between the two acknowledgements of enhanced mode: some clients read one block from what comes together."""
_CHUNK = 256 * 1024
_GRACE_SECONDS = 10.0
log = logging.getLogger("careplane.mllp")


@dataclass(frozen=True, slots=True)
class Limits:
    """What a listener allows.

    ``block_seconds`` is the time for one whole block and for the reading of an answer; ``idle_seconds`` the time
    without any (0: no limit, interfaces stay connected for days).
    """

    connections: int = 64
    max_bytes: int = MAX_BYTES
    block_seconds: float = 30.0
    idle_seconds: float = 0.0


class Listener:
    """One port. Use it in the event loop that it is started in.

    Args:
        answer: makes the answers; must not raise.
        limits: what is allowed.
    """

    def __init__(self, answer: Answer, limits: Limits | None = None) -> None:
        self._answer = answer
        self._limits = limits or Limits()
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._reading: set[asyncio.Task[None]] = set()

    async def start(self, sock: socket.socket, tls: ssl.SSLContext | None = None) -> None:
        """Listen on a bound socket, over TLS with a context."""
        handshake = self._limits.block_seconds if tls else None
        self._server = await asyncio.start_server(
            self._serve, sock=sock, ssl=tls, ssl_handshake_timeout=handshake, limit=_CHUNK
        )

    async def stop(self) -> None:
        """Take no more, finish the answers that are being made, and close."""
        if self._server is None:
            return
        self._server.close()
        for task in self._reading:
            task.cancel()
        if self._connections:
            _, late = await asyncio.wait(self._connections, timeout=_GRACE_SECONDS)
            for task in late:
                task.cancel()
        self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection from its beginning to its end."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - start_server makes a task of it
        if len(self._connections) >= self._limits.connections:
            log.warning("a connection was closed: %d are open, which is the limit", len(self._connections))
            writer.transport.abort()
            return
        self._connections.add(task)
        try:
            await _Connection(self, reader, writer, task).run()
        except (ConnectionError, TimeoutError, ssl.SSLError):
            log.info("a connection broke off")
        except asyncio.CancelledError:
            log.info("a connection is closed since the listener stops")
        finally:
            self._connections.discard(task)
            writer.close()
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await asyncio.wait_for(writer.wait_closed(), 1.0)


class _Connection:
    """What one sender sends."""

    def __init__(
        self,
        listener: Listener,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        task: "asyncio.Task[None]",
    ) -> None:
        self._of = listener
        self._limits = listener._limits
        self._reader, self._writer, self._task = reader, writer, task
        self._blocks = Blocks(self._limits.max_bytes)
        self._due: float | None = None
        name = writer.get_extra_info("peername")
        self._peer = str(name[0]) if isinstance(name, tuple) else "local"
        raw = writer.get_extra_info("socket")
        if raw is not None:
            with contextlib.suppress(OSError):
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    async def run(self) -> None:
        """Read and answer until the sender ends, or says nothing in the middle of a block."""
        while chunk := await self._read():
            await self._send(self._blocks.feed(chunk))
        rest = self._blocks.ended()
        if rest is not None:
            await self._send([rest])

    async def _read(self) -> bytes:
        """The next bytes; none at the end, or when the time is over."""
        self._of._reading.add(self._task)
        try:
            async with asyncio.timeout(self._patience()):
                return await self._reader.read(_CHUNK)
        except TimeoutError:
            return b""
        finally:
            self._of._reading.discard(self._task)

    def _patience(self) -> float | None:
        now = asyncio.get_running_loop().time()
        if not self._blocks.begun:
            self._due = None
            return self._limits.idle_seconds or None
        if self._due is None:
            self._due = now + self._limits.block_seconds
        return max(self._due - now, 0.0)

    async def _send(self, blocks: Iterable[Block]) -> None:
        """Answer blocks, together."""
        asked = [self._of._answer(one, self._peer) for one in blocks]
        if not asked:
            return
        self._due = None
        answered = [await asked[0]] if len(asked) == 1 else await asyncio.gather(*asked)
        self._writer.write(b"".join(block(messages[0]) for messages in answered if messages))
        for message in (later for messages in answered for later in messages[1:]):
            await asyncio.sleep(_APART)
            self._writer.write(block(message))
        async with asyncio.timeout(self._limits.block_seconds):
            await self._writer.drain()
