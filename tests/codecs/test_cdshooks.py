"""CDS Hooks 2.0 on the wire: discovery, prefetch templates and tokens, every rule of cards, calls and feedback."""

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from careplane.codecs.cdshooks import (
    Card,
    CardSource,
    Query,
    Reply,
    Service,
    fill,
    operation_outcome,
    read_call,
    read_feedback,
    read_prefetched,
    read_reply,
    rule_template,
    write_reply,
    write_services,
)
from careplane.codecs.cdshooks.templates import beyond_subset, read_query
from careplane.errors import InputError
from careplane.records import JSON
from careplane.records.app import ContextRule

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
CARD: JSON = {"summary": "A card", "indicator": "info", "source": {"label": "An app"}}
ORDER: JSON = {"resourceType": "ServiceRequest", "id": "o1"}


def test_discovery() -> None:
    assert write_services([]) == {"services": []}
    twice = [Service(id="a", hook=hook, description="d") for hook in ("patient-view", "order-sign")]
    assert write_services(twice)["services"][1] == {"hook": "order-sign", "id": "a", "description": "d"}
    with pytest.raises(InputError, match="twice"):
        write_services([twice[0], twice[0]])
    with pytest.raises(InputError, match="description"):
        write_services([Service(id="a", hook="patient-view", description=" ")])


@pytest.mark.parametrize(
    ("resource", "search", "template"),
    [
        ("Patient", "_id={patient}", "Patient/{{context.patientId}}"),
        ("Encounter", "_id={encounter}", "Encounter/{{context.encounterId}}"),
        ("Condition", "patient={patient}", "Condition?patient={{context.patientId}}&_count=20"),
        ("Observation", "patient={patient}&_sort=-date&_count=5",
         "Observation?patient={{context.patientId}}&_sort=-date&_count=5"),
        ("Encounter", "location={unit}&status=in-progress", None),
        ("ServiceRequest", "_id={focus}", None),
    ],
)  # fmt: skip
def test_rules_become_templates(resource: str, search: str, template: str | None) -> None:
    assert rule_template(ContextRule(resource=resource, search=search, fields=("id",))) == template


def test_what_is_beyond_the_query_subset_is_named() -> None:
    assert beyond_subset("Observation?patient=1&code:in=http://x&date=ge2026&_sort=-date&_count=3") == ()
    assert beyond_subset("Task?encounter.location=1&code:text=x&_has:a:b:c=1&_include=*") == (
        "encounter.location",
        "code:text",
        "_has:a:b:c",
        "_include",
    )


@pytest.mark.parametrize(
    ("template", "filled"),
    [
        ("Patient/{{context.patientId}}", "Patient/ana"),
        ("{{context.userId}}", "Practitioner/p1"),
        ("Practitioner/{{userPractitionerId}}", "Practitioner/p1"),
        ("Condition?patient={{ context.patientId }}&x={{context.odd}}", "Condition?patient=ana&x=a%26b%3Dc"),
        ("PractitionerRole/{{userPractitionerRoleId}}", None),
        ("Patient/{{userPatientId}}", None),
        ("Patient/{{userRelatedPersonId}}", None),
        ("Patient/{{context.medication.id}}", None),
        ("Patient/{{today()}}", None),
        ("Patient/1", "Patient/1"),
    ],
)
def test_tokens_are_filled(template: str, filled: str | None) -> None:
    context = {"patientId": "ana", "userId": "Practitioner/p1", "odd": "a&b=c"}
    assert fill(template, context, "Practitioner/p1") == filled


def test_two_queries_for_the_same_are_equal() -> None:
    assert read_query("Condition?b=2&a=1&_count=5") == read_query("Condition?a=1&b=2")
    assert read_query("Patient?_id=ana") == read_query("Patient/ana") == Query(resource="Patient", ident="ana")
    assert read_query("Observation?patient=1&_sort=-date") != read_query("Observation?patient=1")
    for wrong in ("", "Patient", "Nothing/1", "Patient/", "Patient/1/_history", "http://x/Patient/1"):
        with pytest.raises(InputError):
            read_query(wrong)


def test_null_an_outcome_and_a_page_are_told_apart() -> None:
    query = Query(resource="Condition", params=(("patient", "ana"),))
    none = read_prefetched(None, query, "Patient/ana", "f")
    failed = read_prefetched({"resourceType": "OperationOutcome"}, query, "Patient/ana", "f")
    page = {"resourceType": "Bundle", "link": [{"relation": "next", "url": "https://x/2"}]}
    assert (none.resources, none.failed) == ((), False)
    assert failed.failed
    assert read_prefetched(page, query, "Patient/ana", "f").next == "https://x/2"


def reply(**card: Any) -> JSON:
    held = {**CARD, **card}
    return {"cards": [{name: value for name, value in held.items() if value != "absent"}]}


GOOD: tuple[JSON, ...] = (
    {"cards": []},
    reply(summary="x" * 139, uuid="u", detail="**x**", extension={"com.x": 1}, unknown=1),
    reply(suggestions=[{"label": "a"}], selectionBehavior="any"),
    reply(overrideReasons=[{"code": "a", "system": "urn:x", "display": "A"}]),
    reply(links=[{"label": "l", "url": "https://x/y", "type": "smart", "appContext": "{}", "autolaunchable": True}]),
    {"cards": [], "systemActions": [{"type": "delete", "description": "d", "resourceId": "ServiceRequest/o1"}]},
    reply(
        suggestions=[
            {"label": "a", "actionSelectionBehavior": "all", "actions": [
                {"type": "create", "description": "d", "resource": {"resourceType": "ServiceRequest"}},
                {"type": "update", "description": "d", "resource": ORDER}]}
        ],
        selectionBehavior="at-most-one",
    ),
)  # fmt: skip


@pytest.mark.parametrize("given_reply", GOOD)
def test_an_answer_that_keeps_the_rules_comes_back_as_it_was(given_reply: JSON) -> None:
    again = write_reply(read_reply(given_reply))
    assert len(again["cards"]) == len(given_reply["cards"])
    assert "systemActions" not in again or again["systemActions"]


def actions(*items: JSON) -> JSON:
    return reply(suggestions=[{"label": "a", "actions": list(items)}], selectionBehavior="any")


BAD: tuple[tuple[Any, str], ...] = (
    ({}, "cards"),
    ([], "object"),
    ({"cards": None}, "cards"),
    ({"cards": [], "systemActions": []}, "systemActions"),
    (reply(summary="x" * 140), "summary"),
    (reply(summary=""), "summary"),
    (reply(summary="absent"), "summary"),
    (reply(indicator="hard-stop"), "indicator"),
    (reply(source={}), "source"),
    (reply(source={"label": "a", "url": "/relative"}), "source.url"),
    (reply(detail=None), "detail"),
    (reply(suggestions=[{"label": "a"}]), "selectionBehavior"),
    (reply(selectionBehavior="any"), "selectionBehavior"),
    (reply(suggestions=[{"label": "a"}], selectionBehavior="all"), "selectionBehavior"),
    (reply(suggestions=[]), "suggestions"),
    (reply(overrideReasons=[{"code": "a"}]), "overrideReasons"),
    (reply(links=[{"label": "l", "url": "/x", "type": "absolute"}]), "links"),
    (reply(links=[{"label": "l", "url": "https://x", "type": "absolute", "appContext": "a"}]), "appContext"),
    (reply(links=[{"label": "l", "url": "https://x", "type": "other"}]), "type"),
    (actions({"type": "create", "description": "d"}), "resource"),
    (actions({"type": "update", "description": "d", "resource": {"resourceType": "ServiceRequest"}}), "resource"),
    (actions({"type": "delete", "description": "d"}), "resourceId"),
    (actions({"type": "delete", "description": "d", "resourceId": "o1"}), "resourceId"),
    (actions({"type": "merge", "description": "d", "resource": ORDER}), "type"),
    (actions({"type": "update", "resource": ORDER}), "description"),
)


@pytest.mark.parametrize(("given_reply", "field"), BAD)
def test_an_answer_that_breaks_a_rule_is_neither_written_nor_read(given_reply: Any, field: str) -> None:
    with pytest.raises(InputError) as caught:
        read_reply(given_reply)
    assert field in str(caught.value)


def test_a_card_of_ours_that_breaks_a_rule_is_not_written() -> None:
    card = Card(summary="x" * 200, indicator="info", source=CardSource(label="a"))
    with pytest.raises(InputError, match="summary"):
        write_reply(Reply(cards=(card,)))


def test_a_call_says_what_it_is_about() -> None:
    drafts = {"resourceType": "Bundle", "entry": [{"resource": ORDER}, {"resource": 4}, 5]}
    context = {"patientId": "ana", "encounterId": "Encounter/e1", "userId": "PractitionerRole/r", "draftOrders": drafts}
    body: JSON = {"hook": "order-select", "hookInstance": "h", "context": context}
    call = read_call(orjson.dumps(body), hooks=("order-select",))
    assert (call.patient, call.encounter, call.user) == ("Patient/ana", "Encounter/e1", "PractitionerRole/r")
    assert call.focus == "ServiceRequest/o1"
    chosen = {**body, "context": {**context, "selections": ["MedicationRequest/m2"]}}
    assert read_call(orjson.dumps(chosen), hooks=("order-select",)).focus == "MedicationRequest/m2"


def test_a_token_is_not_shown() -> None:
    token = {"access_token": "very-secret", "token_type": "Bearer", "expires_in": 3, "scope": "", "subject": "s"}
    body = {"hook": "x", "hookInstance": "h", "context": {}, "fhirServer": "https://x", "fhirAuthorization": token}
    assert "very-secret" not in repr(read_call(orjson.dumps(body), hooks=("x",)))


def test_an_error_is_an_operation_outcome() -> None:
    outcome = operation_outcome(412, "A sentence.", "prefetch.patient")
    assert outcome["issue"] == [
        {"severity": "error", "code": "incomplete", "diagnostics": "A sentence.", "expression": ["prefetch.patient"]}
    ]


_NAMES = st.sampled_from(["card", "outcome", "reason", "id", "code"])
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=3),
)
_FIELDS = st.sampled_from(["card", "outcome", "outcomeTimestamp", "acceptedSuggestions", "overrideReason"])


@given(entries=st.lists(st.dictionaries(_FIELDS, _VALUES), max_size=3))
def test_no_feedback_makes_the_reader_fall(entries: list[JSON]) -> None:
    with pytest.raises(InputError):
        read_feedback(orjson.dumps({"feedback": entries}), NOW)


@given(value=_VALUES)
def test_no_prefetch_makes_the_reader_fall(value: Any) -> None:
    with suppress(InputError):
        read_prefetched(value, Query(resource="Condition"), "Patient/ana", "f")
