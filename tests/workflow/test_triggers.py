"""From what happened to the events of apps: which trigger is for what, whatever the door."""

from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from careplane.records.app import Trigger
from careplane.records.run import Occurrence
from careplane.workflow import Runtime
from careplane.workflow.triggers import events_of, matches

AT = datetime(2026, 3, 2, 14, tzinfo=UTC)


def happened(kind: str, on: str) -> Occurrence:
    return Occurrence(id="o1", kind=kind, on=on, at=AT, patient="Patient/a", source="test")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "on", "came_by", "what", "starts"),
    [
        ("hook", "order-sign", "hook", "order-sign", True),
        ("hook", "order-sign", "hook", "order-select", False),
        ("subscription", "Communication.created", "subscription", "Communication.created", True),
        ("subscription", "Communication.created", "subscription", "Communication.updated", False),
        ("subscription", "Task.*", "subscription", "Task.updated", True),
        ("subscription", "Task.*", "subscription", "TaskForce.updated", False),
        ("hl7v2", "ADT^A03", "hl7v2", "ADT^A03", True),
        ("hl7v2", "ADT^A03", "hl7v2", "ADT^A04", False),
        ("hl7v2", "ADT^*", "hl7v2", "ADT^A04", True),
        ("hl7v2", "ADT^*", "hl7v2", "ADTX^A04", False),
        ("erp", "invoice.posted", "erp", "invoice.posted", True),
        ("erp", "invoice.posted", "hook", "invoice.posted", False),
        ("api", "call.ended", "api", "call.ended", True),
        ("hook", "order-sign", "api", "order-sign", True),
        ("chat", "", "api", "", False),
        ("manual", "", "api", "", False),
        ("chat", "", "chat", "web", True),
    ],
)
def test_a_trigger_is_for_what_it_names(kind: str, on: str, came_by: str, what: str, starts: bool) -> None:
    assert matches(Trigger(kind=kind, on=on), happened(came_by, what)) is starts  # type: ignore[arg-type]


def test_the_clock_starts_the_cron_that_is_declared() -> None:
    trigger = Trigger(kind="schedule", cron="0 6 * * *", jobs=("nurse",))
    assert matches(trigger, happened("schedule", "0 6 * * *"))
    assert not matches(trigger, happened("schedule", "0 7 * * *"))
    assert not matches(trigger, happened("api", ""))


def test_one_event_for_each_app_that_runs_and_is_started(runtime: Runtime) -> None:
    reply = runtime.apps("portal_reply")
    other = replace(reply, spec=replace(reply.spec, id="other_reply", triggers=()))
    idea = replace(other, prompt=None)
    apart = replace(reply, spec=replace(reply.spec, id="apart", trigger=Trigger(kind="manual"), triggers=()))
    events = events_of((reply, other, idea, apart), happened("subscription", "Communication.created"))
    assert [(event.app, event.id, event.kind, event.door) for event in events] == [
        ("portal_reply", "o1", "Communication.created", "subscription"),
        ("other_reply", "o1", "Communication.created", "subscription"),
    ]
    assert {(event.patient, event.at, event.source) for event in events} == {("Patient/a", AT, "test")}
    assert [event.app for event in events_of((reply, other), happened("api", "Communication.received"))] == [
        "portal_reply"
    ]
