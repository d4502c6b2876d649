"""The event loop tells when it is late."""

import asyncio
import time

from careplane.server.pressure import LoopLag


def test_a_loop_that_is_held_up_is_late_and_recovers() -> None:
    async def session() -> tuple[float, float, float]:
        lag = LoopLag()
        assert lag.seconds < 1.0
        await asyncio.sleep(0.05)
        time.sleep(0.5)
        during = lag.seconds
        await asyncio.sleep(0.03)
        after = lag.seconds
        for _ in range(400):
            await asyncio.sleep(0.01)
            if lag.seconds < during / 4:
                break
        later = lag.seconds
        lag.end()
        return during, after, later

    during, after, later = asyncio.run(session())
    assert during > 0.4
    assert after > 0.2
    assert later < during / 4
