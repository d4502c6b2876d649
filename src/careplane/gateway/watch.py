"""Waiting for a provider no longer than allowed, at next to no cost per chunk."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable
from typing import TypeVar

from careplane.errors import UpstreamTimeout
from careplane.providers import Chunk

T = TypeVar("T")


class Watch:
    """Awaits the chunks of a reply, each until a time of the monotonic clock.

    One timer serves the whole reply, where ``asyncio.timeout`` would make and cancel one per chunk, at 6 us a chunk. It
    runs only while a chunk is awaited, so it never cancels what the client's side does meanwhile.
    """

    __slots__ = ("_chunks", "_due", "_handle", "_over", "_task", "_until")

    def __init__(self, chunks: AsyncIterator[Chunk]) -> None:
        self._chunks = chunks
        self._handle: asyncio.TimerHandle | None = None
        self._due = 0.0
        self._until = 0.0
        self._task: asyncio.Task[object] | None = None
        self._over = False

    async def next(self, until: float, what: str) -> Chunk | None:
        """The next chunk, ``None`` after the last.

        Raises:
            UpstreamTimeout: the time is over; the provider's generator was cancelled.
        """
        now = time.monotonic()
        if now >= until:
            raise _late(what)
        self._until = until
        if self._handle is None or self._due > until:
            self._arm(now)
        task = self._task = asyncio.current_task()
        asked = 0 if task is None else task.cancelling()
        try:
            return await anext(self._chunks, None)
        except asyncio.CancelledError as error:
            # ours, and nobody else's (as in asyncio.timeout)
            if self._over and task is not None and task.uncancel() <= asked:
                raise _late(what) from error
            raise
        except TimeoutError as error:
            raise _late(what) from error
        finally:
            self._task = None

    async def close(self) -> None:
        """No more chunks are awaited; the provider's generator is closed, which cancels its call."""
        if self._handle is not None:
            self._handle.cancel()
        if isinstance(self._chunks, AsyncGenerator):
            await self._chunks.aclose()

    def _arm(self, now: float) -> None:
        if self._handle is not None:
            self._handle.cancel()
        self._due = self._until
        self._handle = asyncio.get_running_loop().call_later(self._until - now, self._fire)

    def _fire(self) -> None:
        self._handle = None
        if self._task is None:
            return
        now = time.monotonic()
        if now < self._until:
            self._arm(now)
        else:
            self._over = True
            self._task.cancel()


def _late(what: str) -> UpstreamTimeout:
    return UpstreamTimeout(f"The model did not send its {what} in time.")


async def within(awaited: Awaitable[T], until: float, what: str) -> T:
    """Await, until a time of the monotonic clock.

    Raises:
        UpstreamTimeout: the time is over.
    """
    try:
        async with asyncio.timeout(max(0.0, until - time.monotonic())):
            return await awaited
    except TimeoutError as error:
        raise _late(what) from error
