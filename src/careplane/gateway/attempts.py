"""Attempts: a call is tried on the targets of a route in order, until the first piece of an answer is there.

What is tried again, and where:

======================================  =====================================================================
outcome                                 next
======================================  =====================================================================
``UpstreamRejected``                    a model that may accept it (:data:`ELSEWHERE`), else the client is told
``UpstreamBusy``                        the next target; the last one again, when it asks for less time than is left
``UpstreamTimeout`` (connect, token)    the next target
other ``UpstreamError``                 the same target once more, then the next
after the first piece                   nothing: the client has seen it
======================================  =====================================================================

The same target is asked again only while the retry budget has something left (as in Finagle and gRPC, retries are at
most a share of the calls), after exponential backoff with full jitter (M. Brooker, "Exponential Backoff And Jitter",
AWS, 2015). So an outage is not amplified.
"""

import asyncio
import random
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from typing import Literal, TypeVar

from careplane.errors import UpstreamBusy, UpstreamError, UpstreamRejected, UpstreamTimeout
from careplane.gateway.breaker import Breaker, Breakers
from careplane.gateway.routing import Target, Timeouts
from careplane.gateway.watch import Watch, within
from careplane.providers import Chunk
from careplane.records import Record

T = TypeVar("T")
Outcome = Literal["ok", "timeout", "busy", "rejected", "failed", "left", "skipped"]

ELSEWHERE = frozenset({"context_length_exceeded", "not_found", "authentication"})
"""Rejections that another model may not share. A content filter is not among them: going round it is no fallback."""

_NOTHING = Chunk()


class RetryRules(Record, frozen=True):
    """``again`` is how often one target may be asked again; waits are in seconds. A model that asks for more patience
    than ``longest_asked`` is not waited for: the client is told how long, and its connection is free."""

    again: int = 1
    first_wait: float = 0.25
    longest_wait: float = 8.0
    longest_asked: float = 10.0


class RetryBudget:
    """Retries as a share of calls, and a few per second so that a quiet gateway may retry at all. Thread-safe.

    Each call puts ``share`` of a retry in, each second ``per_second``; each retry takes one out. At most ``most`` are
    kept, so a good hour does not pay for a storm.
    """

    def __init__(
        self,
        share: float = 0.1,
        per_second: float = 0.5,
        most: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._share = share
        self._per_second = per_second
        self._most = most
        self._clock = clock
        self._left = most
        self._at = clock()
        self._lock = threading.Lock()
        self.refused = 0

    def called(self) -> None:
        """A call begins."""
        with self._lock:
            self._left = min(self._most, self._left + self._share)

    def take(self) -> bool:
        """Take one retry, if there is one."""
        with self._lock:
            now = self._clock()
            self._left = min(self._most, self._left + (now - self._at) * self._per_second)
            self._at = now
            if self._left < 1:
                self.refused += 1
                return False
            self._left -= 1
            return True


class Attempt(Record, frozen=True):
    """One try, for the ledger and for spans. ``error`` is the code or kind of a failure, never a provider's words;
    ``waited_ms`` is the backoff before it; ``first_ms`` the time to the first piece."""

    target: str
    outcome: Outcome
    latency_ms: float
    first_ms: float | None = None
    waited_ms: float = 0.0
    error: str = ""


class Caller:
    """What all calls of a gateway share: breakers, the retry budget and the rules. ``rng`` gives jitter in [0, 1)."""

    def __init__(
        self,
        breakers: Breakers | None = None,
        budget: RetryBudget | None = None,
        rules: RetryRules | None = None,
        rng: Callable[[], float] = random.random,
    ) -> None:
        self.breakers = breakers or Breakers()
        self.budget = budget or RetryBudget()
        self.rules = rules or RetryRules()
        self.rng = rng

    def healthy(self, target: Target) -> bool:
        """Whether the breaker of a target would let a call pass; for the planner."""
        return self.breakers.of(target.key).healthy

    def begin(self, targets: Sequence[Target], timeouts: Timeouts | None = None) -> "Call":
        """A call over targets, in order; its total time runs from here."""
        self.budget.called()
        return Call(self, targets, timeouts or Timeouts())


class Call:
    """One call: iterate :meth:`stream`, or await :meth:`once`; then ``target`` is who answered, ``attempts`` how."""

    def __init__(self, caller: Caller, targets: Sequence[Target], timeouts: Timeouts) -> None:
        self._caller = caller
        self._left = list(reversed(targets))
        self._timeouts = timeouts
        self._deadline = time.monotonic() + timeouts.total
        self.target: Target = targets[0]
        self.attempts: list[Attempt] = []
        self._breaker: Breaker = caller.breakers.of(targets[0].key)
        self._error: UpstreamError | None = None
        self._tries = 0

    async def stream(self, ask: Callable[[Target], AsyncIterator[Chunk]]) -> AsyncGenerator[Chunk, None]:
        """The chunks of the first target that answers, each handed on as it comes.

        Closing the generator closes the provider's, which cancels the upstream call. Empty chunks before the first
        piece are dropped, so that they do not rule out another try.

        Raises:
            UpstreamError: what the last target answered, or what broke the reply in its midst.
        """
        while True:
            attempt = await self._next()
            watch: Watch | None = None
            try:
                watch = Watch(ask(self.target))
                chunk = await self._first(watch, attempt)
                while chunk is not None:
                    yield chunk
                    until = min(self._deadline, time.monotonic() + self._timeouts.between)
                    chunk = await watch.next(until, "rest of its reply")
            except UpstreamError as error:
                attempt.error = error
                if attempt.first is not None:
                    raise
            else:
                attempt.outcome = "ok"
                return
            finally:
                try:
                    if watch is not None:
                        await watch.close()
                finally:
                    self._settle(attempt)

    async def once(self, ask: Callable[[Target], Awaitable[T]], *, timed: bool = True) -> T:
        """One awaited answer (a whole reply, embeddings); tries and errors as in :meth:`stream`.

        ``timed`` false leaves the time to the caller, who has a limit of its own, and to the provider.
        """
        while True:
            attempt = await self._next()
            try:
                until = min(self._deadline, attempt.began + self._timeouts.first_token)
                answer = await (within(ask(self.target), until, "answer") if timed else ask(self.target))
            except UpstreamError as error:
                attempt.error = error
            else:
                attempt.outcome = "ok"
                return answer
            finally:
                self._settle(attempt)

    async def _next(self) -> "_Try":
        """The next try, after its wait; raises the last error when there is nothing left to try."""
        wait = self._again()
        if wait is not None:
            await asyncio.sleep(wait)
            ticket = self._breaker.enter()
            if ticket is not None:
                self._tries += 1
                return _Try(ticket, wait)
        while self._left:
            self.target = self._left.pop()
            self._breaker = self._caller.breakers.of(self.target.key)
            ticket = self._breaker.enter()
            if ticket is not None:
                self._tries = 1
                return _Try(ticket, 0.0)
            self.attempts.append(Attempt(target=self.target.key, outcome="skipped", latency_ms=0.0))
        raise self._error or self._nobody()

    def _again(self) -> float | None:
        """Seconds until the same target is asked again; ``None``: not at all.

        Raises:
            UpstreamError: no other try would change it.
        """
        error = self._error
        if error is None:
            return None
        final = isinstance(error, UpstreamRejected) and error.code not in ELSEWHERE
        if final or time.monotonic() >= self._deadline:
            raise error
        wait = self._wait(error, self._tries)
        return wait if wait is not None and self._caller.budget.take() else None

    def _wait(self, error: UpstreamError, tries: int) -> float | None:
        rules = self._caller.rules
        if tries > rules.again or isinstance(error, UpstreamRejected | UpstreamTimeout):
            return None
        wait = self._caller.rng() * min(rules.longest_wait, rules.first_wait * 2.0 ** (tries - 1))
        if isinstance(error, UpstreamBusy):
            asked = error.retry_after or 0.0
            if self._left or asked > rules.longest_asked:
                return None
            wait += asked
        return wait if time.monotonic() + wait < self._deadline else None

    def _nobody(self) -> UpstreamBusy:
        waits = [self._caller.breakers.of(attempt.target).status.wait_seconds for attempt in self.attempts]
        return UpstreamBusy("No model of this route is healthy now. Try again shortly.", max(1.0, min(waits)))

    async def _first(self, watch: "Watch", attempt: "_Try") -> Chunk | None:
        until = min(self._deadline, attempt.began + self._timeouts.first_token)
        while (chunk := await watch.next(until, "first token")) is not None:
            if chunk != _NOTHING:
                self._breaker.answered(attempt.ticket)
                attempt.first = time.monotonic()
                return chunk
        return None

    def _settle(self, attempt: "_Try") -> None:
        """Tell the breaker how a try ended and keep its record."""
        error = attempt.error
        self._error = error
        retry_after = None
        if isinstance(error, UpstreamRejected) and error.code != "authentication":
            self._breaker.succeeded(attempt.ticket)
        elif error is not None:
            retry_after = error.retry_after if isinstance(error, UpstreamBusy) else None
            self._breaker.failed(attempt.ticket, retry_after)
        elif attempt.outcome == "ok":
            self._breaker.succeeded(attempt.ticket)
        elif attempt.first is None and time.monotonic() - attempt.began >= self._timeouts.first_token:
            attempt.outcome = "timeout"  # whoever gave up first, there was no answer in time
            self._breaker.failed(attempt.ticket)
        else:
            self._breaker.left(attempt.ticket)
        self.attempts.append(attempt.record(self.target))


class _Try:
    """One try under way; without an answer or an error at its end, the caller went away."""

    def __init__(self, ticket: int, waited: float) -> None:
        self.ticket = ticket
        self.began = time.monotonic()
        self.waited = waited
        self.first: float | None = None
        self.error: UpstreamError | None = None
        self.outcome: Outcome = "left"

    def record(self, target: Target) -> Attempt:
        error = self.error
        return Attempt(
            target=target.key,
            outcome=self.outcome if error is None else _outcome(error),
            latency_ms=round((time.monotonic() - self.began) * 1000, 3),
            first_ms=None if self.first is None else round((self.first - self.began) * 1000, 3),
            waited_ms=round(self.waited * 1000, 3),
            error="" if error is None else error.code if isinstance(error, UpstreamRejected) else type(error).__name__,
        )


def _outcome(error: UpstreamError) -> Outcome:
    if isinstance(error, UpstreamTimeout):
        return "timeout"
    if isinstance(error, UpstreamBusy):
        return "busy"
    return "rejected" if isinstance(error, UpstreamRejected) else "failed"
