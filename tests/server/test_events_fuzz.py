"""The door for events under calls that somebody made up: each gets an answer that the document promises, none disturbs
another, and what is taken is kept."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import positive_data_acceptance

from careplane.records.portfolio import Stage
from careplane.server.events import MAX_EVENT_BYTES, events_document
from careplane.server.platform import Platform
from careplane.workflow import inbox

FUZZ = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize=True,
    phases=[Phase.generate],  # each try is a call of a real server, so a failure is shown as it was found
)
THREADS = pytest.mark.filterwarnings("ignore:Do not use the `random` module")
"""Hypothesis sees that random numbers were drawn while it made up a call: by the threads of the server."""

HONEST = {"id": "m1", "kind": "Communication.received", "patient": "Patient/ana", "focus": "Communication/m1"}
FIELDS = ("id", "kind", "patient", "encounter", "focus", "unit", "site", "user", "app", "text")
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=300)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner), max_leaves=5
)
BODIES = st.dictionaries(st.sampled_from(FIELDS), VALUES) | VALUES
OPERATIONS = [
    one.ok() for one in schemathesis.openapi.from_dict(events_document()).get_all_operations() if isinstance(one, Ok)
]
REFUSALS = (400, 413, 422)


@FUZZ
@given(body=BODIES, change=st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=2))
@THREADS
def test_what_is_made_up_is_taken_or_told_why(door: Any, body: Any, change: dict[str, Any]) -> None:
    for sent in (body, {**HONEST, **change}):
        answer = door.post(sent)
        assert answer.status_code in (202, *REFUSALS), answer.text
        assert ("accepted" in answer.json()) == (answer.status_code == 202)


@FUZZ
@given(raw=st.binary(max_size=200), around=st.sampled_from((b"", b'{"id": "', b'{"kind": ', b"[" * 5000, b'"\\ud800')))
@THREADS
def test_bytes_of_any_kind_are_answered(door: Any, raw: bytes, around: bytes) -> None:
    assert door.post(around + raw).status_code in REFUSALS


@FUZZ
@given(key=st.text(st.characters(codec="latin-1", exclude_categories=["Cc", "Zs"]), min_size=1, max_size=80))
@THREADS
def test_a_key_that_somebody_made_up_opens_nothing(door: Any, key: str) -> None:
    headers = {"Authorization": f"Bearer {key}".encode("latin-1")}
    assert door.client.post("/events", json=HONEST, headers=headers).status_code == 401


@FUZZ
@given(data=st.data())
@THREADS
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.label)
def test_every_answer_is_one_that_the_document_promises(door: Any, operation: Any, data: Any) -> None:
    case = data.draw(operation.as_strategy())
    answer = case.call(base_url=str(door.client.base_url), headers={"Authorization": f"Bearer {door.key}"})
    # which kinds start an app is its manifest's matter, so an event that is one may be answered with 422
    case.validate_response(answer, excluded_checks=[positive_data_acceptance])


@pytest.mark.parametrize("size", [MAX_EVENT_BYTES - 1, MAX_EVENT_BYTES, MAX_EVENT_BYTES + 1, 5_000_000])
def test_the_limit_of_size_holds(door: Any, size: int) -> None:
    body = json.dumps(HONEST).encode()
    answer = door.post(body + b" " * (size - len(body)))
    assert answer.status_code == (202 if size <= MAX_EVENT_BYTES else 413)


@pytest.mark.parametrize("control", ["\x00", "\n", "\x1b[2J", "\x7f"])
def test_control_characters_are_no_names(door: Any, control: str) -> None:
    answer = door.post({**HONEST, "id": f"m{control}1"})
    assert answer.status_code == 400
    assert "$.id" in answer.json()["error"]


def test_after_all_of_it_an_honest_event_is_processed(
    platform: Platform, door: Any, promote: Callable[[str, Stage], None]
) -> None:
    promote("portal_reply", "pilot")
    for body in (b"\x00", b"{" * 10_000, b'{"id":1e999}', b'{"id":"a","id":"b","kind":"x"}'):
        assert door.post(body).status_code in REFUSALS
    assert door.post(HONEST).status_code == 202
    assert inbox.count_events(platform.store)["dead"] == 0
    assert door.client.get("/events/openapi.json").json() == events_document()
