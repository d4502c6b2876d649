"""Shadow traffic: copies of requests that a candidate model answers in the background, to no client."""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable

from careplane.errors import CareplaneError
from careplane.gateway.prices import worst_cost
from careplane.records import JSON
from careplane.records.model import Price

log = logging.getLogger("careplane.gateway")


class Shadows:
    """Runs copies, at most ``most`` at a time; what would exceed that is left out and counted, never queued."""

    def __init__(self, most: int = 4, timeout_seconds: float = 120.0) -> None:
        self._most = most
        self._timeout = timeout_seconds
        self._running: set[asyncio.Task[None]] = set()
        self.counts: Counter[str] = Counter(started=0, finished=0, failed=0, left_out=0)

    def offer(self, copy: Callable[[], Awaitable[object]]) -> bool:
        """Start a copy in the background; says whether there was room. ``copy`` does its own shield, budget and record.

        Call it once the client has its reply. An error of the copy is counted and goes no further.
        """
        if len(self._running) >= self._most:
            self.counts["left_out"] += 1
            return False
        self.counts["started"] += 1
        task = asyncio.get_running_loop().create_task(self._run(copy))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return True

    async def _run(self, copy: Callable[[], Awaitable[object]]) -> None:
        try:
            async with asyncio.timeout(self._timeout):
                await copy()
        except (CareplaneError, TimeoutError) as error:
            self.counts["failed"] += 1
            log.warning("a shadow copy failed: %s", type(error).__name__)
        else:
            self.counts["finished"] += 1

    async def close(self) -> None:
        """Cancel what runs and wait for it."""
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def worst_of(price: Price | None, body: JSON) -> float | None:
    """What a copy may cost at most, in USD; ``None`` when its price is not known."""
    return None if price is None else worst_cost(price, body, int(body.get("max_tokens") or 0))
