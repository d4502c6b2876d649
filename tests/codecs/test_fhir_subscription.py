"""Notifications of Subscriptions: the forms of the specifications, and anything else as one kind of error."""

import copy
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from careplane.codecs.fhir_subscription import NotifiedEvent, parse_notification, rest_hook
from careplane.errors import InputError
from careplane.records import JSON

BASE = "https://example.org/fhir"

BACKPORT: JSON = {
    "resourceType": "Bundle",
    "type": "history",
    "entry": [
        {
            "fullUrl": "urn:uuid:2efa9e3e-1b1f-4b5c-9d4c-000000000001",
            "resource": {
                "resourceType": "Parameters",
                "id": "2efa9e3e",
                "parameter": [
                    {"name": "subscription", "valueReference": {"reference": f"{BASE}/Subscription/admission"}},
                    {"name": "topic", "valueCanonical": "http://example.org/topics/admission"},
                    {"name": "status", "valueCode": "active"},
                    {"name": "type", "valueCode": "event-notification"},
                    {"name": "events-since-subscription-start", "valueString": "310"},
                    {
                        "name": "notification-event",
                        "part": [
                            {"name": "event-number", "valueString": "310"},
                            {"name": "timestamp", "valueInstant": "2020-05-29T11:44:13.1882432-05:00"},
                            {"name": "focus", "valueReference": {"reference": f"{BASE}/Encounter/1"}},
                            {"name": "additional-context", "valueReference": {"reference": f"{BASE}/Patient/1"}},
                        ],
                    },
                ],
            },
            "request": {"method": "GET", "url": f"{BASE}/Subscription/admission/$status"},
            "response": {"status": "200"},
        },
        {
            "fullUrl": f"{BASE}/Encounter/1",
            "resource": {"resourceType": "Encounter", "id": "1", "status": "in-progress"},
            "request": {"method": "POST", "url": "Encounter"},
            "response": {"status": "201"},
        },
    ],
}
"""After the backport's example "Notification: Full Resource" (build of 1.1)."""

R5: JSON = {
    "resourceType": "Bundle",
    "type": "subscription-notification",
    "entry": [
        {
            "resource": {
                "resourceType": "SubscriptionStatus",
                "status": "active",
                "type": "event-notification",
                "eventsSinceSubscriptionStart": "2",
                "notificationEvent": [
                    {"eventNumber": "1", "focus": {"reference": f"{BASE}/Encounter/1/_history/3"}},
                    {"eventNumber": "2", "focus": {"reference": "Encounter/2"}},
                ],
                "subscription": {"reference": "Subscription/admission"},
                "topic": "http://example.org/topics/admission",
            }
        }
    ],
}
"""After R5's example "notification-id-only"."""


def test_the_backport_is_read() -> None:
    told = parse_notification(BACKPORT, BASE)
    assert (told.kind, told.subscription, told.since_start) == ("event-notification", "Subscription/admission", 310)
    assert told.events == (NotifiedEvent(number=310, focus="Encounter/1"),)
    assert told.resources["Encounter/1"]["status"] == "in-progress"
    assert "in-progress" not in repr(told)


def test_r5_is_read() -> None:
    told = parse_notification(R5, BASE)
    assert (told.status, told.topic) == ("active", "http://example.org/topics/admission")
    assert told.events == (NotifiedEvent(1, "Encounter/1"), NotifiedEvent(2, "Encounter/2"))
    assert told.resources == {}


def test_names_in_camel_case_are_read_too() -> None:
    given = copy.deepcopy(BACKPORT)
    for parameter in given["entry"][0]["resource"]["parameter"]:
        parameter["name"] = {
            "events-since-subscription-start": "eventsSinceSubscriptionStart",
            "notification-event": "notificationEvent",
        }.get(parameter["name"], parameter["name"])
    given["entry"][0]["resource"]["parameter"][-1]["part"][0]["name"] = "eventNumber"
    assert parse_notification(given) == parse_notification(BACKPORT)


@pytest.mark.parametrize("kind", ["handshake", "heartbeat", "query-status"])
def test_what_tells_no_event_is_read(kind: str) -> None:
    given = copy.deepcopy(R5)
    given["entry"][0]["resource"] |= {"type": kind, "notificationEvent": None}
    told = parse_notification(given)
    assert (told.kind, told.events, told.since_start) == (kind, (), 2)


def test_a_deletion_has_an_entry_without_resource() -> None:
    given = copy.deepcopy(R5)
    given["entry"].append({"request": {"method": "DELETE", "url": "Encounter/1"}, "response": {"status": "204"}})
    assert parse_notification(given) == parse_notification(R5)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"type": "party"}, "type"),
        ({"subscription": {"reference": "Patient/1"}}, "subscription"),
        ({"subscription": "Subscription/1"}, "subscription"),
        ({"eventsSinceSubscriptionStart": -1}, "eventsSinceSubscriptionStart"),
        ({"eventsSinceSubscriptionStart": True}, "eventsSinceSubscriptionStart"),
        ({"notificationEvent": [{"eventNumber": "1e9"}]}, "eventNumber"),
        ({"notificationEvent": [{"focus": {"reference": "Encounter?status=x"}}]}, "focus"),
        ({"notificationEvent": [{"focus": {"reference": "https://other.test/fhir/Encounter/1"}}]}, "focus"),
        ({"notificationEvent": [{"focus": {"reference": "ftp://example.org/fhir/Encounter/1"}}]}, "focus"),
        ({"notificationEvent": [{"eventNumber": n} for n in range(1001)]}, "notificationEvent"),
    ],
)
def test_what_is_wrong_is_named_by_its_field(change: dict[str, Any], field: str) -> None:
    given = copy.deepcopy(R5)
    given["entry"][0]["resource"] |= change
    with pytest.raises(InputError) as caught:
        parse_notification(given, BASE)
    assert caught.value.field == field


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=400, deadline=None)
@given(form=st.sampled_from([BACKPORT, R5]), path=st.lists(st.integers(0, 20), max_size=7), value=ANY)
def test_any_value_at_any_place_is_read_or_refused_and_not_repeated(form: JSON, path: list[int], value: Any) -> None:
    bundle = copy.deepcopy(form)
    node: Any = bundle
    for step in path:
        keys: list[Any] = list(node) if isinstance(node, dict) else list(range(len(node)))
        if not keys:
            break
        key = keys[step % len(keys)]
        if not isinstance(node[key], (dict, list)) or step > 14:
            node[key] = value
            break
        node = node[key]
    with suppress(InputError):
        told = parse_notification(bundle, BASE)
        assert all(event.focus is None or event.focus.count("/") == 1 for event in told.events)


def test_what_is_asked_for_is_r4s_own_or_the_backports() -> None:
    own = rest_hook("Communication?", "https://here.test/x", "Authorization: Bearer t", "why")
    assert (own["criteria"], own["channel"]["type"]) == ("Communication?", "rest-hook")
    assert "meta" not in own
    topical = rest_hook("Communication?", "https://here.test/x", "Authorization: Bearer t", "why", topic="http://t")
    assert topical["criteria"] == "http://t"
    assert topical["channel"]["_payload"]["extension"][0]["valueCode"] == "id-only"
