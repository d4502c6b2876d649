"""One attempt at a time in this process: who comes second waits for the first and finds what it left.

A hook that runs in line and the durable worker may be given the same event, each in an event loop of its own.
"""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import Future
from contextlib import asynccontextmanager

_UNDER_WAY: dict[tuple[int, str], "Future[None]"] = {}


@asynccontextmanager
async def alone(owner: object, key: str) -> AsyncIterator[None]:
    """Hold ``key`` until the block ends.

    Args:
        owner: whose key it is; two owners never wait for each other.
        key: what one task at a time may do.
    """
    held, mine = (id(owner), key), Future[None]()
    while (other := _UNDER_WAY.setdefault(held, mine)) is not mine:
        # Cancelling who waits must not end the wait of the others.
        await asyncio.shield(asyncio.wrap_future(other))
    try:
        yield
    finally:
        del _UNDER_WAY[held]
        mine.set_result(None)
