"""One attempt at a time in this process: who comes second waits for the first and finds what it left.

A hook that runs in line and the durable worker may be given the same event, each in an event loop of its own.
"""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import Future
from contextlib import asynccontextmanager

_UNDER_WAY: dict[tuple[int, str], "Future[None]"] = {}


@asynccontextmanager
async def alone(owner: object, key: str) -> AsyncIterator[bool]:
    """Hold ``key`` until the block ends; gives whether another held it first.

    Args:
        owner: whose key it is; two owners never wait for each other.
        key: what one task at a time may do.
    """
    held, mine, waited = (id(owner), key), Future[None](), False
    while (other := _UNDER_WAY.setdefault(held, mine)) is not mine:
        # Cancelling who waits must not end the wait of the others.
        waited = True
        await asyncio.shield(asyncio.wrap_future(other))
    try:
        yield waited
    finally:
        del _UNDER_WAY[held]
        mine.set_result(None)
