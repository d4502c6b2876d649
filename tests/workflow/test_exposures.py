"""Exposure is logged for every eligible event of a plan, in both arms, whatever became of it and in whatever order."""

import asyncio
import dataclasses
from datetime import timedelta
from itertools import permutations
from pathlib import Path
from types import ModuleType

import pytest
from msgspec.structs import replace

from careplane import governance
from careplane.errors import UpstreamAway, UpstreamError
from careplane.records.chat import Conversation
from careplane.records.design import Exposure, Placement, Why
from careplane.records.model import ModelReply, ModelRequest
from careplane.workflow import Runtime, run_event
from careplane.workflow.chat import open_conversation, take_turn
from careplane.workflow.durable import Durable
from careplane.workflow.exposures import count_exposures, exposure_of, find_exposures, keep_exposure, note, unspoken

CONTROL = "Location/clinic-02"


def only(runtime: Runtime) -> Exposure:
    (found,) = find_exposures(runtime.store, "plan-1")
    return found


def test_a_draft_is_told_as_spoken_with_who_and_where(runtime: Runtime, installation: ModuleType) -> None:
    event = installation.message_event()
    run = asyncio.run(run_event(runtime, event))
    asyncio.run(run_event(runtime, event))
    assert only(runtime) == Exposure(
        plan="plan-1", app="portal_reply", event=event.id, at=event.at, arm="intervention", spoke=True,
        subject=event.unit or "", unit=event.unit, patient=event.patient, clinician=event.user, run=run.id,
    )  # fmt: skip


def test_events_of_the_control_arm_are_logged_as_well(runtime: Runtime, installation: ModuleType) -> None:
    asyncio.run(run_event(runtime, installation.message_event(unit=CONTROL)))
    found = only(runtime)
    assert (found.arm, found.spoke, found.why, found.rule, found.unit) == (
        "control",
        False,
        "control",
        "in_arm",
        CONTROL,
    )


def test_a_stopped_app_is_told_as_stopped(runtime: Runtime, installation: ModuleType) -> None:
    governance.stop(runtime.store, runtime.ledger, "app", "portal_reply", "officer", "wrong doses", runtime.clock())
    asyncio.run(run_event(runtime, installation.message_event()))
    assert (only(runtime).why, only(runtime).spoke, only(runtime).rule) == ("stopped", False, "not_stopped")


def test_a_run_that_failed_is_told_as_failed(runtime: Runtime, installation: ModuleType) -> None:
    async def broken(_request: ModelRequest) -> ModelReply:
        raise UpstreamError("it fell")

    asyncio.run(run_event(dataclasses.replace(runtime, complete=broken), installation.message_event()))
    assert (only(runtime).why, only(runtime).spoke) == ("failed", False)


def test_an_event_that_waits_for_a_model_is_known_meanwhile(runtime: Runtime, installation: ModuleType) -> None:
    async def away(_request: ModelRequest) -> ModelReply:
        raise UpstreamAway("The model is away.", "model")

    event = installation.message_event()
    with pytest.raises(UpstreamAway):
        asyncio.run(run_event(dataclasses.replace(runtime, complete=away), event, waits=True))
    assert (only(runtime).why, only(runtime).spoke, only(runtime).run) == ("away", False, None)
    asyncio.run(run_event(runtime, event, waits=True))
    assert (only(runtime).why, only(runtime).spoke) == ("", True)


def test_the_queue_logs_both_arms(runtime: Runtime, installation: ModuleType, home: Path) -> None:
    durable = Durable(runtime, home)
    durable.start()
    try:
        for n in range(4):
            asyncio.run(durable.submit(installation.message_event(n, CONTROL if n % 2 else "Location/clinic-01")))
        asyncio.run(durable.drain())
    finally:
        durable.stop()
    found = find_exposures(runtime.store, "plan-1")
    assert {one.event for one in found} == {"e0", "e1", "e2", "e3"}
    assert count_exposures(found)["control", "control"] == 2
    assert sum(one.arm == "intervention" for one in found) == 2


def test_a_chat_turn_that_a_person_must_answer_is_an_event_too(runtime: Runtime) -> None:
    app = runtime.apps("access_assistant")
    talk = open_conversation(runtime, app, language="en", patient="Patient/a0", unit="Location/clinic-01")
    taken: Conversation = asyncio.run(take_turn(runtime, app, talk, 1, "I have chest pain and cannot breathe"))
    assert taken.state == "waiting"
    assert (only(runtime).why, only(runtime).spoke) == ("refused", False)
    assert only(runtime).rule.startswith("handover_")


@pytest.mark.parametrize(
    ("why", "spoke", "told"),
    [("late", True, "late"), ("shadow", False, "shadow"), ("busy", True, ""), ("away", True, "")],
)
def test_what_is_noted_beside_a_run_is_the_same_in_any_order(
    runtime: Runtime, installation: ModuleType, why: Why, spoke: bool, told: Why
) -> None:
    placed = Placement(plan="plan-2", arm="intervention", subject="Location/clinic-01")
    run = asyncio.run(run_event(runtime, installation.message_event()))
    notes = (exposure_of(run, placed), unspoken(run.event, placed, why))
    kept = []
    for number, order in enumerate(permutations((*notes, notes[1]))):
        for one in order:
            with runtime.store.write() as connection:
                keep_exposure(connection, replace(one, plan=f"plan-{number + 10}"))
        (found,) = find_exposures(runtime.store, f"plan-{number + 10}")
        kept.append((found.spoke, found.why, found.run))
    assert set(kept) == {(spoke, told, run.id)}


def test_exposures_are_read_by_time(runtime: Runtime, installation: ModuleType) -> None:
    event = installation.message_event()
    placed = Placement(plan="plan-1", arm=None, reason="no arm")
    note(runtime.store, unspoken(event, placed, "refused"))
    assert find_exposures(runtime.store, "plan-1", since=event.at + timedelta(seconds=1)) == []
    assert find_exposures(runtime.store, "plan-1", until=event.at) == []
    found = find_exposures(runtime.store, "plan-1", since=event.at, until=event.at + timedelta(seconds=1))
    assert count_exposures(found) == {("none", "refused"): 1}
