"""The door for events: who may knock, what is taken, and that it is processed once."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx

from careplane import governance
from careplane.gateway import list_keys, revoke_key
from careplane.server.asgi import asgi_app
from careplane.server.events import MAX_EVENT_BYTES
from careplane.server.platform import Platform
from careplane.workflow import find_runs

NOTICE = {
    "id": "m1",
    "kind": "Communication.received",
    "patient": "Patient/ana",
    "focus": "Communication/m1",
    "unit": "Location/clinic-01",
    "user": "Practitioner/p1",
}


def test_without_the_key_of_an_app_nothing_is_taken(platform: Platform, door: Any) -> None:
    assert {door.post(NOTICE, key=key).status_code for key in ("", "cp-wrong")} == {401}
    assert door.client.post("/events", json=NOTICE, headers={"Authorization": f"Basic {door.key}"}).status_code == 401
    revoke_key(platform.store, list_keys(platform.store)[0].id, platform.clock())
    refused = door.post(NOTICE)
    assert refused.status_code == 401
    assert "Authorization: Bearer" in refused.json()["error"]
    asyncio.run(door.durable.drain())
    assert find_runs(platform.store) == []


NO_EVENTS: tuple[tuple[Any, str], ...] = (
    ({"kind": "x"}, "`id`"),
    ({**NOTICE, "id": ""}, "$.id"),
    ({**NOTICE, "patient": 7}, "$.patient"),
    ({**NOTICE, "patient": "Ana Quill"}, "$.patient"),
    ({**NOTICE, "focus": "Communication/../secret"}, "$.focus"),
    ({**NOTICE, "app": "bed_huddle"}, "`app`"),
    ([], "object"),
    (b"{", "Not an event"),
    (b"\xff", "Not an event"),
)


def test_what_is_no_event_is_told_by_field(door: Any) -> None:
    for body, field in NO_EVENTS:
        answer = door.post(body)
        assert answer.status_code == 400, body
        assert field in answer.json()["error"]
        assert "Quill" not in answer.text
    assert door.post({**NOTICE, "text": "x" * MAX_EVENT_BYTES}).status_code == 413


def test_an_event_sent_twice_is_processed_once(
    platform: Platform,
    door: Any,
    promote: Callable[[str, str], None],
    train: Callable[[str, str], None],
) -> None:
    promote("portal_reply", "pilot")
    train("portal_reply", "Practitioner/p1")
    answers = [door.post(NOTICE) for _ in range(2)]
    asyncio.run(door.durable.drain())
    answers.append(door.post(NOTICE))
    asyncio.run(door.durable.drain())
    assert [answer.status_code for answer in answers] == [202, 202, 202]
    assert len({answer.json()["accepted"] for answer in answers}) == 1
    (run,) = find_runs(platform.store)
    assert (run.app, run.status, run.event.id) == ("portal_reply", "draft", "m1")
    assert run.event.at <= run.created_at
    assert len(list(platform.ledger.records(kind="run.drafted"))) == 1


def test_an_event_of_a_stopped_app_is_recorded_with_the_reason(
    platform: Platform, door: Any, promote: Callable[[str, str], None], train: Callable[[str, str], None]
) -> None:
    promote("portal_reply", "pilot")
    train("portal_reply", "Practitioner/p1")
    governance.stop(platform.store, platform.ledger, "app", "portal_reply", "officer", "wrong doses", platform.clock())
    assert door.post(NOTICE).status_code == 202
    asyncio.run(door.durable.drain())
    (run,) = find_runs(platform.store)
    assert run.status == "refused"
    assert [(reason.rule, "wrong doses" in reason.text) for reason in run.permit.refusals] == [("not_stopped", True)]


def test_a_process_without_a_worker_takes_no_events(platform: Platform, door: Any) -> None:
    async def post() -> httpx.Response:
        transport = httpx.ASGITransport(asgi_app(platform))
        async with httpx.AsyncClient(transport=transport, base_url="http://careplane.test") as client:
            return await client.post("/events", json=NOTICE, headers={"Authorization": f"Bearer {door.key}"})

    answer = asyncio.run(post())
    assert answer.status_code == 503
    assert "careplane serve" in answer.json()["error"]


def test_what_the_manifest_does_not_declare_starts_nothing(platform: Platform, door: Any) -> None:
    answer = door.post({**NOTICE, "kind": "Quill.arrived"})
    assert answer.status_code == 422
    assert "Communication.created (subscription), Communication.received (api)" in answer.json()["error"]
    assert "Quill" not in answer.text
    asyncio.run(door.durable.drain())
    assert find_runs(platform.store) == []
