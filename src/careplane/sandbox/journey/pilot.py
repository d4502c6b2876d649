"""The pilot: every patient message of the window goes through the real runtime, and the staff act on what they get."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from itertools import groupby

import orjson
from msgspec.structs import replace

from careplane.records import JSON
from careplane.records.run import Event, Run
from careplane.sandbox.journey.scene import APP, Scene
from careplane.sandbox.replies import Handling
from careplane.sandbox.staff import Decision
from careplane.workflow import answer_survey, review_run, run_id, survey_due
from careplane.workflow.durable import Durable
from careplane.workflow.records import find_run

Advance = Callable[[int], None]


def read_inbox(scene: Scene) -> list[JSON]:
    """The patients' portal messages of the pilot window, in the order of time."""
    path = scene.options.dataset / "inbox" / "Communication.ndjson"
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


async def run_pilot(scene: Scene, durable: Durable, messages: Sequence[JSON], advance: Advance) -> None:
    """Deliver the messages day by day, and let the staff answer each.

    Every message is an event of the app, in both arms: exposure is recorded whether or not the app spoke.
    """
    for arrived in _by_day(messages):
        scene.clock.move_to(datetime.fromisoformat(arrived[0]["sent"]))
        await asyncio.gather(*(_deliver(scene, durable, message) for message in arrived))
        await durable.drain()
        for message in arrived:
            await _handle(scene, message)
        advance(len(arrived))


async def _deliver(scene: Scene, durable: Durable, message: JSON) -> None:
    """The message into the chart, and its event to the app."""
    await scene.platform.fhir.update(message)
    await durable.submit(event_of(scene, message))


def event_of(scene: Scene, message: JSON) -> Event:
    """A portal message as the event that triggers the app."""
    unit, user = message["about"][0]["reference"], message["recipient"][0]["reference"]
    return Event(
        id=message["id"],
        app=APP,
        kind="Communication.created",
        at=datetime.fromisoformat(message["sent"]),
        patient=message["subject"]["reference"],
        focus=f"Communication/{message['id']}",
        unit=unit,
        site=scene.staff.people[user].site,
        user=user,
    )


def _by_day(messages: Iterable[JSON]) -> list[list[JSON]]:
    return [list(arrived) for _day, arrived in groupby(messages, key=lambda message: message["sent"][:10])]


async def _handle(scene: Scene, message: JSON) -> None:
    """One message in the hands of its clinician: with a draft when there is one, by hand otherwise."""
    run = find_run(scene.platform.store, run_id(APP, message["id"]))
    if run is None or run.draft is None:
        await _write(scene, scene.staff.manual(message))
        return
    decision = scene.staff.with_draft(message, run.draft.findings, run.draft.text)
    if decision.action is not None:
        run = await _review(scene, run, decision)
        _ask(scene, run)
    if decision.then_manual is not None:
        await _write(scene, decision.then_manual)


async def _review(scene: Scene, run: Run, decision: Decision) -> Run:
    assert decision.action is not None  # noqa: S101 - asked by the caller
    assert run.event.user is not None  # noqa: S101 - every portal message has a recipient
    return await review_run(
        scene.platform.runtime,
        run.id,
        decision.action,
        run.event.user,
        decision.seconds,
        at=datetime.fromisoformat(decision.at),
        final_text=decision.final_text,
        reason=decision.reason,
    )


def _ask(scene: Scene, run: Run) -> None:
    """The three questions, when they are due; people may skip them."""
    platform, review = scene.platform, run.review
    assert review is not None  # noqa: S101 - the run was reviewed a moment ago
    if survey_due(platform.store, platform.app(run.app), review.by, review.at):
        scene.asked[review.by] += 1
        survey = scene.staff.survey(review.by, scene.asked[review.by])
        if survey is not None:
            answer_survey(platform.runtime, run.id, replace(survey, at=review.at))


async def _write(scene: Scene, handling: Handling) -> None:
    """What a clinician did by hand, as the EHR records it: the reply, and the audit of the time it took."""
    fhir = scene.platform.fhir
    await asyncio.gather(fhir.update(handling.reply), fhir.update(handling.audit))
