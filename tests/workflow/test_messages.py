"""The way of a message to a patient, over a real mail server, a provider of text messages and a chart."""

import asyncio
import dataclasses
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType

import pytest
from msgspec.structs import replace
from starlette.applications import Starlette

from careplane import _shelf
from careplane.connectors import MessageSender
from careplane.connectors.email.tests.mailbox import Mailbox, mail_server
from careplane.connectors.portal import PortalSender
from careplane.errors import Conflict, NotFound, UpstreamError
from careplane.governance import PROTECTIVE, read_disclosure_rules
from careplane.records.app import App
from careplane.records.message import Channel, Delivery, Message, Outgoing
from careplane.records.run import Run
from careplane.sandbox.sms_provider import SmsProvider
from careplane.store import Store
from careplane.workflow import Runtime, load_run, review_run, run_event
from careplane.workflow.messaging import (
    MessagePolicy,
    Messages,
    Planned,
    Planner,
    find_message,
    find_messages,
    letter,
)
from careplane.workflow.review import amend_run, withdraw_run

WHO = "Practitioner/p001"
NUMBER = "+16025550123"
MAIL = "ana@example.org"
TEXT = (
    "Hello Maria, your follow-up is on 2026-03-12 [4]. We look forward to seeing you at the clinic. Please bring the "
    "list of the pills that you take, and the card of your plan. Your care team"
)
NOON = datetime(2026, 3, 2, 19, 0, tzinfo=UTC)  # noon in Phoenix
NIGHT = datetime(2026, 3, 3, 5, 0, tzinfo=UTC)  # ten in the evening in Phoenix
POLICY = MessagePolicy(
    rules=read_disclosure_rules(),
    timezone="America/Phoenix",
    site_name="North clinic",
    link="https://portal.example.org",
    public_url="https://care.example.org",
)


class Site:
    """An installation with its channels; ``now`` is its clock."""

    def __init__(self, runtime: Runtime, senders: dict[Channel, MessageSender], policy: MessagePolicy) -> None:
        self.now = NOON
        self.runner = asyncio.Runner()
        self.jobs = {WHO: "physician"}
        self.provider, self.mailbox = SmsProvider(), Mailbox()
        self.runtime = dataclasses.replace(runtime, clock=lambda: self.now)
        self.senders: dict[Channel, MessageSender] = {"portal": PortalSender(runtime.fhir), **senders}
        channels: tuple[Channel, ...] = (*self.senders, "print")
        store, ledger = self.runtime.store, self.runtime.ledger
        planner = Planner(store, ledger, self.runtime.fhir, policy, channels, self.jobs.get)

        async def patient_text(run: Run, text: str, signer: str) -> str:
            return await planner.whole(run, text, signer, self.now)

        self.runtime = dataclasses.replace(self.runtime, patient_text=patient_text)
        self.messages = Messages(self.runtime, planner, self.senders)

    def writes(self, kind: str = "Communication", recipient: str = "patient") -> None:
        """Let the app write another kind of artefact, or for somebody else."""
        apps = self.runtime.apps

        def changed(name: str) -> App:
            app = apps(name)
            output = replace(app.spec.output, kind=kind, recipient=recipient)
            return replace(app, spec=replace(app.spec, output=output))

        self.runtime = dataclasses.replace(self.runtime, apps=changed)
        self.messages = Messages(self.runtime, self.messages.planner, self.senders)

    def patient(self, **changes: object) -> None:
        """Change the patient of the test."""
        self.runner.run(self.runtime.fhir.update({"resourceType": "Patient", "id": "a0", **changes}))

    def signed(self, event: object, text: str = TEXT) -> str:
        """Draft and sign; the id of the run."""

        async def both() -> str:
            run = await run_event(self.runtime, event)  # type: ignore[arg-type]
            await review_run(self.runtime, run.id, "edit", WHO, 30.0, at=self.now, final_text=text)
            return run.id

        return self.runner.run(both())

    def tend(self) -> int:
        return self.runner.run(self.messages.tend())

    def message(self, run: str) -> Message:
        found = find_message(self.runtime.store, run)
        assert found is not None
        return found


Serving = Callable[[Starlette], AbstractContextManager[str]]


@pytest.fixture
def site(installation: ModuleType, home: Path, sqlite_store: Store, serving: Serving) -> Iterator[Site]:
    """An installation with e-mail, SMS and portal."""
    with opened(installation, home, sqlite_store, serving) as made:
        yield made


@contextmanager
def opened(installation: ModuleType, home: Path, store: Store, serving: Serving) -> Iterator[Site]:
    """An installation over a store."""
    with ExitStack() as stack:
        provider, mailbox = SmsProvider(), Mailbox()
        url = stack.enter_context(serving(provider.app()))
        port = stack.enter_context(mail_server(mailbox))
        account = {"account": provider.account, "secret": provider.secret, "sender": "+15005550006"}
        senders: dict[Channel, MessageSender] = {
            "sms": _shelf.load("connectors", "sms").open({"base_url": url, **account}),
            "email": _shelf.load("connectors", "email").open(
                {"host": "127.0.0.1", "port": str(port), "tls": "none", "sender": "North <no-reply@north.example.org>"}
            ),
        }
        made = Site(installation.runtime_of(home, store), senders, POLICY)
        made.provider, made.mailbox = provider, mailbox
        message = made.runner.run(made.runtime.fhir.read("Communication/m0"))
        assert message is not None
        made.runner.run(made.runtime.fhir.update({**message, "category": [{"text": "telephone"}]}))
        yield made
        made.runner.run(made.messages.aclose())
        made.runner.close()


def kinds(site: Site, run: str) -> list[str]:
    """What the ledger says of a message."""
    folder = site.runtime.ledger.folder
    lines = [line for file in sorted(folder.glob("*.jsonl")) for line in file.read_text(encoding="utf-8").splitlines()]
    return [kind for line in lines if run in line for kind in [line.split('"kind":"')[1].split('"')[0]]
            if kind.startswith("message.")]  # fmt: skip


SMS = [{"system": "phone", "value": "(602) 555-0123", "use": "mobile"}]
EMAIL = [{"system": "email", "value": MAIL}]


def test_a_signed_text_leaves_as_a_notice_and_waits_in_the_chart(site: Site, installation: ModuleType) -> None:
    site.patient(telecom=SMS)
    run = site.signed(installation.message_event())
    assert site.message(run).state == "signed"
    assert site.tend() == 1
    message = site.message(run)
    assert (message.state, message.channel, message.to, message.notice) == ("sent", "sms", NUMBER, True)
    (sent,) = site.provider.sent
    assert sent["Body"] == (
        "North clinic: you have a new message from your care team. Read it at https://portal.example.org "
        "Reply STOP to end these texts."
    )
    written = site.runner.run(site.runtime.fhir.read(load_run(site.runtime.store, run).written[0]))
    assert written is not None
    assert written["payload"][0]["contentString"] == message.whole
    assert message.whole.startswith(
        "This message was written with the help of generative artificial intelligence (AI)."
    )
    assert TEXT.replace(" [4]", "") in message.whole
    assert message.whole.endswith("To talk with a person, call your clinic or answer this message.")
    assert message.rules == (PROTECTIVE,)
    assert message.grade is not None
    assert 0 < message.grade < 10
    assert kinds(site, run) == ["message.queued", "message.sent"]
    assert site.tend() == 0


def test_nothing_of_the_text_or_the_patient_is_in_ledger_sms_or_mail(site: Site, installation: ModuleType) -> None:
    site.patient(telecom=EMAIL, name=[{"family": "Quill"}])
    run = site.signed(installation.message_event())
    site.tend()
    (mail,) = site.mailbox.mails
    lines = [file.read_text(encoding="utf-8") for file in site.runtime.ledger.folder.glob("*.jsonl")]
    for told in (mail.as_string(), *lines):
        for secret in ("follow-up", "2026-03-12", "Quill", "Maria"):
            assert secret not in told
    assert MAIL not in "".join(lines)
    assert site.message(run).channel == "email"


def test_california_exempts_the_reviewed_text_and_the_review_is_on_record(site: Site, installation: ModuleType) -> None:
    site.patient(telecom=SMS, address=[{"state": "CA"}])
    licensed = site.signed(installation.message_event(0))
    site.tend()
    message = site.message(licensed)
    assert (message.rules, message.exempt) == ((), ("us-ca-ab3030",))
    assert message.whole.startswith("Hello Maria")
    assert '"exempt_by_review":"us-ca-ab3030"' in "".join(
        file.read_text(encoding="utf-8") for file in site.runtime.ledger.folder.glob("*.jsonl")
    )


def test_an_unlicensed_signer_makes_no_exemption(site: Site, installation: ModuleType) -> None:
    site.patient(telecom=SMS, address=[{"state": "CA"}])
    site.jobs[WHO] = "clerk"
    run = site.signed(installation.message_event(0))
    site.tend()
    assert site.message(run).rules == ("us-ca-ab3030",)


def test_quiet_hours_are_kept_and_the_message_leaves_once_after_them(site: Site, installation: ModuleType) -> None:
    site.patient(telecom=SMS)
    site.now = NIGHT
    run = site.signed(installation.message_event())
    assert site.tend() == 0
    message = site.message(run)
    assert (message.state, message.due_at) == ("waiting", datetime(2026, 3, 3, 15, 0, tzinfo=UTC))
    assert "quiet" in message.reason
    site.now = NIGHT + timedelta(hours=9, minutes=59)
    assert site.tend() == 0
    site.now = NIGHT + timedelta(hours=10)
    assert (site.tend(), site.tend()) == (1, 0)
    assert len(site.provider.sent) == 1


def test_a_stop_between_plan_and_release_is_honoured(site: Site, installation: ModuleType) -> None:
    site.patient(telecom=[*SMS, *EMAIL])
    site.now = NIGHT
    run = site.signed(installation.message_event())
    site.tend()
    site.messages.stop("sms", NUMBER, "sms")
    site.now = NIGHT + timedelta(hours=11)
    site.tend()
    site.tend()
    message = site.message(run)
    assert (message.state, message.channel, message.skipped) == ("sent", "email", ("sms: the patient opted out",))
    assert site.provider.sent == []
    site.messages.allow("sms", NUMBER, "sms")
    again = site.signed(replace(installation.message_event(), id="e-again"))
    site.tend()
    assert site.message(again).channel == "sms"


def test_the_link_of_a_mail_ends_mails_and_no_other_link_does(site: Site, installation: ModuleType) -> None:
    site.patient(telecom=EMAIL)
    run = site.signed(installation.message_event())
    site.tend()
    (mail,) = site.mailbox.mails
    token = mail["List-Unsubscribe"].strip("<>").rpartition("/")[2]
    for wrong in ("", "x", f"{run}.", f"{run}.{'0' * 24}", token[:-1], f"é{token}"):
        with pytest.raises(NotFound):
            site.messages.unsubscribe(wrong)
    site.messages.unsubscribe(token)
    site.messages.unsubscribe(token)
    after = site.signed(replace(installation.message_event(), id="e-after"))
    site.tend()
    assert site.message(after).channel == "print"


def test_a_refusal_leads_to_the_next_channel_and_the_letter_is_always_left(
    site: Site, installation: ModuleType
) -> None:
    site.patient(telecom=[{"system": "sms", "value": "+15005550009"}], name=[{"text": "Ana Quill"}],
                 address=[{"line": ["12 Elm"], "city": "Mesa", "state": "AZ", "postalCode": "85201"}])  # fmt: skip
    run = site.signed(installation.message_event())
    site.tend()
    site.tend()
    message = site.message(run)
    assert (message.state, message.channel) == ("waiting", "print")
    assert message.attempts[0].delivery.code == "21614"
    contact = site.runner.run(site.messages.planner.contact(load_run(site.runtime.store, run), site.now))
    page = letter(message, contact, "North <clinic>")
    for word in ("Ana Quill", "12 Elm", "Mesa AZ 85201", "North &lt;clinic&gt;", "generative artificial", "synthetic"):
        assert word in page
    assert "[4]" not in page
    assert site.messages.printed(run, WHO).state == "sent"
    assert site.messages.printed(run, WHO).state == "sent"
    assert kinds(site, run) == ["message.queued", "message.refused", "message.queued", "message.printed"]


def test_a_number_that_the_provider_knows_as_opted_out_is_kept_as_such(site: Site, installation: ModuleType) -> None:
    site.patient(telecom=[{"system": "sms", "value": "+15005550004"}])
    site.signed(installation.message_event())
    site.tend()
    second = site.signed(replace(installation.message_event(), id="e-2"))
    calls = site.provider.calls
    site.tend()
    assert site.message(second).channel == "print"
    assert site.provider.calls == calls


def test_what_is_put_off_is_tried_again_with_growing_pauses_and_then_fails_visibly(
    site: Site, installation: ModuleType
) -> None:
    site.patient(telecom=[{"system": "sms", "value": "+15005550429"}])
    run = site.signed(installation.message_event())
    pauses = []
    for _ in range(8):
        site.tend()
        site.tend()
        message = site.message(run)
        pauses.append(message.due_at - site.now)
        site.now = message.due_at
    assert message.state == "failed"
    assert pauses[:4] == [timedelta(minutes=2**n) for n in range(4)]
    assert [one.run for one in find_messages(site.runtime.store, ("failed",))] == [run]
    site.patient(telecom=SMS)
    assert site.messages.retry(run, WHO).state == "signed"
    site.now = NOON + timedelta(days=1)
    site.tend()
    site.now += timedelta(hours=12)
    site.tend()
    assert site.message(run).state == "sent"
    with pytest.raises(Conflict):
        site.messages.retry(run, WHO)


def test_one_whose_fate_nobody_knows_is_never_sent_again_on_its_own(site: Site, installation: ModuleType) -> None:
    site.patient(telecom=[{"system": "sms", "value": "+15005550500"}])
    run = site.signed(installation.message_event())
    for _ in range(3):
        site.tend()
        site.now += timedelta(hours=1)
    assert site.message(run).state == "uncertain"
    assert site.provider.calls == 1
    assert site.messages.cancel(run, WHO).state == "cancelled"


class Dying:
    """A channel whose process ends while it sends."""

    async def send(self, message: Outgoing) -> Delivery:
        raise RuntimeError("killed")

    async def aclose(self) -> None:
        return None


def test_a_text_message_of_a_process_that_died_is_uncertain(site: Site, installation: ModuleType) -> None:
    site.patient(telecom=SMS)
    run = site.signed(installation.message_event())
    dead = Messages(site.runtime, site.messages.planner, {**site.senders, "sms": Dying()})
    with pytest.raises(RuntimeError, match="killed"):
        site.runner.run(dead.tend())
    assert site.message(run).state == "sending"
    assert site.tend() == 0
    site.now += timedelta(minutes=6)
    site.tend()
    assert site.message(run).state == "uncertain"
    assert site.provider.sent == []


def test_what_the_portal_was_to_get_is_sent_again_after_a_death(site: Site, installation: ModuleType) -> None:
    site.patient(identifier=[{"system": "urn:portal", "value": "1"}])
    site.messages.planner.policy = replace(POLICY, portal_identifier="urn:portal")
    site.writes("DocumentReference")
    run = site.signed(installation.message_event())
    dead = Messages(site.runtime, site.messages.planner, {**site.senders, "portal": Dying()})
    with pytest.raises(RuntimeError, match="killed"):
        site.runner.run(dead.tend())
    site.now += timedelta(minutes=6)
    assert site.tend() == 1
    message = site.message(run)
    assert (message.state, message.channel) == ("sent", "portal")
    held = site.runner.run(site.runtime.fhir.read(message.reference))
    assert held is not None
    assert held["payload"][0]["contentString"] == message.whole


def test_several_processes_send_one_message_once(
    installation: ModuleType, home: Path, store: Store, serving: Serving
) -> None:
    with opened(installation, home, store, serving) as site:
        site.patient(telecom=SMS)
        for n in range(4):
            site.signed(replace(installation.message_event(), id=f"e-{n}"))
        others = [Messages(site.runtime, site.messages.planner, site.senders) for _ in range(4)]

        async def at_once() -> None:
            await asyncio.gather(*(one.tend() for one in others))

        site.runner.run(at_once())
        site.tend()
        assert len(site.provider.sent) == 4
        assert all(one.state == "sent" for one in find_messages(site.runtime.store))


def test_an_answer_to_a_portal_message_goes_by_the_portal(site: Site, installation: ModuleType) -> None:
    site.patient(telecom=SMS)
    message = site.runner.run(site.runtime.fhir.read("Communication/m0"))
    assert message is not None
    site.runner.run(site.runtime.fhir.update({**message, "category": [{"text": "portal"}]}))
    site.now = NIGHT
    run = site.signed(installation.message_event())
    assert site.tend() == 1, "the portal has no quiet hours"
    sent, written = site.message(run), load_run(site.runtime.store, run).written
    assert (sent.channel, sent.reference) == ("portal", written[0])


class Away:
    """A record system that is away."""

    def __getattr__(self, _name: str) -> object:
        async def fail(*_given: object, **_named: object) -> None:
            raise UpstreamError("away")

        return fail


def test_while_the_record_system_is_away_the_message_waits(site: Site, installation: ModuleType) -> None:
    site.patient(telecom=SMS)
    run = site.signed(installation.message_event())
    whole = site.messages.planner._fhir
    site.messages.planner._fhir = Away()  # type: ignore[assignment]
    assert site.tend() == 0
    assert site.message(run).reason == "The record system did not answer."
    site.messages.planner._fhir = whole
    site.now += timedelta(minutes=2)
    assert site.tend() == 1


def test_the_reviewer_sees_beforehand_what_would_leave(site: Site, installation: ModuleType) -> None:
    site.patient(telecom=SMS, communication=[{"language": {"coding": [{"code": "es"}]}}], address=[{"state": "TX"}])
    site.now = NIGHT

    async def planned() -> Planned:
        run = await run_event(site.runtime, installation.message_event())
        return await site.messages.plan(run, TEXT, WHO)

    plan = site.runner.run(planned())
    assert plan.channel == "sms"
    assert plan.rules == ("us-tx-hb149", "us-tx-sb1188") == plan.unverified
    assert plan.whole.startswith("Se utiliza un sistema de inteligencia artificial")
    assert plan.due_at == datetime(2026, 3, 3, 15, 0, tzinfo=UTC)
    assert find_messages(site.runtime.store) == []


def test_the_whole_text_leaves_only_where_the_site_says_so(site: Site, installation: ModuleType) -> None:
    site.patient(telecom=EMAIL)
    site.messages.planner.policy = replace(POLICY, full_text=("email",))
    run = site.signed(installation.message_event())
    site.tend()
    assert not site.message(run).notice
    assert "2026-03-12" in site.mailbox.mails[0].get_content()


def test_without_a_portal_no_notice_leads_nowhere(site: Site, installation: ModuleType) -> None:
    site.patient(telecom=[*SMS, *EMAIL])
    site.messages.planner.policy = replace(POLICY, link="")
    run = site.signed(installation.message_event())
    site.tend()
    message = site.message(run)
    assert message.channel == "print"
    assert message.skipped == tuple(
        f"{way}: there is no portal for the text behind a notice" for way in ("sms", "email")
    )


def test_what_the_provider_reports_is_kept(site: Site, installation: ModuleType) -> None:
    site.patient(telecom=SMS)
    run = site.signed(installation.message_event())
    site.tend()
    assert site.messages.told(site.message(run), "delivered", "").delivered == "delivered"
    assert site.messages.told(site.message(run), "undelivered", "30005").state == "sent"
    other = site.signed(replace(installation.message_event(), id="e-2"))
    site.tend()
    failed = site.messages.told(site.message(other), "undelivered", "30005")
    assert (failed.state, "30005" in failed.reason) == ("failed", True)


def test_no_message_of_a_text_that_was_rejected_or_is_for_staff(site: Site, installation: ModuleType) -> None:
    async def rejected() -> Run:
        run = await run_event(site.runtime, installation.message_event())
        return await review_run(site.runtime, run.id, "reject", WHO, 3.0, at=site.now, reason="not needed")

    site.runner.run(rejected())
    site.writes(recipient="staff")
    site.signed(replace(installation.message_event(), id="e-2"))
    assert find_messages(site.runtime.store) == []


def test_what_is_amended_or_withdrawn_before_it_leaves_leaves_so_or_not_at_all(
    site: Site, installation: ModuleType
) -> None:
    site.patient(telecom=EMAIL)
    site.messages.planner.policy = replace(POLICY, full_text=("email",))
    site.now = NIGHT
    amended, withdrawn = (site.signed(replace(installation.message_event(), id=f"e-{n}")) for n in range(2))
    site.tend()
    better = TEXT.replace("Please bring", "Please do bring")
    site.runner.run(amend_run(site.runtime, amended, better, WHO, "kinder", at=site.now))
    site.runner.run(withdraw_run(site.runtime, withdrawn, WHO, "wrong patient", at=site.now))
    site.now = NIGHT + timedelta(hours=11)
    site.tend()
    site.tend()
    assert [site.message(run).state for run in (amended, withdrawn)] == ["sent", "cancelled"]
    (mail,) = site.mailbox.mails
    assert "Please do bring" in mail.get_content()
    chart = site.runner.run(site.runtime.fhir.read(load_run(site.runtime.store, amended).amendments[0].written[0]))
    assert chart is not None
    assert "generative artificial intelligence" in chart["payload"][0]["contentString"]


def test_a_message_that_was_taken_back_does_not_leave(site: Site, installation: ModuleType) -> None:
    site.patient(telecom=SMS)
    run = site.signed(installation.message_event())
    site.messages.cancel(run, WHO)
    assert site.tend() == 0
    assert site.provider.sent == []
    with pytest.raises(NotFound):
        site.messages.cancel("run-none", WHO)
    with pytest.raises(Conflict):
        site.messages.printed(run, WHO)
