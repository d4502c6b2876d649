"""Copies for a candidate run in the background, bounded, and their failures go nowhere."""

import asyncio

from careplane.errors import UpstreamError
from careplane.gateway.shadow import Shadows


def test_copies_are_bounded_counted_and_their_errors_kept_apart() -> None:
    async def run() -> dict[str, int]:
        shadows = Shadows(most=2)
        gate = asyncio.Event()

        async def fine() -> None:
            await gate.wait()

        async def broken() -> None:
            await gate.wait()
            raise UpstreamError("no")

        assert shadows.offer(fine)
        assert shadows.offer(broken)
        assert not shadows.offer(fine)
        gate.set()
        while shadows.counts["finished"] + shadows.counts["failed"] < 2:
            await asyncio.sleep(0)
        return dict(shadows.counts)

    assert asyncio.run(run()) == {"started": 2, "finished": 1, "failed": 1, "left_out": 1}


def test_closing_cancels_what_runs_and_a_slow_copy_ends() -> None:
    async def run() -> tuple[bool, dict[str, int]]:
        shadows = Shadows(timeout_seconds=0.01)
        cancelled = asyncio.Event()

        async def hang() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.set()

        shadows.offer(hang)
        await cancelled.wait()
        while not shadows.counts["failed"]:
            await asyncio.sleep(0)
        endless = Shadows()
        cancelled.clear()
        endless.offer(hang)
        await asyncio.sleep(0)
        await endless.close()
        return cancelled.is_set(), dict(shadows.counts)

    closed, counts = asyncio.run(run())
    assert closed
    assert counts["failed"] == 1
