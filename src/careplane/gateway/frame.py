"""The frame of one call: from the moment that a model may be asked to its end, however that comes."""

import asyncio
from types import TracebackType
from typing import Protocol

from careplane.errors import CareplaneError, LedgerError, Refused, UpstreamTimeout
from careplane.gateway.attempts import Call as Tries
from careplane.gateway.call import Call, Fact, Held
from careplane.gateway.deadline import Deadline
from careplane.gateway.standing import ActiveCall, Stops
from careplane.gateway.telemetry import Telemetry


class Book(Protocol):
    """Where the end of a call is written."""

    async def append(self, kind: str, call: Call, **more: Fact) -> None:
        """Durable when this returns."""

    def later(self, call: Call) -> None:
        """The same for a call whose task may not wait any more."""


class Frame:
    """The time of one call: its limits in time, its stop, and its end, which is on record however it came."""

    def __init__(self, call: Call, held: Held | None, stops: Stops | None, telemetry: Telemetry, book: Book) -> None:
        self.call = call
        self.closed = False
        self.tries: Tries | None = None
        self._held = held
        self._stops = stops
        self._telemetry = telemetry
        self._book = book
        self._active: ActiveCall | None = None

    async def __aenter__(self) -> "Frame":
        self._deadline = Deadline(self.call.route.timeouts.total)
        stops = self._stops
        if stops is not None:
            request = self.call.request
            loop = asyncio.get_running_loop()
            self._active = ActiveCall(request.app, request.site, request.version, loop, self._deadline)
            stops.enter(self._active)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()
        over = self._deadline.leave(kind)
        failure = self._why_over() if over else error
        if self.closed:
            self._tell(200, "")
        elif isinstance(failure, CareplaneError):
            await self._failed(failure)
        elif failure is not None:  # the caller is gone, or a fault of ours: either way the call was made
            self._tell(499, "aborted")
            self._book.later(self.call)
        if over and failure is not None:
            raise failure from None

    @property
    def reserved(self) -> dict[str, Fact]:
        """What is reserved of budgets: it counts if this process ends before the call does."""
        hold = None if self._held is None else self._held.hold
        return {} if hold is None else {"reserved_usd": hold.usd}

    def _leave(self) -> None:
        if self._active is not None and self._stops is not None:
            self._stops.leave(self._active)
        if self.tries is not None:
            self.call.attempts = self.tries.attempts
        if self._held is not None:
            self._settle(self._held)

    def _settle(self, held: Held) -> None:
        """Count what was used; a call that never reached a model used nothing."""
        if self.tries is None:
            held.release(0, 0.0)
        else:
            usage = self.call.meter.usage
            held.release(usage.input_tokens + usage.output_tokens, usage.cost_usd)

    async def _failed(self, failure: CareplaneError) -> None:
        self.call.finish = "error"
        self._tell(failure.status, type(failure).__name__)
        if not isinstance(failure, LedgerError):
            await self._book.append("model_error", self.call, error=type(failure).__name__)

    def _tell(self, status: int, error: str) -> None:
        self._telemetry.left(self.call.observe(status, error))

    def _why_over(self) -> CareplaneError:
        if self._active is not None and self._active.halted is not None:
            return Refused(
                [f"{self.call.request.app} was stopped: {self._active.halted}."], "A second person releases the stop."
            )
        return UpstreamTimeout("The model did not answer within the time that the route allows.")
