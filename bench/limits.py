"""What limits, budgets and tries add to a request while leases last, and to a chunk of a stream.

Run ``python bench/limits.py``. One process, SQLite under ``bench/results``; CPU time, so that other load on the machine
does not count.
"""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

from _machine import RESULTS, record
from careplane.gateway.attempts import Caller
from careplane.gateway.budgets import Budget, Budgets
from careplane.gateway.leases import Keeper
from careplane.gateway.limits import Limits, Quota
from careplane.gateway.routing import Need, Route, Routes, Target
from careplane.providers import Chunk
from careplane.store import open_store

CALLS = 20_000
CHUNKS = 400
SUBJECTS = ("app:an_app", "site:north", "key:key-1")
TARGET = Target(provider="local")
PIECE = Chunk(text="piece")


def main() -> None:
    """Measure and record."""
    RESULTS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=RESULTS) as folder:
        record("limits", asyncio.run(measured(Path(folder))))


async def measured(folder: Path) -> dict[str, float]:
    """Microseconds of CPU."""
    store = open_store(f"sqlite:///{folder / 'careplane.db'}")
    keeper = Keeper(store)
    quota = Quota(requests_per_minute=10**8, tokens_per_minute=10**9, concurrent=1000)
    budget = Budget(day=1e6, month=1e7)
    limits = Limits(keeper, dict.fromkeys(SUBJECTS, quota))
    budgets = Budgets(keeper, dict.fromkeys(SUBJECTS[:2], budget))
    route = Route(alias="default", targets=(TARGET, Target(provider="other", weight=0.5)))
    routes, caller = Routes([route]), Caller()

    async def admit() -> None:
        (await limits.admit(SUBJECTS, 1500)).release(900)

    async def reserve() -> None:
        (await budgets.reserve(SUBJECTS[:2], 0.004)).settle(0.002)

    async def plan() -> None:
        routes.plan(route, Need(key="run-1", phi="deidentified"), caller.healthy)

    async def chunks(_: Target) -> AsyncIterator[Chunk]:
        for _number in range(CHUNKS):
            yield PIECE

    async def nothing() -> None:
        return

    async def stream() -> None:
        async for _ in caller.begin([TARGET]).stream(chunks):
            pass

    for _ in range(500):
        await admit()
        await reserve()
    results = {
        "bare_await_us": await each(nothing, CALLS),
        "limits_9_us": await each(admit, CALLS),
        "budgets_4_us": await each(reserve, CALLS),
        "plan_2_targets_us": await each(plan, CALLS),
        "tries_us_per_chunk": round(await each(stream, 100) / CHUNKS, 2),
    }
    keeper.close()
    store.close()
    return results | {"exchanges_with_the_store": keeper.exchanges}


async def each(work: Callable[[], Awaitable[None]], count: int) -> float:
    """Microseconds of CPU of one of them."""
    began = time.process_time()
    for _ in range(count):
        await work()
    return round((time.process_time() - began) / count * 1e6, 2)


if __name__ == "__main__":
    main()
