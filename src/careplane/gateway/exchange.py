"""One HTTP request and its reply, whichever server carries it: the raw listener or an ASGI server."""

from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, Protocol

MAX_BODY = 16 * 1024 * 1024
"""Bytes of the largest request: a few images, or a long chart."""


class Exchange(Protocol):
    """What the data plane sees of a connection. Header names are in lower case.

    A body that is ``too_large`` is not kept. When the client goes away, the task that serves the exchange is cancelled.
    """

    method: str
    path: str
    body: bytes
    too_large: bool

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers of the request."""

    async def reply(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """Send the whole reply."""

    async def begin(self, status: int, headers: Mapping[str, str]) -> None:
        """Send the head of a reply that comes in pieces."""

    async def write(self, piece: bytes) -> None:
        """Send a piece; returns when the client reads fast enough to take more."""

    async def end(self) -> None:
        """End a reply that came in pieces."""


def place_of(fault: BaseException) -> str:
    """File and line where an exception was raised."""
    trace = fault.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "unknown" if trace is None else f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}"


Handler = Callable[[Exchange], Coroutine[Any, Any, None]]
"""Serves one exchange; raises nothing but ``asyncio.CancelledError``."""
