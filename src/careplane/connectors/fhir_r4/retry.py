"""Sending again when the other side asks for it or fell over: bounded, with growing pauses, honouring Retry-After."""

import random
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from careplane.errors import UpstreamAway, UpstreamError, UpstreamTimeout

ATTEMPTS = 4
FIRST_PAUSE = 0.25
LONGEST_PAUSE = 20.0

_BUSY = frozenset({429, 503})
"""The server did not act on the request, so any request may be sent again."""

_FAILED = frozenset({500, 502, 504})
"""The server may have acted; only a repeatable request is sent again."""

_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


async def send_with_retry(
    client: httpx.AsyncClient,
    request: httpx.Request,
    what: str,
    sleep: Callable[[float], Awaitable[None]],
    *,
    repeatable: bool,
) -> httpx.Response:
    """Send a request up to ``ATTEMPTS`` times; the last answer is returned whatever its status.

    Args:
        client: the client to send with.
        request: a request whose body is held in memory.
        what: method and resource type, for messages.
        sleep: waits between attempts.
        repeatable: whether sending twice is harmless when the fate of an attempt is unknown.

    Raises:
        UpstreamTimeout: no answer in time, after all attempts.
        UpstreamAway: no connection, after all attempts.
    """
    for attempt in range(1, ATTEMPTS):
        try:
            response = await client.send(request)
        except httpx.TransportError as error:
            if not (repeatable or isinstance(error, _NEVER_SENT)):
                raise _unreachable(error, what) from error
            await sleep(_pause(attempt))
            continue
        if response.status_code not in (_BUSY | _FAILED if repeatable else _BUSY):
            return response
        await sleep(_asked(response.headers.get("Retry-After")) or _pause(attempt))
    try:
        return await client.send(request)
    except httpx.TransportError as error:
        raise _unreachable(error, what) from error


def _unreachable(error: httpx.TransportError, what: str) -> UpstreamError:
    if isinstance(error, httpx.TimeoutException):
        return UpstreamTimeout(f"{what}: the EHR did not answer in time.")
    why = type(error).__name__
    return UpstreamAway(f"{what}: no connection to the EHR ({why}). Check base_url and the network.", "ehr")


def _pause(attempt: int) -> float:
    """Doubles with each attempt, with jitter, so that many clients do not return at the same moment."""
    return float(FIRST_PAUSE * 2 ** (attempt - 1) * random.uniform(0.5, 1.5))  # noqa: S311 - not for secrets


def _asked(header: str | None) -> float | None:
    """Seconds that a Retry-After header asks for (a number or an HTTP date), at most ``LONGEST_PAUSE``."""
    if not header:
        return None
    try:
        seconds = float(header) if header.strip().isdigit() else _until(header)
    except ValueError:
        return None
    return min(max(seconds, 0.0), LONGEST_PAUSE)


def _until(date: str) -> float:
    at = parsedate_to_datetime(date)
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return (at - datetime.now(UTC)).total_seconds()
