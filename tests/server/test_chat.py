"""The chat door: answers from the clinic's own data, and a person for everything else, on a real server."""

import asyncio
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from careplane import governance
from careplane.cli.chat import command
from careplane.connectors import fhir_r4
from careplane.gateway import issue_key
from careplane.server.asgi import asgi_app
from careplane.server.platform import Platform
from careplane.store.lake import load_path
from careplane.workflow import find_runs
from careplane.workflow.chat import (
    answer_as_person,
    find_conversations,
    load_conversation,
    open_conversation,
    sample,
    take_turn,
    tell_waiting,
)
from careplane.workflow.handing_over import MOST_TURNS, before

CLINIC = {"unit": "Location/clinic-01", "focus": "Schedule/s1", "patient": "Patient/ana"}
RESOURCES: list[dict[str, Any]] = [
    {"resourceType": "Slot", "id": "slot-1", "schedule": {"reference": "Schedule/s1"}, "status": "free",
     "start": "2026-03-16T09:20:00-06:00", "end": "2026-03-16T09:40:00-06:00"},
    {"resourceType": "HealthcareService", "id": "h1", "name": "Elm Clinic", "comment": "Park behind the house.",
     "location": [{"reference": "Location/clinic-01"}]},
]  # fmt: skip


class Client:
    """The site's own chat page, as the server sees it."""

    def __init__(self, http: httpx.Client, key: str) -> None:
        self.http, self.key = http, key

    def say(self, text: str, **more: Any) -> httpx.Response:
        return self.http.post("/chat", json={"text": text, **more}, headers={"Authorization": f"Bearer {self.key}"})

    def read(self, ident: str, key: str | None = None) -> httpx.Response:
        return self.http.get(f"/chat/{ident}", headers={"Authorization": f"Bearer {key or self.key}"})


@pytest.fixture
def chat(platform: Platform, tmp_path: Path, promote: Callable[[str, str], None], serving: Any) -> Iterator[Client]:
    file = tmp_path / "clinic.ndjson"
    file.write_text("".join(json.dumps(resource) + "\n" for resource in RESOURCES), encoding="utf-8")
    load_path(file, platform.home)
    promote("access_assistant", "pilot")
    key = issue_key(platform.store, "access_assistant", datetime.now(UTC))
    with serving(asgi_app(platform)) as address, httpx.Client(base_url=address, trust_env=False) as http:
        yield Client(http, key)


def test_a_conversation_is_answered_from_the_clinics_data(chat: Client, platform: Platform) -> None:
    first = chat.say("Can I book a visit next week?", **CLINIC).json()
    assert "09:20 to 09:40" in first["reply"]
    assert "[1]" not in first["reply"]
    assert "computer program" in first["notice"]
    ident = first["conversation"]
    second = chat.say("Where do I park?", conversation=ident, turn=2).json()
    assert "Park behind the house" in second["reply"]
    assert (second["state"], second["next_turn"], second["handed_over"]) == ("open", 3, None)
    again = chat.say("Can I book a visit next week?", conversation=ident, turn=1).json()
    assert again["reply"] == first["reply"]
    runs = find_runs(platform.store)
    assert {run.event.patient for run in runs} == {"Patient/ana"}
    assert sorted(run.event.id for run in runs) == [f"{ident}.1", f"{ident}.2"]
    assert "Can I book" in str(runs[0].draft and runs[0].draft.message)
    assert {run.event.door for run in runs} == {"chat"}


HANDED_OVER = (
    ("My chest feels tight and my left arm hurts, can I come Friday?", "emergency", "911"),
    ("I want to kill myself", "emergency", "988"),
    ("Can I book a visit? I have had a rash since Monday.", "symptom", "cannot judge"),
    ("Please let me talk to a real person", "asked", "takes over"),
    ("What is the capital of France?", "unsure", "takes over"),
)


def test_the_staff_are_told_later_where_the_record_system_was_away(platform: Platform) -> None:
    app, here = platform.app("access_assistant"), platform.runtime

    async def day() -> None:
        away = replace(here, fhir=fhir_r4.open({"base_url": "http://127.0.0.1:9/fhir", "timeout_seconds": "1"}))
        talk = await take_turn(away, app, open_conversation(away, app, patient="Patient/ana"), 1, HANDED_OVER[1][0])
        assert (talk.state, talk.task, await tell_waiting(away)) == ("waiting", None, 0)
        assert [await tell_waiting(here), await tell_waiting(here)] == [1, 0]
        told = load_conversation(platform.store, talk.id)
        task = await here.fhir.read(str(told.task))
        assert task is not None
        assert (task["priority"], len(told.turns)) == ("stat", 1)
        await away.fhir.aclose()

    asyncio.run(day())


def test_a_person_takes_over(chat: Client, platform: Platform) -> None:
    for said, why, words in HANDED_OVER:
        answer = chat.say(said, **CLINIC).json()
        assert (answer["handed_over"], answer["state"]) == (why, "waiting")
        assert words in answer["reply"]
        assert "09:20" not in answer["reply"]
        waiting = load_conversation(platform.store, answer["conversation"])
        task = asyncio.run(platform.fhir.read(str(waiting.task)))
        assert task is not None
        assert task["priority"] == ("stat" if why == "emergency" else "urgent")
        assert said not in json.dumps(task)
    assert [run.draft and run.draft.text[:8] for run in find_runs(platform.store)] == ["HAND OFF"]
    records = list(platform.ledger.records(kind="chat.handed_over"))
    assert sorted(str(record.facts["why"]) for record in records) == sorted(why for _, why, _ in HANDED_OVER)
    assert waiting.id not in "".join(json.dumps(record.facts) for record in records)


def test_no_model_answers_once_a_person_has_it(chat: Client, platform: Platform) -> None:
    ident = chat.say("I need a nurse, I feel dizzy", **CLINIC).json()["conversation"]
    answer_as_person(platform.runtime, ident, "Practitioner/p1", "I call you now.")
    seen = chat.read(ident).json()
    assert (seen["state"], seen["reply"], seen["turns"][-1]["by"]) == ("taken", "I call you now.", "person")
    assert "p1" not in json.dumps(seen)
    later = chat.say("Can I book a visit?", conversation=ident, turn=3).json()
    assert later["reply"] == ""
    assert find_runs(platform.store) == []
    answer_as_person(platform.runtime, ident, "Practitioner/p1", "", close=True)
    assert chat.say("Hello?", conversation=ident, turn=4).status_code == 409


def test_what_is_wrong_is_told(chat: Client, platform: Platform) -> None:
    ident = chat.say("Can I book a visit?", **CLINIC).json()["conversation"]
    other = issue_key(platform.store, "portal_reply", datetime.now(UTC))
    assert chat.http.post("/chat", json={"text": "x"}).status_code == 401
    assert Client(chat.http, other).say("x").status_code == 422
    assert chat.read(ident, key=other).status_code == 422
    assert chat.read("not-a-conversation").status_code == 404
    assert chat.say("x", conversation=ident, turn=5).status_code == 409
    assert chat.say("x", conversation=ident, turn=2, patient="Patient/bob").status_code == 409
    assert chat.say("x", turn=2).status_code == 400
    assert chat.say("", **CLINIC).status_code == 400
    assert "Quill" not in chat.say("x", patient="Ana Quill").text
    assert chat.say("x" * 20_000).status_code == 413
    assert len(find_conversations(platform.store)) == 1


def test_a_stopped_app_hands_over(chat: Client, platform: Platform) -> None:
    store, ledger = platform.store, platform.ledger
    governance.stop(store, ledger, "app", "access_assistant", "officer", "missed emergency", platform.clock())
    answer = chat.say("Can I book a visit?", **CLINIC).json()
    assert (answer["handed_over"], answer["state"]) == ("refused", "waiting")


def test_the_sample_of_a_day_is_the_same_whenever_it_is_asked(chat: Client, platform: Platform) -> None:
    for n in range(7):
        chat.say(f"Where do I park? {n}", **CLINIC)
    day = datetime.now(UTC).date()
    first = sample(platform.store, "access_assistant", day, 0.05)
    assert len(first) == 5
    assert first == sample(platform.store, "access_assistant", day, 0.05)
    assert len(sample(platform.store, "access_assistant", day, 1.0)) == 7
    asked = ["list", "--app", "access_assistant", "--sample", str(day), "--home", str(platform.home)]
    told = CliRunner().invoke(command, asked)
    assert told.exit_code == 0, told.output
    assert len(told.output.splitlines()) == 5


def test_a_conversation_that_goes_on_and_on_is_handed_over(chat: Client, platform: Platform) -> None:
    ident = chat.say("Where do I park?", **CLINIC).json()["conversation"]
    for turn in range(2, MOST_TURNS + 1):
        chat.say("Where do I park?", conversation=ident, turn=turn)
    answer = chat.say("Where do I park?", conversation=ident, turn=MOST_TURNS + 1).json()
    assert answer["handed_over"] == "long"
    assert len(find_runs(platform.store, limit=None)) == MOST_TURNS


@pytest.mark.parametrize("said", ["Is the clinic open on Friday?", "What do I bring to the visit?", "¿Dónde está?"])
def test_a_plain_question_is_not_handed_over(said: str) -> None:
    assert before(said) is None


@pytest.mark.parametrize(
    "said", ["me duele y tengo fiebre", "quiero hablar con una persona", "my baby has a cough", "no puedo respirar"]
)
def test_words_of_illness_go_to_a_person_in_both_languages(said: str) -> None:
    assert before(said) is not None
