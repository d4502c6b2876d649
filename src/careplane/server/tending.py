"""What tends downtime beside the server: it probes what is away, runs what waits, writes what is signed, tells of chats
that wait, closes drills."""

import asyncio
import logging
from datetime import timedelta
from uuid import uuid4

from careplane.errors import CareplaneError, UpstreamError
from careplane.records.app import DataPolicy
from careplane.records.downtime import Dependency
from careplane.records.model import ModelRequest
from careplane.server.platform import Platform
from careplane.workflow import run_write_backs
from careplane.workflow.chat import tell_waiting
from careplane.workflow.downtime import run_waiting
from careplane.workflow.drill import settle_drills
from careplane.workflow.outages import Outages, reaching

TEND_SECONDS = 2.0
PROBE_AFTER = timedelta(seconds=15)
"""How long after a failure, and between probes, a dependency that is away is asked again."""

PROBE = "careplane_probe"
log = logging.getLogger("careplane.downtime")


async def tend_downtime(platform: Platform) -> None:
    """Runs beside the server until it is cancelled; a turn that fails is told and the next one comes."""
    seen = platform.runtime.outages
    if seen is None:
        return
    while True:
        for turn in (_probe, _waiting, _written, _handed_over, _settled):
            try:
                await turn(platform, seen)
            except CareplaneError as error:
                log.warning("downtime: %s failed (%s); trying again", turn.__name__, type(error).__name__)
        await asyncio.sleep(TEND_SECONDS)


async def _waiting(platform: Platform, _seen: Outages) -> None:
    await run_waiting(platform.runtime)


async def _written(platform: Platform, _seen: Outages) -> None:
    await run_write_backs(platform.runtime)


async def _handed_over(platform: Platform, _seen: Outages) -> None:
    await tell_waiting(platform.runtime)


async def _settled(platform: Platform, seen: Outages) -> None:
    await asyncio.to_thread(settle_drills, platform.store, seen)


async def _probe(platform: Platform, seen: Outages) -> None:
    """Ask what is away whether it is back; the answer is noted like any other call's."""
    for dependency in seen.to_probe(PROBE_AFTER):
        try:
            async with reaching(seen, dependency, PROBE):
                await _ask(platform, dependency)
        except UpstreamError:
            continue


async def _ask(platform: Platform, dependency: Dependency) -> None:
    if dependency == "ehr":
        await platform.fhir.search("Patient", {"_id": PROBE}, 1)
        return
    request = ModelRequest(
        id=f"probe-{uuid4().hex}",
        app=PROBE,
        route="default",
        body={"messages": [{"role": "user", "content": "Answer: ok"}], "max_tokens": 1},
        policy=DataPolicy(phi="none"),
    )
    await platform.gateway.complete(request)
