"""What monitors beside the server: every running app's safety within seconds, its three layers once an hour."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any

import msgspec
import numpy as np

from careplane import alignment
from careplane._shelf import load
from careplane.errors import CareplaneError
from careplane.estimators._frame import Frame
from careplane.estimators._spec import read_spec
from careplane.evidence.monitoring import Sources, find_readings, pulse, read_app, watch_app
from careplane.records.app import App
from careplane.records.monitoring import Chart, ChartPhase, ChartPoint, ChartSignal, Reading, SafetyWatch
from careplane.server.integration_checks import running_apps
from careplane.server.platform import Platform

WATCH_SECONDS = 2.0
READ_SECONDS = 3600.0
log = logging.getLogger("careplane.monitoring")


async def tend_monitoring(platform: Platform) -> None:
    """Runs beside the server until it is cancelled; a turn that fails is told and the next one comes."""
    read_at = float("-inf")
    looked: dict[str, tuple[object, ...]] = {}
    while True:
        await asyncio.to_thread(_turn, platform, partial(_watch_new, looked))
        if time.monotonic() - read_at >= READ_SECONDS:
            read_at = time.monotonic()
            await asyncio.to_thread(_turn, platform, _read_due)
        await asyncio.sleep(WATCH_SECONDS)


def _watch_new(looked: dict[str, tuple[object, ...]], platform: Platform, app: App) -> None:
    """Look at an app of which something is new since this process looked; ``looked`` holds what it saw then."""
    now = pulse(platform.store, app.id)
    if looked.get(app.id) != now:
        watch = watch_safety(platform, app)
        # A crossing whose telling another worker claimed is to be looked at again, should that worker die.
        if watch.crossed_at is None or watch.settled_at is not None:
            looked[app.id] = now


def _read_due(platform: Platform, app: App) -> None:
    """Read an app unless another worker did within the hour."""
    known = find_readings(platform.store, app.id)
    fresh = platform.clock() - timedelta(seconds=READ_SECONDS / 2)
    if not known or min(one.computed_at for one in known) < fresh:
        read_layers(platform, app)


def _turn(platform: Platform, act: Callable[[Platform, App], object]) -> None:
    try:
        apps = list(running_apps(platform))
    except CareplaneError as error:
        log.warning("monitoring: the register could not be read (%s); trying again", type(error).__name__)
        return
    for app in apps:
        try:
            act(platform, app)
        except CareplaneError as error:
            log.warning("monitoring of %s failed (%s); trying again", app.id, type(error).__name__)


def watch_safety(platform: Platform, app: App) -> SafetyWatch:
    """Look at the safety of one app now."""
    tell = partial(_ask_owner, platform)
    return watch_app(platform.store, platform.ledger, app, tell, platform.clock())


def read_layers(platform: Platform, app: App) -> list[Reading]:
    """Read the three layers of one app now."""
    return read_app(sources(platform), app, platform.clock())


def sources(platform: Platform) -> Sources:
    """Where the readings of an installation come from."""
    return Sources(
        store=platform.store,
        ledger=platform.ledger,
        home=platform.home,
        measures=platform.measures,
        chart=chart,
        small_cell=int(platform.settings.number("small_cell")),
    )


def chart(columns: Mapping[str, Sequence[Any]], keys: Mapping[str, Any]) -> Chart:
    """The control chart of some points, by the estimator ``spc`` of the shelf."""
    spc = load("estimators", "spc")
    arrays = {
        name: np.array(values, dtype=object if name == "time" else np.float64) for name, values in columns.items()
    }
    frame = Frame(arrays, np.arange(1, len(columns["time"]) + 1), {})
    found = spc.estimate(frame, read_spec(spc.INFO, keys))
    sizes = [int(size) for size in columns["size"]]
    details = found.details
    return Chart(
        method=found.method,
        points=tuple(
            ChartPoint(
                n=size,
                **{name: point[name] for name in ("time", "value", "centre", "low", "high", "phase")},
                rules=tuple(point["rules"]),
            )
            for point, size in zip(details["points"], sizes, strict=True)
        ),
        phases=tuple(
            ChartPhase(
                start=one["from"], **{name: one[name] for name in ("reason", "baseline_points", "centre", "sigma_z")}
            )
            for one in details["phases"]
        ),
        signals=msgspec.convert(details["signals"], tuple[ChartSignal, ...]),
        variation=details["variation"],
        assurance=details["assurance"],
        warnings=found.warnings,
    )


def _ask_owner(platform: Platform, app: App, question: str) -> None:
    """A decision of the owner, once: not deciding is then measured like everywhere."""
    waiting = alignment.decisions(platform.store, platform.clock().date())
    if any(one.item == app.id and one.question == question for one in waiting):
        return
    alignment.open_decision(
        platform.store,
        platform.ledger,
        app.id,
        question,
        app.spec.owner,
        platform.clock(),
        requested_by="safety watch",
        options=("release", "stop"),
        evidence=(f"/safety/monitoring/{app.id}",),
    )
