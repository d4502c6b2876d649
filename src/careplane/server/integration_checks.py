"""The six integration checks of apps, run live against the connectors that are configured; nightly in the server.

A probe that cannot tell says ``not_measured`` with the way to measure it. Nothing is written to a patient's chart,
except about the test patient of the setting ``check_patient``; a probe that fails in a way of its own is a fail with
the name of the error, and disturbs no other check.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from starlette.types import ASGIApp

from careplane import alignment, governance
from careplane.alignment.integration import checked_since, keep_report
from careplane.errors import CareplaneError
from careplane.records.app import App
from careplane.records.integration import IntegrationCheck, IntegrationReport
from careplane.records.portfolio import INTEGRATION_CHECKS
from careplane.server.integration_probes import Answer, Probing, fail, governed_data, kill_switch, sign_on, telemetry
from careplane.server.launch_probes import in_workflow_launch
from careplane.server.platform import Platform
from careplane.server.write_back_probe import write_back

LOOK_SECONDS = 600.0
PATIENCE = 60.0
"""Seconds that one probe may take."""

PROBES: Mapping[str, Callable[[Probing], Awaitable[Answer]]] = {
    "single_sign_on": sign_on,
    "in_workflow_launch": in_workflow_launch,
    "governed_data": governed_data,
    "write_back_with_provenance": write_back,
    "telemetry": telemetry,
    "entitlement_and_kill_switch": kill_switch,
}
log = logging.getLogger("careplane.checks")


async def check_app(platform: Platform, app: App, door: ASGIApp, *, ehr: str | None = None) -> IntegrationReport:
    """Run the six checks of an app; nothing is kept.

    Args:
        platform: the installation.
        app: the app.
        door: the ASGI application of the server, for probes that knock at it.
        ehr: what the EHR is called in the report; by default from the settings.
    """
    probing = Probing(platform, app, door)
    checks = [await _probe(name, PROBES[name], probing) for name in INTEGRATION_CHECKS]
    return IntegrationReport(app=app.id, at=platform.clock(), ehr=ehr or ehr_name(platform), checks=tuple(checks))


async def _probe(name: str, probe: Callable[[Probing], Awaitable[Answer]], probing: Probing) -> IntegrationCheck:
    began = time.monotonic()
    try:
        answer = await asyncio.wait_for(probe(probing), PATIENCE)
    except TimeoutError:
        answer = fail(f"No answer within {PATIENCE:.0f} seconds.", "See whether the EHR is slow or away.")
    except CareplaneError as error:
        answer = fail(f"The probe ended with {type(error).__name__}.", "See the log of the server; then check again.")
    seconds = round(time.monotonic() - began, 3)
    return IntegrationCheck(
        name=name, state=answer.state, evidence=answer.evidence, way_out=answer.way_out, seconds=seconds
    )


def ehr_name(platform: Platform) -> str:
    """The EHR as a report names it: the host of its endpoint, or what stands in for one."""
    base = platform.settings.text("fhir_base_url")
    if base:
        return f"FHIR endpoint at {urlsplit(base).hostname}"
    return "synthetic EHR" if platform.synthetic else "loaded data (no EHR is configured)"


def running_apps(platform: Platform) -> Iterable[App]:
    """The apps on the register in a stage that runs."""
    stages = {item.id: item.stage for item in alignment.find_items(platform.store)}
    return [app for app in platform.apps.values() if app.runnable and stages.get(app.id) in governance.RUNNING_STAGES]


async def tend_checks(platform: Platform, door: ASGIApp) -> None:
    """Check the running apps once a night, at the hour of the setting ``check_hour``, until it is cancelled."""
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        await check_tonight(platform, door)


async def check_tonight(platform: Platform, door: ASGIApp) -> int:
    """Check the running apps that are due; says how many were checked. An app is checked once a night."""
    due = due_since(platform.clock(), int(platform.settings.number("check_hour")))
    if due is None:
        return 0
    checked = 0
    for app in running_apps(platform):
        if await asyncio.to_thread(checked_since, platform.store, app.id, due):
            continue
        try:
            report = await check_app(platform, app, door)
            await asyncio.to_thread(keep_report, platform.store, platform.ledger, report)
            checked += 1
        except CareplaneError as error:
            log.warning("the integration checks of %s were not kept (%s)", app.id, type(error).__name__)
    return checked


def due_since(now: datetime, hour: int) -> datetime | None:
    """Since when tonight's checks are due: the last time it was ``hour`` o'clock; ``None`` where they are off (-1)."""
    if hour < 0:
        return None
    today = now.replace(hour=hour, minute=0, second=0, microsecond=0)
    return today if now >= today else today - timedelta(days=1)
