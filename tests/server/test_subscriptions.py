"""Subscriptions at a real FHIR server that fires at our door: what happened there is an event here, once, durably."""

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from sqlalchemy import select

from careplane.cli import main
from careplane.codecs.fhir_subscription import BACKPORT
from careplane.errors import SettingsError
from careplane.records import JSON
from careplane.records.run import Event
from careplane.sandbox.ehr_server import EhrServer
from careplane.server.asgi import asgi_app
from careplane.server.binding import bind
from careplane.server.platform import Platform, open_platform
from careplane.server.subscribing import Subscribing, open_subscribing, subscribed_types, topics
from careplane.settings import default_settings
from careplane.store import find
from careplane.store.tables import events
from careplane.workflow.durable import Durable
from careplane.workflow.subscriptions import Subscribed, find_subscribed

pytest.importorskip("sekmet", reason="needs the extra 'sandbox' (sekmet-fhir)")

TOPIC = "http://sekmet.dev/fhir/SubscriptionTopic/message"
TOKEN = "a-token-of-the-test"


@pytest.fixture(scope="module")
def ehr(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The base URL of a FHIR server of its own, with a topic for messages."""
    from sekmet.subscriptions.backport import topic_basic

    with EhrServer(tmp_path_factory.mktemp("ehr")) as server:
        topic = topic_basic("message", "Message", "A message came or changed", "Communication", "true", [])
        httpx.put(f"{server.base_url}/Basic/topic-message", json=topic, trust_env=False).raise_for_status()
        yield server.base_url


class Site:
    """A running installation whose EHR is the FHIR server."""

    def __init__(self, platform: Platform, durable: Durable, address: str, ehr: str) -> None:
        self.platform, self.durable, self.address, self.ehr = platform, durable, address, ehr
        self.client = httpx.Client(trust_env=False, timeout=20)

    def write(self, ident: str, **more: Any) -> None:
        """Put a message at the EHR."""
        about = {"subject": {"reference": "Patient/ana"}, "about": [{"reference": "Location/ward-a"}]}
        body = {"resourceType": "Communication", "id": ident, "status": "completed", **about, **more}
        self.client.put(f"{self.ehr}/Communication/{ident}", json=body).raise_for_status()

    def taken(self) -> dict[str, Event]:
        """The events of portal_reply by id."""
        with self.platform.store.read() as connection:
            return {one.id: one for one in find(connection, events, Event, events.c.app == "portal_reply")}

    def wait_for(self, *idents: str) -> dict[str, Event]:
        deadline = time.monotonic() + 20
        while not set(idents) <= set(self.taken()) and time.monotonic() < deadline:
            time.sleep(0.05)
        taken = self.taken()
        assert set(idents) <= set(taken)
        return taken

    def one(self) -> Subscribed:
        """The Subscription to messages, once the EHR sends."""
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            found = [one for one in find_subscribed(self.platform.store) if one.type == "Communication" and one.remote]
            if found and self.held(found[0]).get("status") == "active":
                return found[0]
            time.sleep(0.05)
        raise AssertionError("there is no active Subscription")

    def held(self, one: Subscribed) -> JSON:
        """The Subscription as the EHR holds it."""
        found: JSON = self.client.get(f"{self.ehr}/{one.remote}").json()
        return found

    def token(self, one: Subscribed) -> str:
        """The token that the EHR was given."""
        return str(self.held(one)["channel"]["header"][0].partition("Bearer ")[2])

    def post(self, one: Subscribed, body: object, token: str | None = None, path: str = "") -> httpx.Response:
        """Notify as the EHR would."""
        headers = {"Authorization": f"Bearer {self.token(one) if token is None else token}"}
        sent: dict[str, Any] = {"content": body} if isinstance(body, bytes) else {"json": body}
        return self.client.post(f"{self.address}/fhir/subscriptions/{one.id}{path}", headers=headers, **sent)

    def subscribing(self) -> Subscribing:
        """What keeps the Subscriptions, for a turn of its own."""
        found = open_subscribing(self.platform, self.durable)
        assert found is not None
        return found

    def check(self) -> None:
        """One turn of what keeps the Subscriptions."""

        async def turn() -> None:
            kept = self.subscribing()
            await kept.check()
            await kept.aclose()
            await self.platform.fhir.aclose()

        asyncio.run(turn())


@contextmanager
def running(ehr: str, home: Path, **settings: str) -> Iterator[Site]:
    """An installation on a port of its own; the EHR's Subscriptions are ended afterwards."""
    listener = bind("127.0.0.1", 0)
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    platform = open_platform(
        default_settings(home=str(home), fhir_base_url=ehr, public_url=address, **settings), synthetic=True
    )
    durable = Durable(platform.runtime, platform.home)
    durable.start()
    server = uvicorn.Server(uvicorn.Config(asgi_app(platform, durable), log_level="error"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    site = Site(platform, durable, address, ehr)
    try:
        yield site
    finally:
        for one in find_subscribed(platform.store):
            site.client.delete(f"{ehr}/{one.remote}")
        site.client.close()
        server.should_exit = True
        thread.join()
        listener.close()
        durable.stop()
        platform.close()


@pytest.fixture
def site(ehr: str, home: Path) -> Iterator[Site]:
    """An installation with R4's own Subscriptions."""
    with running(ehr, home) as site:
        yield site


@pytest.fixture
def topical(ehr: str, home: Path) -> Iterator[Site]:
    """An installation with a Subscription of the backport."""
    with running(ehr, home, subscription_topics=f"Communication={TOPIC}") as site:
        yield site


def test_each_type_that_starts_an_app_is_subscribed_once(site: Site) -> None:
    site.one()
    wanted = subscribed_types(site.platform.apps.values())
    deadline = time.monotonic() + 20
    while len([one for one in find_subscribed(site.platform.store) if one.remote]) < len(wanted):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    site.check()
    assert {one.type for one in find_subscribed(site.platform.store)} == wanted
    held = site.client.get(f"{site.ehr}/Subscription", params={"_count": "100"}).json().get("entry", [])
    ours = [e["resource"] for e in held if e["resource"]["channel"]["endpoint"].startswith(site.address)]
    assert sorted(one["criteria"] for one in ours) == sorted(f"{kind}?" for kind in wanted)


def test_the_token_is_not_in_the_store(site: Site) -> None:
    one = site.one()
    assert len(site.token(one)) > 40
    assert site.token(one) not in (site.platform.home / "careplane.db").read_bytes().decode("latin-1")
    assert one.secret not in repr(one)


def test_what_is_created_at_the_ehr_is_an_event_with_its_people(site: Site) -> None:
    site.one()
    site.write("plain-1")
    event = site.wait_for("Communication/plain-1/created")["Communication/plain-1/created"]
    assert (event.kind, event.door) == ("Communication.created", "subscription")
    assert (event.patient, event.focus, event.unit) == ("Patient/ana", "Communication/plain-1", "Location/ward-a")
    site.write("plain-1", status="in-progress")  # an update starts no app that waits for new ones
    site.write("plain-2")
    taken = site.wait_for("Communication/plain-2/created")
    assert [ident for ident in taken if "plain-1" in ident] == ["Communication/plain-1/created"]


def test_the_backport_shakes_hands_and_tells_ids(topical: Site) -> None:
    one = topical.one()
    assert (one.topic, topical.held(one)["criteria"]) == (TOPIC, TOPIC)
    for number in range(1, 6):
        topical.write(f"topic-{number}")
    topical.wait_for(*(f"Communication/topic-{number}/created" for number in range(1, 6)))
    deadline = time.monotonic() + 10
    while topical.one().seen < 5 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert topical.one().seen == 5


def test_a_resource_that_changed_before_it_was_read_was_still_created(topical: Site) -> None:
    one = topical.one()
    topical.client.put(f"{topical.ehr}/{one.remote}", json={**topical.held(one), "status": "off"}).raise_for_status()
    topical.write("quick")
    topical.write("quick", status="in-progress")
    assert topical.post(one, bundle(one, focus="Communication/quick")).status_code == 200
    assert "Communication/quick/created" in topical.taken()


def test_a_number_that_was_left_out_is_made_up_for(topical: Site) -> None:
    one = topical.one()
    topical.client.put(f"{topical.ehr}/{one.remote}", json={**topical.held(one), "status": "off"}).raise_for_status()
    for number in range(1, 4):
        topical.write(f"lost-{number}")
    assert not any("lost" in ident for ident in topical.taken())
    assert topical.post(one, bundle(one, number=3, focus="Communication/lost-3")).status_code == 200
    assert {f"Communication/lost-{number}/created" for number in range(1, 4)} <= set(topical.taken())
    assert [held.seen for held in find_subscribed(topical.platform.store) if held.id == one.id] == [3]


def test_a_heartbeat_that_counts_more_is_made_up_for(topical: Site) -> None:
    one = topical.one()
    topical.client.put(f"{topical.ehr}/{one.remote}", json={**topical.held(one), "status": "off"}).raise_for_status()
    for number, kind in enumerate(("heartbeat", "query-status")):
        topical.write(f"beat-{kind}")
        assert topical.post(one, bundle(one, kind=kind, number=number)).status_code == 200
        assert f"Communication/beat-{kind}/created" not in topical.taken()
        assert topical.post(one, bundle(one, kind=kind, number=number + 1)).status_code == 200
        assert f"Communication/beat-{kind}/created" in topical.taken()


def test_a_subscription_that_the_ehr_dropped_is_made_again_and_nothing_is_lost(site: Site) -> None:
    one = site.one()
    site.write("before")
    site.wait_for("Communication/before/created")
    site.client.delete(f"{site.ehr}/{one.remote}").raise_for_status()
    site.write("meanwhile")
    site.check()
    assert "Communication/meanwhile/created" in site.taken()
    again = site.one()
    assert again.remote != one.remote
    site.write("after")
    site.wait_for("Communication/after/created")
    assert site.post(one, b"", token="old").status_code == 401


def test_an_empty_notification_and_one_that_comes_twice(site: Site) -> None:
    one = site.one()
    site.client.put(f"{site.ehr}/{one.remote}", json={**site.held(one), "status": "off"}).raise_for_status()
    site.write("empty")
    assert site.post(one, b"").status_code == 200
    assert site.post(one, b"").status_code == 200
    body = site.client.get(f"{site.ehr}/Communication/empty").json()
    assert site.post(one, body).status_code == 200
    assert site.post(one, body, path="/Communication/empty").status_code == 200
    assert [ident for ident in site.taken() if "empty" in ident] == ["Communication/empty/created"]


def test_every_form_and_payload_is_read(topical: Site) -> None:
    one = topical.one()
    topical.client.put(f"{topical.ehr}/{one.remote}", json={**topical.held(one), "status": "off"}).raise_for_status()
    every = product(("Parameters", "SubscriptionStatus"), ("empty", "id-only", "full-resource"))
    for number, (form, payload) in enumerate(every, start=1):
        topical.write(ident := f"f-{form[:3]}-{payload}")
        focus = None if payload == "empty" else f"{topical.ehr}/Communication/{ident}"
        resource = topical.client.get(f"{topical.ehr}/Communication/{ident}").json()
        along = [resource] if payload == "full-resource" else []
        assert topical.post(one, bundle(one, number=number, focus=focus, form=form, resources=along)).status_code == 200
        assert f"Communication/{ident}/created" in topical.taken()


def bundle(
    one: Subscribed,
    *,
    kind: str = "event-notification",
    number: int = 1,
    focus: str | None = None,
    form: str = "Parameters",
    resources: list[JSON] | None = None,
) -> JSON:
    """A notification, written from the specifications."""
    told: JSON
    if form == "Parameters":
        parts: list[JSON] = [{"name": "event-number", "valueString": str(number)}]
        parts += [{"name": "focus", "valueReference": {"reference": focus}}] if focus else []
        parameter = [
            {"name": "subscription", "valueReference": {"reference": one.remote}},
            {"name": "type", "valueCode": kind},
            {"name": "events-since-subscription-start", "valueString": str(number)},
        ]
        if kind == "event-notification":
            parameter.append({"name": "notification-event", "part": parts})
        told = {"resourceType": "Parameters", "meta": {"profile": [f"{BACKPORT}/backport-subscription-status-r4"]}}
        told["parameter"] = parameter
    else:
        event = {"eventNumber": str(number), **({"focus": {"reference": focus}} if focus else {})}
        told = {"resourceType": "SubscriptionStatus", "status": "active", "type": kind,
                "eventsSinceSubscriptionStart": str(number), "notificationEvent": [event],
                "subscription": {"reference": one.remote}}  # fmt: skip
    entries = [{"resource": told}, *({"resource": one} for one in resources or [])]
    what = "history" if form == "Parameters" else "subscription-notification"
    return {"resourceType": "Bundle", "type": what, "entry": entries}


def test_what_is_no_notification_gets_an_outcome_and_disturbs_nobody(site: Site) -> None:
    one = site.one()
    other = bundle(one, focus="Communication/x")
    other["entry"][0]["resource"]["parameter"][0]["valueReference"]["reference"] = "Subscription/another"
    bad: list[tuple[object, int]] = [
        (b"{", 400),
        (b"[" * 100_000, 400),
        (b'"text"', 400),
        ({"resourceType": "Observation", "id": "o"}, 400),
        ({"resourceType": "Communication"}, 400),
        ({"resourceType": "Bundle", "type": "history"}, 400),
        ({"resourceType": "Bundle", "type": "batch", "entry": []}, 400),
        (bundle(one, kind="party"), 400),
        (bundle(one, focus="Observation/1"), 400),
        (bundle(one, focus="https://another.test/fhir/Communication/1"), 400),
        (bundle(one, focus="../../etc"), 400),
        (other, 400),
        (b'{"resourceType":"Communication","id":"x","y":"' + b"z" * 9_000_000 + b'"}', 413),
    ]
    for body, status in bad:
        answer = site.post(one, body)
        assert (answer.status_code, answer.json()["resourceType"]) == (status, "OperationOutcome")
    assert site.post(one, {"resourceType": "Communication", "id": "a"}, path="/Communication/b").status_code == 400
    assert site.taken() == {}
    site.write("still-there")
    site.wait_for("Communication/still-there/created")


def test_without_the_token_nothing_is_taken(site: Site) -> None:
    one = site.one()
    for ident in (one.id, "unknown"):
        for token in ("Bearer x", "Bearer \xe9", "Basic x", "x", f"Basic {site.token(one)}"):
            url = f"{site.address}/fhir/subscriptions/{ident}"
            answer = site.client.post(url, headers={b"Authorization": token.encode("latin-1")}, content=b"")
            assert (answer.status_code, answer.json()["issue"][0]["code"]) == (401, "login")


def test_while_the_ehr_cannot_be_read_it_is_told_to_send_again(topical: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    one = topical.one()
    token = topical.token(one)
    endpoint: Any = topical.platform.fhir
    monkeypatch.setattr(endpoint._endpoint, "base_url", "http://127.0.0.1:9/fhir")
    answer = topical.post(one, bundle(one, focus="Communication/away"), token=token)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "10")
    assert topical.taken() == {}
    monkeypatch.undo()
    topical.write("away")
    assert topical.post(one, bundle(one, focus="Communication/away"), token=token).status_code == 200
    assert "Communication/away/created" in topical.taken()


def test_the_list_says_how_far_each_was_heard(
    topical: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    topical.one()
    topical.write("listed")
    topical.wait_for("Communication/listed/created")
    monkeypatch.setenv("CAREPLANE_FHIR_BASE_URL", topical.ehr)
    home = str(topical.platform.home)
    with pytest.raises(SystemExit):
        main(["subscription", "list", "--home", home, "--ask", "--json"])
    shown = {row["type"]: row for row in json.loads(capsys.readouterr().out)}
    assert (shown["Communication"]["form"], shown["Communication"]["status"]) == ("backport", "active")
    with pytest.raises(SystemExit):
        main(["subscription", "list", "--home", home])
    out = capsys.readouterr().out
    assert "Communication  (backport, Subscription/" in out
    assert max(map(len, out.splitlines())) <= 80


def test_settings_are_checked() -> None:
    assert topics(default_settings(subscription_topics=f"Task={TOPIC}")) == {"Task": TOPIC}
    for wrong in ("Task", "Nothing=http://x", "Task=x"):
        with pytest.raises(SettingsError, match="subscription_topics"):
            topics(default_settings(subscription_topics=wrong))


def test_without_a_queue_the_door_is_closed(home: Path, ehr: str) -> None:
    platform = open_platform(default_settings(home=str(home), fhir_base_url=ehr, public_url="http://127.0.0.1:1"))
    assert open_subscribing(platform, None) is None
    with platform.store.read() as connection:
        assert connection.execute(select(events.c.id)).all() == []
    platform.close()
