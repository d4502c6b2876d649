"""Firing the triggers of apps, one after the other, and what came of each."""

import asyncio
import time
from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from careplane.errors import CareplaneError
from careplane.records import Record
from careplane.records.app import App, Trigger, TriggerKind
from careplane.records.run import Reason, Run
from careplane.sandbox.simulate.doors import DOORS, straight
from careplane.sandbox.simulate.knocking import NO_DOOR, SECONDS, Knock
from careplane.sandbox.simulate.subjects import Subject, find_subject
from careplane.sandbox.simulate.world import World
from careplane.workflow import find_runs
from careplane.workflow.resources import Signed, artefact

_LOOK_SECONDS = 0.05


class Simulated(Record, frozen=True):
    """What came of one trigger of one app.

    ``door`` is how it was fired (``not available``: there is no door of that kind, so it went straight into the path).
    ``seconds`` is from the knock to the stored draft. ``writes`` are the resources that a signature would write.
    ``problem`` says why there is no draft, and is empty when there is one.
    """

    app: str
    title: str
    kind: TriggerKind
    on: str
    door: str
    seconds: float = 0.0
    runs: int = 0
    run: str | None = None
    status: str | None = None
    permit: tuple[Reason, ...] = ()
    sources: int = 0
    words: int = 0
    text: str = ""
    findings: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    problem: str = ""

    @property
    def passed(self) -> bool:
        """Whether the trigger led to a draft."""
        return not self.problem


def simulate(world: World, apps: Iterable[App]) -> Iterator[Simulated]:
    """Fire every trigger of the apps that run; an app without a prompt is told as an idea."""
    for app in apps:
        for trigger in app.spec.starts:
            yield _fire(world, app, trigger)


def _fire(world: World, app: App, trigger: Trigger) -> Simulated:
    told = Simulated(app=app.id, title=app.spec.title, kind=trigger.kind, on=trigger.name, door=NO_DOOR)
    if not app.runnable:
        return replace(told, problem="It is an idea: it has no prompt.md yet.")
    if trigger.kind == "manual":
        return replace(told, door="by hand", problem="Nothing fires it; try it with: careplane app try")
    try:
        return asyncio.run(_through_the_door(world, app, trigger, told))
    except CareplaneError as error:
        return replace(told, problem=str(error))


async def _through_the_door(world: World, app: App, trigger: Trigger, told: Simulated) -> Simulated:
    try:
        return await _knocked(world, app, trigger, told)
    finally:
        await world.platform.fhir.aclose()


async def _knocked(world: World, app: App, trigger: Trigger, told: Simulated) -> Simulated:
    subject = await find_subject(world.platform.fhir, app, trigger)
    if subject is None:
        return replace(told, problem="The synthetic patients have nothing of what this app reads.")
    knock = _knock(world, app, trigger, subject)
    before = {run.id for run in find_runs(world.platform.store, app.id, limit=None)}
    began = time.monotonic()
    door = await DOORS.get(trigger.kind, straight)(world, knock)
    told = replace(told, door=door)
    runs = await _runs(world, app, before)
    seconds = round(time.monotonic() - began, 2)
    if not runs:
        return replace(told, seconds=seconds, problem=f"Nothing ran within {SECONDS:.0f} seconds.")
    run = max(runs, key=lambda one: len(one.sources))
    return _told(world, app, replace(told, seconds=seconds, runs=len(runs)), run, knock.user)


def _knock(world: World, app: App, trigger: Trigger, subject: Subject) -> Knock:
    """The event, with a reviewer who is trained; a schedule finds its own reviewers, so those are trained."""
    user = world.someone(*trigger.jobs, unit=subject.unit).id
    for person in [one.id for one in world.staff.values() if one.job in trigger.jobs] or [user]:
        world.train(app, person)
    return Knock(app=app, trigger=trigger, subject=subject, user=user, at=world.platform.clock())


async def _runs(world: World, app: App, before: set[str]) -> list[Run]:
    """The runs that came of it, once all of them have been tried; none if nothing came in time."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        found = [run for run in find_runs(world.platform.store, app.id, limit=None) if run.id not in before]
        if found:
            await world.durable.drain()
            return [run for run in find_runs(world.platform.store, app.id, limit=None) if run.id not in before]
        await asyncio.sleep(_LOOK_SECONDS)
    return []


def _told(world: World, app: App, told: Simulated, run: Run, user: str) -> Simulated:
    refused = "; ".join(f"{reason.text} {reason.way_out}".strip() for reason in run.permit.refusals)
    told = replace(told, run=run.id, status=run.status, permit=run.permit.reasons)
    if run.draft is None:
        return replace(told, problem=refused or run.error or "There is no draft.")
    return replace(
        told,
        sources=len(run.draft.sources),
        words=len(run.draft.text.split()),
        text=run.draft.text,
        findings=tuple(f"{finding.severity}: {finding.check}: {finding.text}" for finding in run.draft.findings),
        writes=_writes(world, app, run, user),
    )


def _writes(world: World, app: App, run: Run, user: str) -> tuple[str, ...]:
    """The types of the resources that would come to the chart if the draft were signed as it is."""
    if app.spec.output.kind == "text" or run.draft is None:
        return ()
    made = artefact(Signed(app, run, run.draft.text, user, world.platform.clock()))
    return (str(made["resourceType"]), "Provenance", "Device")
