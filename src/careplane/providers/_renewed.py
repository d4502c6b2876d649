"""Tokens and temporary keys: fetched once for all who wait, kept until shortly before their end, then fetched again."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary

from careplane.errors import UpstreamError

T = TypeVar("T")
_MARGIN_SECONDS = 300.0
_NEW_SECONDS = 30.0
_LIVES = 0.2
"""A value is renewed this part of its life before its end, at most the margin."""


class Renewed(Generic[T]):
    """One value with an end. ``fetch`` gives it and its end as seconds since 1970.

    Requests of one event loop share a fetch; a caller that goes away does not stop it for the others. While a value
    still holds, failing to renew it is not an error.
    """

    def __init__(self, fetch: Callable[[], Awaitable[tuple[T, float]]], clock: Callable[[], float] = time.time) -> None:
        self._fetch = fetch
        self._clock = clock
        self._held: tuple[T, float, float] | None = None
        self._since = 0.0
        self._flights: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Task[T]] = WeakKeyDictionary()

    async def get(self) -> T:
        """The value.

        Raises:
            UpstreamError: there is none that holds and none could be fetched.
        """
        held = self._held
        now = self._clock()
        if held is not None and now < held[2]:
            return held[0]
        try:
            return await asyncio.shield(self._flight())
        except UpstreamError:
            if held is not None and now < held[1]:
                return held[0]
            raise

    def forget(self) -> None:
        """Somebody did not accept the value: fetch another at the next call, unless this one is new."""
        if self._held is not None and self._clock() - self._since > _NEW_SECONDS:
            self._held = None

    def _flight(self) -> asyncio.Task[T]:
        loop = asyncio.get_running_loop()
        flight = self._flights.get(loop)
        if flight is None:
            flight = self._flights[loop] = loop.create_task(self._renew())
            flight.add_done_callback(self._landed)
        return flight

    def _landed(self, flight: asyncio.Task[T]) -> None:
        """Let go of the loop; where whoever waited has gone, its failure is nobody's."""
        self._flights.pop(flight.get_loop(), None)
        if not flight.cancelled():
            flight.exception()

    async def _renew(self) -> T:
        value, ends = await self._fetch()
        now = self._since = self._clock()
        self._held = (value, ends, ends - min(_MARGIN_SECONDS, _LIVES * max(0.0, ends - now)))
        return value
