"""A worker without HTTP: a site adds as many as it needs, on this machine or, with PostgreSQL, on others."""

import asyncio
import signal
from collections.abc import Callable

from careplane.server.monitoring import tend_monitoring
from careplane.server.platform import Platform
from careplane.server.schedules import open_schedules
from careplane.server.tending import tend_downtime
from careplane.workflow.durable import Durable


def work(platform: Platform, echo: Callable[[str], None]) -> None:
    """Work until the process is told to end (Ctrl-C, SIGTERM); what is under way then goes to another worker.

    Args:
        platform: the installation; closed at the end.
        echo: where the name of the worker is told.
    """
    durable = Durable(platform.runtime, platform.home, open_schedules(platform))
    durable.start()
    try:
        echo(f"Worker {durable.executor} works for {platform.settings.text('site_name')} (Ctrl-C ends).")
        asyncio.run(_tend(platform))
    finally:
        durable.stop()
        platform.close()


async def _tend(platform: Platform) -> None:
    told = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    beside = (platform.parts.tend(), tend_downtime(platform), tend_monitoring(platform))
    tended = [asyncio.ensure_future(one) for one in beside]
    await told.wait()
    for one in tended:
        one.cancel()
    await asyncio.gather(*tended, return_exceptions=True)
    await platform.gateway.aclose()
    await platform.fhir.aclose()
