"""Messages of an installation: its file, the doors that providers and patients call, and the commands."""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner
from msgspec.structs import replace
from starlette.applications import Starlette

from careplane import console
from careplane.cli import careplane
from careplane.connectors.email.tests.mailbox import Mailbox, mail_server
from careplane.errors import SettingsError
from careplane.records.people import Person
from careplane.records.run import Event
from careplane.sandbox.sms_provider import SmsProvider
from careplane.server.asgi import asgi_app
from careplane.server.messaging import read_messages_file
from careplane.server.platform import Platform, open_platform
from careplane.settings import read_settings
from careplane.store import save
from careplane.store.tables import people
from careplane.workflow import load_run, review_run, run_event
from careplane.workflow.messaging import find_message

PUBLIC = "https://care.example.org"
NUMBER = "+16025550123"
NURSE = "Practitioner/p1"
Serving = Callable[[Starlette], AbstractContextManager[str]]
TEXT = (
    "Hello Ana, your visit is on Monday at nine. Please bring your card and the list of the pills that you take. "
    "Thank you."
)

FILE = """
jurisdiction = "US-AZ"
quiet_from = "00:00"
quiet_until = "00:00"
link = "https://portal.example.org"
public_url = "{public}"

[sms]
base_url = "{url}"
account = "{account}"
secret_file = "{secret}"
sender = "+15005550006"

[email]
host = "127.0.0.1"
port = {port}
tls = "none"
sender = "North <no-reply@north.example.org>"
"""


@pytest.fixture
def provider() -> SmsProvider:
    return SmsProvider()


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture
def settings_given(
    tmp_path: Path, home: Path, serving: Serving, provider: SmsProvider, mailbox: Mailbox
) -> Iterator[dict[str, str]]:
    secret = tmp_path / "secret"
    secret.write_text(provider.secret, encoding="utf-8")
    secret.chmod(0o600)
    with serving(provider.app()) as url, mail_server(mailbox) as port:
        file = tmp_path / "messages.toml"
        values = {"url": url, "account": provider.account, "secret": secret, "port": port, "public": PUBLIC}
        file.write_text(FILE.format(**values), encoding="utf-8")
        yield {"home": str(home), "messages_file": str(file)}


@pytest.fixture
def site(settings_given: dict[str, str], platform: Platform) -> Iterator[Platform]:
    """The installation of these tests, opened with its file of messages."""
    opened = open_platform(read_settings({}, None, **settings_given), synthetic=True)
    with opened.store.write() as connection:
        nurse = Person(id=NURSE, name="Ada", job="nurse", unit="Location/w", site="Organization/s", department="d")
        save(connection, people, nurse, id=nurse.id, unit=nurse.unit, job=nurse.job)
    yield opened
    opened.close()


def signed(site: Platform, promote: Callable[..., None], train: Callable[..., None], **patient: object) -> str:
    """A run whose text is signed."""
    promote("portal_reply", "pilot")
    train("portal_reply", NURSE)

    async def act() -> str:
        await site.fhir.update({"resourceType": "Patient", "id": "ana", **patient})
        event = Event(id="e1", app="portal_reply", kind="Communication.created", at=site.clock(), patient="Patient/ana",
                      focus="Communication/m1", user=NURSE)  # fmt: skip
        run = await run_event(site.runtime, event)
        await review_run(site.runtime, run.id, "edit", NURSE, 9.0, at=site.clock(), final_text=TEXT)
        await site.messages.tend()
        await site.messages.aclose()
        return run.id

    return asyncio.run(act())


SMS = [{"system": "phone", "value": NUMBER}]


def test_from_signature_to_delivery_and_stop(
    site: Platform, provider: SmsProvider, promote: Callable[..., None], train: Callable[..., None], serving: Serving
) -> None:
    run = signed(site, promote, train, telecom=SMS)
    assert provider.sent[0]["To"] == NUMBER
    assert provider.sent[0]["StatusCallback"] == f"{PUBLIC}/messages/sms/status"
    with serving(asgi_app(site)) as url:
        told = {"MessageSid": "SM00000000000000000000000000000001", "MessageStatus": "delivered"}
        signature = provider.signature(f"{PUBLIC}/messages/sms/status", told)
        answer = httpx.post(f"{url}/messages/sms/status", data=told, headers={"X-Twilio-Signature": signature})
        assert answer.status_code == 204
        message = find_message(site.store, run)
        assert message is not None
        assert message.delivered == "delivered"
        form = {"From": NUMBER, "Body": "STOP"}
        inbound = f"{url}/messages/sms/inbound"
        for wrong in ({}, {"X-Twilio-Signature": signature}):
            assert httpx.post(inbound, data=form, headers=wrong).status_code == 403
        good = provider.signature(f"{PUBLIC}/messages/sms/inbound", form)
        answer = httpx.post(inbound, data=form, headers={"X-Twilio-Signature": good})
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/xml; charset=utf-8")
        assert httpx.post(inbound, content=b"x" * 70_000).status_code == 400
        assert httpx.post(inbound, content=b"\xff=\xff").status_code in (400, 403)
    planned = asyncio.run(_planned(site, run))
    assert "sms: the patient opted out" in planned


async def _planned(site: Platform, run: str) -> tuple[str, ...]:
    held = load_run(site.store, run)
    return (await site.messages.plan(held, TEXT, NURSE)).skipped


def test_a_link_asks_and_a_click_ends_mails(
    site: Platform, mailbox: Mailbox, promote: Callable[..., None], train: Callable[..., None], serving: Serving
) -> None:
    run = signed(site, promote, train, telecom=[{"system": "email", "value": "ana@example.org"}])
    (mail,) = mailbox.mails
    path = mail["List-Unsubscribe"].strip("<>").removeprefix(PUBLIC)
    with serving(asgi_app(site)) as url:
        page = httpx.get(f"{url}{path}")
        assert page.status_code == 200
        assert "<button>" in page.text
        assert asyncio.run(_planned(site, run)) == (), "a scanner that follows links ends nothing"
        assert httpx.post(f"{url}/messages/unsubscribe/{run}.0000").status_code == 404
        assert httpx.post(f"{url}{path}", data={"List-Unsubscribe": "One-Click"}).status_code == 200
    assert asyncio.run(_planned(site, run)) == ("email: the patient opted out",)


def test_without_a_file_there_are_portal_and_letters(platform: Platform) -> None:
    assert sorted(platform.post.senders) == ["portal"]
    with_url = replace(platform.post.planner.policy, public_url="")
    assert with_url.channels == ("portal", "sms", "email", "print")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("US-AZ", "Arizona", "jurisdiction"),
        ("00:00", "9pm", "quiet_from"),
        ('public_url = "https', 'public_url = "ftp', "public_url"),
        ('public_url = "https://', 'public_url = "http://127.0.0.1.', "public_url"),
        ("[sms]", "colour = 1\n[sms]", "colour"),
        ("secret_file", "secret", "secret_file"),
        ("[sms]", '[sms]\nuser = "SK1"', "sms.callback_secret"),
        ("[sms]", '[sms]\ncallback_secret = "x"', "callback_secret_file"),
        ("[sms]", '[sms]\ncallback_secret_env = "CAREPLANE_TEST_UNSET"', "sms.callback_secret"),
        ('tls = "none"', 'tls = "never"', "email.tls"),
        ("[sms]", "[sms", "TOML"),
    ],
)
def test_a_wrong_file_is_refused_by_field(settings_given: dict[str, str], old: str, new: str, told: str) -> None:
    file = Path(settings_given["messages_file"])
    file.write_text(file.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    with pytest.raises(SettingsError, match=told):
        open_platform(read_settings({}, None, **settings_given)).close()
    with pytest.raises(SettingsError, match="cannot be read"):
        read_messages_file(read_settings({}, messages_file="/nowhere.toml"))


def test_the_commands(
    site: Platform, home: Path, promote: Callable[..., None], train: Callable[..., None], tmp_path: Path
) -> None:
    run = signed(site, promote, train, name=[{"text": "Ana Quill"}])

    def call(*words: str) -> str:
        done = CliRunner().invoke(careplane, ["message", *words, "--home", str(home)], standalone_mode=False)
        assert done.exception is None, (words, done.exception)
        return done.output

    listed = json.loads(call("list", "--json"))
    assert [(one["run"], one["state"], one["channel"]) for one in listed] == [(run, "waiting", "print")]
    assert "Quill" not in json.dumps(listed)
    assert "Hello" not in json.dumps(listed)
    shown = call("preview", run)
    assert "Disclosure:    protective" in shown
    assert TEXT in shown
    page = tmp_path / "letter.html"
    call("letter", run, "--out", str(page), "--by", NURSE)
    assert "Ana Quill" in page.read_text(encoding="utf-8")
    assert "sent" in call("list")
    call("choose", "portal", "Patient/ana", "prefer")
    assert "Channel:       portal" in call("preview", run)


def test_the_desk_shows_what_the_patient_gets(
    site: Platform, promote: Callable[..., None], train: Callable[..., None], serving: Serving
) -> None:
    promote("portal_reply", "pilot")
    train("portal_reply", NURSE)

    async def drafted() -> str:
        await site.fhir.update({"resourceType": "Patient", "id": "ana", "telecom": SMS})
        event = Event(id="e1", app="portal_reply", kind="Communication.created", at=site.clock(), patient="Patient/ana",
                      focus="Communication/m1", user=NURSE)  # fmt: skip
        return (await run_event(site.runtime, event)).id

    run = asyncio.run(drafted())
    now = datetime.now(UTC)
    console.create_account(site.store, "ada", "Ada", ("clinician",), now, NURSE)
    link = console.one_time_link(site.store, "ada", now)
    with serving(asgi_app(site)) as url, httpx.Client(base_url=url, follow_redirects=True) as client:
        token = client.get(link).text.split('name="csrf" value="', 1)[1].split('"', 1)[0]
        client.post(link, data={"csrf": token}).raise_for_status()
        page = client.get(f"/review/{run}").text
    assert "What the patient gets: text message, a notice" in page
    assert "you have a new message from your care team" in page
    assert "This message was written with the help of generative artificial intelligence" in page
    assert "the most protective text" in page
