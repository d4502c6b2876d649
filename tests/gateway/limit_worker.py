"""One gateway process of the tests: asks for permits or money as fast as it can, and prints what it got as JSON.

Usage: limit_worker.py URL WHAT LIMIT SECONDS [SLOT_SECONDS]
"""

import asyncio
import json
import random
import sys
import time

from careplane.errors import LimitReached
from careplane.gateway import shares
from careplane.gateway.budgets import Budget, Budgets
from careplane.gateway.leases import Keeper
from careplane.gateway.limits import Limits, Quota
from careplane.store import open_store

SUBJECTS = ("app:an_app", "site:north")


async def requests(limits: Limits, until: float) -> dict[str, object]:
    """Count what is admitted by two subjects with the same limit."""
    admitted = refused = 0
    while time.monotonic() < until:
        try:
            with await limits.admit(SUBJECTS, 10):
                admitted += 1
        except LimitReached:
            refused += 1
            await asyncio.sleep(0.01)
        await asyncio.sleep(0)
    return {"admitted": admitted, "refused": refused}


async def slots(limits: Limits, until: float) -> dict[str, object]:
    """Many tasks at once; when each permit was held, on the clock that all processes share."""
    held: list[tuple[float, float]] = []
    refused = 0

    async def client() -> None:
        nonlocal refused
        while time.monotonic() < until:
            try:
                permit = await limits.admit(SUBJECTS)
            except LimitReached:
                refused += 1
                await asyncio.sleep(0.02)
                continue
            began = time.monotonic()
            await asyncio.sleep(random.uniform(0, 0.03))
            held.append((began, time.monotonic()))
            permit.release()

    await asyncio.gather(*(client() for _ in range(12)))
    return {"held": held, "refused": refused}


async def hold(limits: Limits, until: float) -> dict[str, object]:
    """Take slots and keep them, for a test that kills this process."""
    permits = [await limits.admit(SUBJECTS) for _ in range(3)]
    print(json.dumps({"holding": len(permits)}), flush=True)
    await asyncio.sleep(max(0.0, until - time.monotonic()))
    return {}


async def money(budgets: Budgets, until: float) -> dict[str, object]:
    """Reserve a cent a call, spend some of it."""
    spent = refused = 0
    while time.monotonic() < until:
        try:
            reserved = await budgets.reserve(SUBJECTS, 0.01)
        except LimitReached:
            refused += 1
            await asyncio.sleep(0.02)
            continue
        real = random.randrange(0, 10_001)
        reserved.settle(real / 1e6)
        spent += real
        await asyncio.sleep(0)
    return {"spent": spent, "refused": refused}


async def leave(budgets: Budgets, until: float) -> dict[str, object]:
    """Spend, and end without a word: what was spent since the last exchange is untold."""
    for _ in range(5):
        (await budgets.reserve(SUBJECTS, 0.01)).settle(0.004)
    await budgets.reserve(SUBJECTS, 0.01)
    print(json.dumps({"holder": budgets.holder}), flush=True)
    await asyncio.sleep(max(0.0, until - time.monotonic()))
    return {}


def main() -> None:
    url, what, limit, seconds, *more = sys.argv[1:]
    if more:
        shares.SLOT_SECONDS = float(more[0])
    store = open_store(url)
    keeper = Keeper(store)
    until = time.monotonic() + float(seconds)
    if what in ("money", "leave"):
        budget = Budget(day=float(limit), month=float(limit))
        budgets = Budgets(keeper, dict.fromkeys(SUBJECTS, budget))
        found = asyncio.run((money if what == "money" else leave)(budgets, until))
    else:
        quota = Quota(requests_per_minute=int(limit), tokens_per_minute=10 * int(limit))
        if what != "requests":
            quota = Quota(concurrent=int(limit))
        limits = Limits(keeper, dict.fromkeys(SUBJECTS, quota))
        found = asyncio.run({"requests": requests, "slots": slots, "hold": hold}[what](limits, until))
    keeper.close()
    store.close()
    print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
