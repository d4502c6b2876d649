"""How much of what strangers send is put on record: anybody can send it, and the ledger is kept for ever."""

import time
from collections.abc import Callable

MOST_A_MINUTE = 600


class Strangers:
    """Lets so many refusals of strangers a minute into the ledger, and counts the others. Of one event loop.

    ``clock`` counts seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._minute = float("-inf")
        self._taken = 0
        self._passed_over = 0

    def take(self) -> int | None:
        """Whether a refusal is put on record: how many were not since the last record, or ``None`` for no."""
        now = self._clock()
        if now - self._minute >= 60:
            self._minute, self._taken = now, 0
        if self._taken >= MOST_A_MINUTE:
            self._passed_over += 1
            return None
        self._taken += 1
        passed_over, self._passed_over = self._passed_over, 0
        return passed_over
