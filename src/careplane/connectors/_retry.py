"""Sending again when the other side asks for it or fell over: bounded, with growing pauses, honouring Retry-After."""

import random
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from careplane.errors import UpstreamAway, UpstreamError, UpstreamTimeout
from careplane.records import Record

ATTEMPTS = 4
FIRST_PAUSE = 0.25
LONGEST_PAUSE = 20.0

_BUSY = frozenset({429, 503})
"""The server did not act on the request, so any request may be sent again."""

_FAILED = frozenset({500, 502, 504})
"""The server may have acted; only a repeatable request is sent again."""

_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)

Sleep = Callable[[float], Awaitable[None]]


class Answer(Record, frozen=True):
    """An HTTP answer whose body is held in memory. Its text never shows the body."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    def __repr__(self) -> str:
        return f"Answer(status={self.status}, bytes={len(self.content)})"

    def header(self, name: str) -> str:
        """A header by its name in lower case; "" when it is not there."""
        return self.headers.get(name, "")


async def send_with_retry(
    attempt: Callable[[], Awaitable[Answer]], what: str, sleep: Sleep, *, repeatable: bool
) -> Answer:
    """Make an attempt up to ``ATTEMPTS`` times; the last answer is returned whatever its status.

    Args:
        attempt: sends the request once and reads the answer.
        what: method and resource type, for messages.
        sleep: waits between attempts.
        repeatable: whether sending twice is harmless when the fate of an attempt is unknown.

    Raises:
        UpstreamTimeout: no answer in time, after all attempts.
        UpstreamAway: no connection, after all attempts.
    """
    for number in range(1, ATTEMPTS):
        try:
            answer = await attempt()
        except (httpx.TransportError, TimeoutError) as error:
            if not (repeatable or isinstance(error, _NEVER_SENT)):
                raise unreachable(error, what) from error
            await sleep(pause(number))
            continue
        if answer.status not in (_BUSY | _FAILED if repeatable else _BUSY):
            return answer
        await sleep(asked_pause(answer.header("retry-after")) or pause(number))
    try:
        return await attempt()
    except (httpx.TransportError, TimeoutError) as error:
        raise unreachable(error, what) from error


def unreachable(error: Exception, what: str) -> UpstreamError:
    """The error of ours for a transport that failed."""
    if isinstance(error, httpx.TimeoutException | TimeoutError):
        return UpstreamTimeout(f"{what}: the EHR did not answer in time.")
    why = type(error).__name__
    return UpstreamAway(f"{what}: no connection to the EHR ({why}). Check base_url and the network.", "ehr")


def pause(attempt: int) -> float:
    """Doubles with each attempt, with jitter, so that many clients do not return at the same moment."""
    return float(FIRST_PAUSE * 2 ** (attempt - 1) * random.uniform(0.5, 1.5))  # noqa: S311 - not for secrets


def asked_pause(header: str | None, longest: float = LONGEST_PAUSE) -> float | None:
    """Seconds that a Retry-After header asks for (a number or an HTTP date), at most ``longest``."""
    if not header:
        return None
    try:
        seconds = float(header) if header.strip().isdigit() else _until(header)
    except ValueError:
        return None
    return min(max(seconds, 0.0), longest)


def _until(date: str) -> float:
    at = parsedate_to_datetime(date)
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return (at - datetime.now(UTC)).total_seconds()
