"""How late the event loop is: the sign that a process has more to do than it can, before anybody waits for long."""

import asyncio
import time

EVERY_SECONDS = 0.01
FADES = 0.8
"""What is left of a lateness with each look, so that one slow moment does not shut the door for long."""


class LoopLag:
    """Looks every ``EVERY_SECONDS`` how late it is woken; ``seconds`` is the recent lateness. Starts by itself in the
    loop that asks first."""

    def __init__(self) -> None:
        self._seconds = 0.0
        self._due = 0.0
        self._watching: asyncio.Task[None] | None = None

    @property
    def seconds(self) -> float:
        """The recent lateness; a wake-up that is overdue counts at once."""
        if self._watching is None:
            self._watching = asyncio.ensure_future(self._watch())
            self._due = time.monotonic() + EVERY_SECONDS
        return max(self._seconds, time.monotonic() - self._due)

    def end(self) -> None:
        """Stop looking."""
        if self._watching is not None:
            self._watching.cancel()

    async def _watch(self) -> None:
        while True:
            self._due = time.monotonic() + EVERY_SECONDS
            await asyncio.sleep(EVERY_SECONDS)
            self._seconds = max(time.monotonic() - self._due, self._seconds * FADES)
