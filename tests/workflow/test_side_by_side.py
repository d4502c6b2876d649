"""Work side by side under one budget, and one attempt at a time."""

import asyncio
import threading
import time

import pytest

from careplane.errors import UpstreamError
from careplane.workflow.flights import alone
from careplane.workflow.side_by_side import side_by_side


async def after(seconds: float, value: str) -> str:
    await asyncio.sleep(seconds)
    return value


async def fails(error: Exception) -> str:
    raise error


def test_what_is_late_goes_on_and_is_told_apart() -> None:
    async def session() -> None:
        began = time.monotonic()
        work = {"quick": after(0.0, "q"), "slow": after(1.0, "s"), "away": fails(UpstreamError("away"))}
        found = await side_by_side(work, 0.3)
        assert time.monotonic() - began < 0.9
        assert found.done == {"quick": "q"}
        assert list(found.failed) == ["away"]
        assert await found.late["slow"] == "s"
        assert (await side_by_side({}, 0.1)).done == {}

    asyncio.run(session())


def test_a_mistake_of_ours_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        asyncio.run(side_by_side({"one": fails(ZeroDivisionError())}, 1.0))


def test_one_attempt_runs_at_a_time_in_all_loops_of_a_process() -> None:
    owner, inside, most = object(), 0, 0

    async def attempt(key: str) -> None:
        nonlocal inside, most
        async with alone(owner, key):
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0.02)
            inside -= 1

    async def some() -> None:
        await asyncio.gather(*(attempt("one") for _ in range(4)))

    threads = [threading.Thread(target=lambda: asyncio.run(some())) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    assert most == 1


def test_who_waits_and_is_cancelled_does_not_end_the_wait_of_others() -> None:
    async def session() -> list[str]:
        order: list[str] = []

        async def hold(name: str, seconds: float) -> None:
            async with alone(session, "key"):
                order.append(name)
                await asyncio.sleep(seconds)

        first = asyncio.ensure_future(hold("first", 0.2))
        await asyncio.sleep(0.01)
        impatient, patient = asyncio.ensure_future(hold("impatient", 0)), asyncio.ensure_future(hold("patient", 0))
        await asyncio.sleep(0.01)
        impatient.cancel()
        await asyncio.gather(first, patient)
        with pytest.raises(asyncio.CancelledError):
            await impatient
        return order

    assert asyncio.run(session()) == ["first", "patient"]
