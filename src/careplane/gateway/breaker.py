"""Circuit breakers: a target that fails gets no traffic for a while, then one probe decides.

Closed: calls pass, and a rolling window counts them. Open: nothing passes. Half-open: one probe passes; its success
closes the breaker, its failure opens it again for longer. (M. Nygard, *Release It!*, 2007, chapter 5.)
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Literal

from careplane.records import Record

State = Literal["closed", "open", "half_open"]
LONGEST_WAIT = 300.0
"""A provider's Retry-After beyond this many seconds is not believed."""


class BreakerRules(Record, frozen=True):
    """Opens when at least ``least_calls`` of the last ``window_seconds`` are known and ``failing_share`` of them
    failed. It stays open for ``open_seconds``, doubled with each failed probe up to ``most_open_seconds``."""

    window_seconds: float = 30.0
    least_calls: int = 10
    failing_share: float = 0.5
    open_seconds: float = 5.0
    most_open_seconds: float = 120.0


class BreakerStatus(Record, frozen=True):
    """For metrics and pages: ``calls`` and ``failures`` are of the window, ``wait_seconds`` is how long it stays open,
    ``opened`` how often it opened since the start."""

    target: str
    state: State
    calls: int
    failures: int
    wait_seconds: float = 0.0
    opened: int = 0


class Breaker:
    """The breaker of one target; safe to share between threads. ``clock`` is monotonic, in seconds."""

    def __init__(
        self, target: str, rules: BreakerRules | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._target = target
        self._rules = rules = rules or BreakerRules()
        self._clock = clock
        self._lock = threading.Lock()
        self._calls: deque[tuple[float, bool]] = deque()
        self._failures = 0
        self._open_until: float | None = None
        self._open_for = rules.open_seconds
        self._probe: int | None = None
        self._generation = 0
        self._opened = 0

    @property
    def healthy(self) -> bool:
        """Whether a call would pass now; nothing is taken."""
        with self._lock:
            return self._open_until is None or (self._clock() >= self._open_until and self._probe is None)

    def enter(self) -> int | None:
        """A pass for one call, to be given to exactly one of :meth:`succeeded`, :meth:`failed`, :meth:`left`;
        ``None`` when nothing passes."""
        with self._lock:
            if self._open_until is None:
                return self._generation
            if self._clock() < self._open_until or self._probe is not None:
                return None
            self._generation += 1
            self._probe = self._generation
            return self._probe

    def answered(self, ticket: int) -> None:
        """The first piece of an answer is there: a probe need not wait for the last one."""
        with self._lock:
            if ticket == self._probe:
                self._close()

    def succeeded(self, ticket: int) -> None:
        """The call was answered (an answer that rejects the request is one, too)."""
        with self._lock:
            if ticket == self._probe:
                self._close()
            elif ticket == self._generation and self._open_until is None:
                self._count(failed=False)

    def failed(self, ticket: int, retry_after: float | None = None) -> None:
        """The call failed; ``retry_after`` is what the provider asked for, in seconds."""
        with self._lock:
            if ticket == self._probe:
                self._open_for = min(2 * self._open_for, self._rules.most_open_seconds)
                self._open(retry_after)
            elif ticket == self._generation and self._open_until is None:
                self._count(failed=True)
                enough = len(self._calls) >= self._rules.least_calls
                if enough and self._failures >= self._rules.failing_share * len(self._calls):
                    self._open(retry_after)

    def left(self, ticket: int) -> None:
        """The caller went away before there was an answer: it says nothing about the target."""
        with self._lock:
            if ticket == self._probe:
                self._probe = None

    @property
    def status(self) -> BreakerStatus:
        """State and counts as of now."""
        with self._lock:
            now = self._clock()
            self._forget(now)
            wait = 0.0 if self._open_until is None else max(0.0, self._open_until - now)
            state: State = "closed" if self._open_until is None else "open" if wait else "half_open"
            return BreakerStatus(
                target=self._target,
                state=state,
                calls=len(self._calls),
                failures=self._failures,
                wait_seconds=round(wait, 3),
                opened=self._opened,
            )

    def _count(self, *, failed: bool) -> None:
        now = self._clock()
        self._calls.append((now, failed))
        self._failures += failed
        self._forget(now)

    def _forget(self, now: float) -> None:
        while self._calls and self._calls[0][0] <= now - self._rules.window_seconds:
            self._failures -= self._calls.popleft()[1]

    def _open(self, retry_after: float | None) -> None:
        wait = max(self._open_for, min(retry_after or 0.0, LONGEST_WAIT))
        self._open_until = self._clock() + wait
        self._probe = None
        self._generation += 1  # what is still under way was sent before; its outcome is old news
        self._opened += 1
        self._calls.clear()
        self._failures = 0

    def _close(self) -> None:
        self._open_until = None
        self._probe = None
        self._open_for = self._rules.open_seconds


class Breakers:
    """One breaker per target, made when it is first asked for."""

    def __init__(self, rules: BreakerRules | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._rules = rules or BreakerRules()
        self._clock = clock
        self._breakers: dict[str, Breaker] = {}
        self._lock = threading.Lock()

    def of(self, target: str) -> Breaker:
        """The breaker of a target, by its key."""
        found = self._breakers.get(target)
        if found is None:
            with self._lock:
                found = self._breakers.setdefault(target, Breaker(target, self._rules, self._clock))
        return found

    @property
    def statuses(self) -> list[BreakerStatus]:
        """All of them, by name."""
        return [breaker.status for _, breaker in sorted(self._breakers.items())]
