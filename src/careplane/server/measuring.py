"""The nightly run of measures: what changed in the loaded data is read while nobody waits."""

import asyncio
import logging
import re
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import datetime, time, timedelta
from pathlib import Path

from careplane.errors import CareplaneError, InputError, SettingsError
from careplane.evidence.engines.choosing import Choice, open_engine
from careplane.evidence.measure_runs import FOLDER, MeasureRun, run_measures
from careplane.evidence.rows import tables_beside
from careplane.evidence.run_tables import read_record
from careplane.measures import Measure
from careplane.server.platform import Platform
from careplane.settings import Settings
from careplane.store.lake import connect
from careplane.store.lake_views import FOLDER as VIEWS

ENGINES = ("duckdb", "spark", "postgres")
TEND_SECONDS = 30.0
AGAIN = timedelta(minutes=15)
"""How long after a run that failed the next one is tried."""

SCRATCH = ".scratch"
"""Folder beside the kept rows of views for what an engine spills."""

_MARK = ".nightly"
log = logging.getLogger("careplane.measures")


def choice_of(settings: Settings, engine: str | None = None) -> Choice:
    """The engine of the settings, or the one that is named.

    Raises:
        InputError: there is no such engine.
    """
    name = engine or settings.text("measures_engine")
    match name:
        case "duckdb":
            return Choice("duckdb")
        case "spark":
            return Choice("spark", settings.text("spark_master"))
        case "postgres":
            return Choice("postgres", settings.secret("measures_database_url"))
    raise InputError(f"{name!r} is no engine; known are {', '.join(ENGINES)}", field="measures_engine")


def run_now(
    platform: Platform,
    measures: Mapping[str, Measure],
    choice: Choice,
    tell: Callable[[MeasureRun], None] = lambda _run: None,
    *,
    anew: bool = False,
) -> list[MeasureRun]:
    """Run measures on the loaded data and the run record of an installation, and tell the ledger."""
    now = platform.clock()
    with closing(connect(platform.home)) as lake:
        tables = tables_beside(lake, platform.home, measures, read_record(platform.store))
    with open_engine(choice, platform.home / VIEWS / SCRATCH) as engine:
        done = run_measures(platform.home, measures, tables, now, engine, tell, anew=anew)
    facts: dict[str, str | int | float | bool | None] = {
        "engine": choice.name,
        "measures": len(done),
        "failed": sum(bool(one.problem) for one in done),
        "resources_read": sum(one.resources_read for one in done),
    }
    platform.ledger.append("measures.run", at=now, facts=facts)
    return done


async def tend_measures(platform: Platform) -> None:
    """Runs beside the server until it is cancelled: all measures once a night, at ``measures_at``.

    A night that passed while no process ran is made up for, if there was one before.
    """
    at = night_of(platform.settings)
    if at is None:
        return
    last = last_night(platform.home) or platform.clock()
    while True:
        await asyncio.sleep(TEND_SECONDS)
        now = platform.clock()
        last = max(last, last_night(platform.home) or last)
        if not due(now, at, last):
            continue
        try:
            await asyncio.to_thread(run_night, platform)
            last = now
        except CareplaneError as error:
            log.warning("the nightly run of measures failed, and is tried again in 15 minutes: %s", error)
            await asyncio.sleep(AGAIN.total_seconds())


def run_night(platform: Platform) -> list[MeasureRun]:
    """One nightly run; what could not be computed is logged, and the time is kept."""
    now = platform.clock()
    done = run_now(platform, platform.measures, choice_of(platform.settings))
    for one in done:
        if one.problem:
            log.warning("measure %s could not be computed: %s", one.measure, one.problem)
    _mark(platform.home).write_text(now.isoformat(), encoding="utf-8")
    return done


def night_of(settings: Settings) -> time | None:
    """When measures run each night, in the time zone of the site; ``None`` for never.

    Raises:
        SettingsError: ``measures_at`` is no time of the day.
    """
    text = settings.text("measures_at")
    if not text:
        return None
    if not re.fullmatch("([01][0-9]|2[0-3]):[0-5][0-9]", text):
        raise SettingsError(f"{text!r} is no time of the day; write HH:MM, such as 02:30", field="measures_at")
    return time.fromisoformat(text)


def due(now: datetime, at: time, last: datetime) -> bool:
    """Whether the latest such time of the day, in the zone of ``now``, lies after ``last``."""
    latest = now.replace(hour=at.hour, minute=at.minute, second=0, microsecond=0)
    if latest > now:
        latest -= timedelta(days=1)
    return last < latest


def last_night(home: Path) -> datetime | None:
    """When the last nightly run began; ``None`` before the first."""
    try:
        return datetime.fromisoformat(_mark(home).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None


def _mark(home: Path) -> Path:
    return home / FOLDER / _MARK
