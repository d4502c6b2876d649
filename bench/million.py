"""One million encounters from plan to report: power from the baseline, plan, lock, arms, analysis, report as PDF.

Run ``python bench/million.py [--encounters 1000000]``. Half of the encounters are baseline and are loaded before the
plan; the other half come after the arms are drawn, 3 points more of them discharged before noon with the app.
Generating and loading them is timed apart. The steps run in two processes (before the pilot, after it), the larger
memory of which is reported: they read the lake that ``careplane load`` wrote, evaluate the views, run the measure, and
compute effect, equity, uptake and verdict. ``again_s`` is the analysis once more, when the rows of views are kept.
``nightly`` is bringing these up to date after one encounter in a hundred came or changed, beside doing it from nothing.
Beside all, in the same run, the view alone in plain DuckDB. All data is synthetic.
"""

import argparse
import importlib
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from _machine import record
from careplane._shelf import load
from careplane.codecs.views import duckdb_sql
from careplane.evidence import analyse, assign, baseline_power, detectable_difference, load_plan, lock_plan
from careplane.measures import Measure
from careplane.records.evidence import Plan, PlannedMeasure
from careplane.server.platform import Platform, open_platform
from careplane.server.wiring import console_context
from careplane.settings import read_settings
from careplane.store.lake import connect
from careplane.store.lake_views import forget_rows, kept_rows

MEASURE, PLAN = "discharge_before_noon", "million"
START, DAYS = date(2026, 3, 2), 56
UNITS = {f"Location/u{number:02}": f"hospital-{1 + number % 4}" for number in range(24)}
PER_PATIENT = 5
BEFORE, AFTER = datetime(2026, 2, 28, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)
GOAL_S, GOAL_MB = 60, 2000
T = TypeVar("T")


def main() -> None:
    """Measure and record."""
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--encounters", type=int, default=1_000_000)
    reader.add_argument("--worker", choices=("plan", "analyse", "refresh"), help=argparse.SUPPRESS)
    reader.add_argument("--home", type=Path, help=argparse.SUPPRESS)
    given = reader.parse_args()
    if given.worker:
        print(json.dumps({"plan": planned, "analyse": analysed, "refresh": refreshed}[given.worker](given.home)))
        return
    with tempfile.TemporaryDirectory() as folder:
        record("million", measured(Path(folder), given.encounters))


def measured(folder: Path, encounters: int) -> dict[str, Any]:
    """All steps in their order; two processes do the timed ones, and what each held at most is kept."""
    home = folder / "home"
    half = encounters // 2
    loading = {"baseline_s": loaded(folder, home, baseline(half), patients(encounters // PER_PATIENT))}
    plan = worker("plan", home)
    arms = plan.pop("arms")
    loading["pilot_s"] = loaded(folder, home, pilot(half, encounters - half, arms), iter(()))
    analysis = worker("analyse", home)
    few = max(2, encounters // 200)
    changed = loaded(folder, home, pilot(encounters, few, arms), changes(few))
    nightly = worker("refresh", home)
    steps = plan["steps"] | analysis["steps"]
    total = round(sum(steps.values()), 2)
    largest = max(plan["largest_mb"], analysis["largest_mb"])
    return {
        "encounters": encounters,
        "steps_s": steps,
        "plan_to_report_s": total,
        "largest_mb": largest,
        "goals": {"plan_to_report_s": GOAL_S, "largest_mb": GOAL_MB, "met": total < GOAL_S and largest < GOAL_MB},
        "effect": analysis["effect"],
        "again_s": analysis["again_s"],
        "loading": loading | {"one_percent_s": changed},
        "nightly": nightly | {"times_faster": round(nightly["from_nothing_s"] / nightly["incremental_s"], 1)},
        "views_in_plain_duckdb_s": analysis["plain_s"],
    }


def worker(what: str, home: Path) -> dict[str, Any]:
    """One of the two timed processes."""
    command = [sys.executable, __file__, "--worker", what, "--home", str(home)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def loaded(folder: Path, home: Path, *sources: Iterator[str]) -> float:
    """Write resources and load them with ``careplane load``; how long the load took."""
    source = folder / "source"
    source.mkdir(exist_ok=True)
    for number, lines in enumerate(sources):
        with (source / f"{number}.ndjson").open("w", encoding="utf-8") as out:
            out.writelines(lines)
    command = [str(Path(sys.executable).with_name("careplane")), "load", str(source), "--home", str(home), "--json"]
    started = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return round(time.perf_counter() - started, 2)


def planned(home: Path) -> dict[str, Any]:
    """Power from the baseline, plan, lock and arms."""
    platform = opened(home)
    measure = platform.measures[MEASURE]
    first = START - timedelta(days=DAYS)
    steps: dict[str, float] = {}
    inputs = timed(
        steps,
        "power_s",
        lambda: baseline_power(home, measure, frozenset(UNITS), first=first, end=START, horizon_days=DAYS),
    )
    assert inputs is not None
    detectable = detectable_difference(inputs, len(UNITS), len(set(UNITS.values())), 0.05)
    locked = timed(
        steps, "lock_s", lambda: lock_plan(platform.store, platform.ledger, plan(f"{detectable}"), "bench", BEFORE)
    )
    drawn = timed(steps, "assign_s", lambda: assign(platform.store, platform.ledger, locked, BEFORE))
    platform.close()
    return {"steps": steps, "largest_mb": largest_mb(), "arms": {one.unit: one.arm for one in drawn}}


def analysed(home: Path) -> dict[str, Any]:
    """Analysis and report; then the analysis again, and the views alone from nothing."""
    platform = opened(home)
    locked = load_plan(platform.store, PLAN)
    steps: dict[str, float] = {}
    run = partial(analyse, platform.store, home, locked, platform.measures, platform.estimators, AFTER)
    result = timed(steps, "analyse_s", run)
    pages: Any = importlib.import_module("careplane.console.evidence_report")
    timed(steps, "report_s", lambda: pages.write_report(console_context(platform), PLAN, home / "report.pdf"))
    held = largest_mb()
    more: dict[str, float] = {}
    timed(more, "again_s", run)
    timed(more, "plain_s", lambda: plain_views(home, platform.measures[MEASURE]))
    platform.close()
    effect = next(one for one in result.effects if one.measure == MEASURE)
    told = {
        "estimate": effect.estimate,
        "ci": [effect.ci_low, effect.ci_high],
        "n": effect.n,
        "verdict": effect.verdict,
    }
    return {"steps": steps, "largest_mb": held, "effect": told, **more}


def refreshed(home: Path) -> dict[str, Any]:
    """Bringing the rows of the views of the measure up to date, and making them from nothing."""
    views = load("measures", MEASURE).MEASURE.views
    told: dict[str, Any] = {}
    for name in ("incremental_s", "from_nothing_s"):
        started = time.perf_counter()
        with kept_rows(home, views) as kept:
            told[name] = round(time.perf_counter() - started, 2)
        told.setdefault("resources_read", sum(one.refreshed.resources_read for one in kept.values()))
        forget_rows(home)
    return told


def plain_views(home: Path, measure: Measure) -> None:
    """The views of the measure from nothing, in plain DuckDB."""
    with closing(connect(home)) as connection:
        for view in measure.views.values():
            connection.execute(f"CREATE OR REPLACE TEMP TABLE plain AS {duckdb_sql(view)}")


def opened(home: Path) -> Platform:
    """The installation."""
    return open_platform(read_settings(home=str(home)))


def timed(steps: dict[str, float], name: str, work: Callable[[], T]) -> T:
    """What the work gives; its wall time goes to ``steps``."""
    started = time.perf_counter()
    given = work()
    steps[name] = round(time.perf_counter() - started, 2)
    return given


def largest_mb() -> float:
    """The largest memory that this process held."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


def plan(power: str) -> Plan:
    """The plan of the trial."""
    planned_measure = PlannedMeasure(id=MEASURE, role="primary", unit="proportion", direction="higher", mcid=0.02)
    return Plan(
        id=PLAN,
        app="discharge_plan",
        version=1,
        question="Are more people discharged before noon?",
        design="cluster_randomised",
        unit="unit",
        clusters=tuple(sorted(UNITS)),
        strata=UNITS,
        measures=(planned_measure,),
        equity=("language", "sex"),
        baseline_start=START - timedelta(days=DAYS),
        start=START,
        end=START + timedelta(days=DAYS),
        seed=7,
        alpha=0.05,
        analysis="as the design has it",
        decision_rule="as published",
        power=power,
    )


def patients(count: int) -> Iterator[str]:
    """Synthetic patients in four languages."""
    for number in range(count):
        language = ("en", "en", "en", "es", "vi", "hmn")[number % 6]
        spoken = f'[{{"language":{{"coding":[{{"system":"urn:ietf:bcp:47","code":"{language}"}}]}}}}]'
        sex = ("female", "male")[number // 6 % 2]
        yield f'{{"resourceType":"Patient","id":"p{number}","gender":"{sex}","communication":{spoken}}}\n'


def baseline(count: int) -> Iterator[str]:
    """Stays before the start: 30 % end before noon, more or less so by unit."""
    return stays(0, count, START - timedelta(days=DAYS), {})


def pilot(first: int, count: int, arms: dict[str, str]) -> Iterator[str]:
    """Stays of the pilot: 3 points more with the app."""
    return stays(first, count, START, {unit: 0.03 for unit, arm in arms.items() if arm == "intervention"})


def changes(count: int) -> Iterator[str]:
    """Newer versions of the first stays."""
    return (line.replace("T23:00:00Z", "T23:59:00Z", 1) for line in stays(0, count, START - timedelta(days=DAYS), {}))


def stays(first: int, count: int, day: date, more: dict[str, float]) -> Iterator[str]:
    """Finished inpatient Encounters as NDJSON."""
    random = np.random.default_rng(first)
    units = sorted(UNITS)
    usual = 0.3 + np.random.default_rng(1).normal(0, 0.02, len(units))
    which = random.integers(0, len(units), count)
    share = (usual + np.array([more.get(unit, 0.0) for unit in units]))[which]
    early, after = random.random(count) < share, random.integers(0, DAYS, count)
    minute = random.integers(0, 240, count) + np.where(early, 8 * 60, 12 * 60)
    for number, (unit, days, at) in enumerate(zip(which, after, minute, strict=True), first):
        ends = day + timedelta(days=int(days))
        yield (
            f'{{"resourceType":"Encounter","id":"e{number}","meta":{{"lastUpdated":"{ends}T23:00:00Z"}},'
            f'"status":"finished","class":{{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"IMP"}},'
            f'"subject":{{"reference":"Patient/p{number // PER_PATIENT}"}},'
            f'"participant":[{{"individual":{{"reference":"Practitioner/d{number % 400}"}}}}],'
            f'"period":{{"start":"{ends - timedelta(days=3)}T10:00:00Z",'
            f'"end":"{ends}T{at // 60:02}:{at % 60:02}:00Z"}},'
            f'"location":[{{"location":{{"reference":"{units[unit]}"}}}}]}}\n'
        )


if __name__ == "__main__":
    main()
