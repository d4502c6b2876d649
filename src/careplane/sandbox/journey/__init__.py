"""The main journey: one GenAI use from idea through pilot to a decision on evidence, through the real code paths.

No step writes a result that a module should have computed: what the sandbox adds are its people's acts (they follow the
stated behaviour model) and its committee's rule. Everything is synthetic.
"""

import asyncio
import shutil
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import orjson

from careplane import alignment
from careplane._shelf import load
from careplane.connectors import FhirConnector
from careplane.console import board_pack
from careplane.errors import Conflict
from careplane.records import JSON
from careplane.sandbox import Ehr, Staff, generate
from careplane.sandbox.journey import closing, leadership, watching
from careplane.sandbox.journey.clock import SimulatedClock
from careplane.sandbox.journey.pilot import read_inbox, run_pilot
from careplane.sandbox.journey.reading import read_sample
from careplane.sandbox.journey.scene import JourneyOptions, Scene
from careplane.sandbox.journey.shadow import run_shadows
from careplane.sandbox.journey.summary import summarise
from careplane.sandbox.journey.training import train
from careplane.sandbox.scenario import Scenario, instant, midnight
from careplane.server.platform import Platform, open_platform
from careplane.server.wiring import console_context
from careplane.settings import Settings, default_settings
from careplane.store.lake import load_path
from careplane.workflow.durable import Durable

__all__ = ["JourneyOptions", "Outcome", "Progress", "run_journey"]

SITE_NAME = "Synthetic health system"
PATIENCE = 900.0
"""Seconds that a reply may take: a day's drafts wait in line for a small model on a laptop."""
MARK = "careplane-demo.txt"
"""The file that says a folder holds a demo, so that nothing but a demo is ever replaced."""

Progress = Callable[[str, int], Callable[[int], None]]
"""Begins a step with its title and number of units; what it returns is called with units done."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a journey left behind; the EHR runs until :meth:`close`."""

    summary: JSON
    summary_path: Path
    report: tuple[Path, ...]
    ehr_url: str
    settings: Settings
    now: datetime
    running: ExitStack

    def platform(self, port: int) -> Platform:
        """The installation opened again for serving, its time standing where the journey ended."""
        settings = self.settings.replace(port=port)
        return open_platform(settings, clock=SimulatedClock(self.now), fhir=_ehr(self.ehr_url), synthetic=True)

    def close(self) -> None:
        """End the EHR."""
        self.running.close()


def run_journey(options: JourneyOptions, progress: Progress) -> Outcome:
    """Run the journey into ``options.out``; an earlier demo there is replaced.

    Raises:
        Conflict: the folder holds something that is not a demo.
        MissingExtra: the sandbox EHR or the local model is not installed.
    """
    prepare(options.out)
    scenario = Scenario(seed=options.seed, patients=options.patients)
    done = progress("Generate a synthetic health system", 1)
    generate(options.dataset, options.seed, patients=options.patients)
    done(1)
    with ExitStack() as running:
        done = progress("Start its EHR (FHIR R4)", 1)
        ehr = running.enter_context(Ehr(options.dataset, options.out / "ehr"))
        done(1)
        scene = _open(options, scenario, ehr.base_url)
        summary, report = asyncio.run(_live(scene, progress))
        scene.platform.close()
        path = options.out / "summary.json"
        return Outcome(
            summary=summary,
            summary_path=path,
            report=report,
            ehr_url=ehr.base_url,
            settings=scene.platform.settings,
            now=scene.now,
            running=running.pop_all(),
        )


def prepare(out: Path) -> None:
    """Make an empty folder for the demo; an earlier demo there is replaced, anything else is left alone.

    Raises:
        Conflict: the folder holds something that is not a demo.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        if not (out / MARK).is_file():
            raise Conflict(f"{out} is not empty and holds no demo; choose another folder with --out")
        for path in out.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            elif path.name != MARK:
                path.unlink()
    out.mkdir(parents=True, exist_ok=True)
    (out / MARK).write_text("A Careplane demo. Everything here is synthetic. It may be deleted.\n", encoding="utf-8")


def _open(options: JourneyOptions, scenario: Scenario, ehr_url: str) -> Scene:
    settings = default_settings(
        home=str(options.home),
        model=options.model,
        model_timeout_seconds=PATIENCE,
        site_name=SITE_NAME,
        apps_path="",
    )
    starts = datetime.fromisoformat(instant(midnight(scenario.pilot_start)))
    clock = SimulatedClock(starts - timedelta(days=leadership.LEAD_DAYS))
    platform = open_platform(settings, clock=clock, fhir=_ehr(ehr_url), synthetic=True)
    return Scene(options, scenario, platform, clock, Staff.open(options.dataset), starts)


def _ehr(base_url: str) -> FhirConnector:
    connector: FhirConnector = load("connectors", "fhir_r4").open({"base_url": base_url})
    return connector


async def _live(scene: Scene, progress: Progress) -> tuple[JSON, tuple[Path, ...]]:
    """Everything that happens in the health system, in the order of time."""
    try:
        done = progress("Register goals and every use of GenAI", 1)
        leadership.set_up(scene)
        done(1)
        done = progress("Load the history for the baseline", 1)
        load_path(scene.options.dataset / "fhir", scene.platform.home)
        shutil.copytree(scene.options.dataset / "reference", scene.platform.home / "reference", dirs_exist_ok=True)
        done(1)
        done = progress("Plan, lock, randomise and train", 1)
        train(scene, leadership.plan_the_pilot(scene))
        done(1)
        await _pilot(scene, progress)
        done = progress("Bring the pilot's data to the evidence", 1)
        await closing.bring_data(scene)
        done(1)
        done = progress("Have a sample of drafts read twice", 1)
        await read_sample(scene)
        done(1)
        return _conclude(scene, progress)
    finally:
        await scene.platform.fhir.aclose()


async def _pilot(scene: Scene, progress: Progress) -> None:
    durable = Durable(scene.platform.runtime, scene.platform.home)
    scene.clock.move_to(scene.starts)
    durable.start()
    try:
        done = progress("Run three more apps in shadow", 1)
        await run_shadows(scene, durable)
        done(1)
        messages = read_inbox(scene)
        advance = progress("Run the pilot (messages)", len(messages))

        def pass_day(count: int) -> None:
            leadership.keep_signs(scene)
            advance(count)

        await run_pilot(scene, durable, messages, pass_day)
    finally:
        durable.stop()


def _conclude(scene: Scene, progress: Progress) -> tuple[JSON, tuple[Path, ...]]:
    done = progress("Estimate effects, cost and value; decide", 1)
    result = closing.estimate(scene)
    value, cells = closing.value_and_aims(scene, result)
    gate, decision = closing.decide(scene, result)
    closing.answer_users(scene, result)
    signals = alignment.record_signals(scene.platform.store, scene.now.date())
    watched = watching.watch(scene)
    done(1)
    done = progress("Write the report", 1)
    summary = summarise(
        scene,
        result=result,
        truth=closing.truth(scene),
        signals=signals,
        gate=gate,
        decision=decision,
        value=value,
        cells=cells,
    )
    summary["safety"] = watched
    path = scene.options.out / "summary.json"
    path.write_bytes(orjson.dumps(summary, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    report = board_pack(console_context(scene.platform), scene.options.out, summary=summary)
    done(1)
    return summary, tuple(report)
