"""E-mail against a real mail server: TLS, sign-in, refusals, breaks, and headers that nothing can be smuggled into."""

import asyncio
from datetime import UTC, datetime
from email.headerregistry import Address
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from careplane.connectors import email
from careplane.connectors.email.composing import compose
from careplane.connectors.email.tests.mailbox import Mailbox, certificate, mail_server
from careplane.errors import InputError
from careplane.records.message import Delivery, Outgoing

SENDER = "North clinic <no-reply@clinic.example.org>"
MESSAGE = Outgoing(
    id="run-1:email",
    to="ana@example.org",
    subject="You have a message: Grüße",
    text="Hello,\nyou have a message.\n.\nFrom clinic – é\n",
    language="es",
    unsubscribe="https://care.example.org/messages/unsubscribe/abc",
)


def send(options: dict[str, str], message: Outgoing = MESSAGE, times: int = 1) -> list[Delivery]:
    async def all_of_them() -> list[Delivery]:
        sender = email.open({"host": "127.0.0.1", "sender": SENDER, **options})
        deliveries = [await sender.send(message) for _ in range(times)]
        await asyncio.sleep(0.01)  # a connection whose TLS failed is closed by the loop a moment later
        return deliveries

    return asyncio.run(all_of_them())


def in_the_clear(port: int) -> dict[str, str]:
    return {"port": str(port), "tls": "none"}


def test_a_mail_arrives_as_written_with_the_headers_of_good_bulk_mail() -> None:
    mailbox = Mailbox()
    with mail_server(mailbox) as port:
        (delivery,) = send(in_the_clear(port))
    (mail,) = mailbox.mails
    assert delivery.outcome == "accepted"
    assert delivery.reference == mail["Message-ID"]
    assert mail.get_content().replace("\r\n", "\n") == MESSAGE.text
    assert (mail["To"], mail["From"], mail["Subject"]) == (MESSAGE.to, SENDER, MESSAGE.subject)
    assert mail["List-Unsubscribe"] == f"<{MESSAGE.unsubscribe}>"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert (mail["Auto-Submitted"], mail["Content-Language"]) == ("auto-generated", "es")
    assert all(len(line) <= 998 for line in mailbox.raw[0].split(b"\r\n"))


def test_a_repeat_has_the_same_message_id_and_another_message_another() -> None:
    mailbox = Mailbox()
    with mail_server(mailbox) as port:
        send(in_the_clear(port), times=2)
        send(in_the_clear(port), Outgoing(id="run-2:email", to=MESSAGE.to, text="x", subject="y"))
    first, second, other = (mail["Message-ID"] for mail in mailbox.mails)
    assert first == second != other
    assert "run-1" not in first


@pytest.mark.parametrize("implicit", [False, True], ids=["starttls", "implicit"])
def test_under_tls_with_a_certificate_that_holds(tmp_path: Path, implicit: bool) -> None:
    context, ca_file = certificate(tmp_path)
    mailbox = Mailbox()
    with mail_server(mailbox, context, implicit=implicit) as port:
        options = {"port": str(port), "tls": "implicit" if implicit else "starttls", "ca_file": ca_file}
        (delivery,) = send(options)
    assert (delivery.outcome, len(mailbox.mails)) == ("accepted", 1)


@pytest.mark.parametrize("implicit", [False, True], ids=["starttls", "implicit"])
@pytest.mark.parametrize(("address", "trusted"), [("127.0.0.1", False), ("127.0.0.2", True)], ids=["authority", "name"])
def test_no_text_goes_to_a_server_whose_certificate_does_not_hold(
    tmp_path: Path, implicit: bool, address: str, trusted: bool
) -> None:
    context, ca_file = certificate(tmp_path, address)
    mailbox = Mailbox()
    with mail_server(mailbox, context, implicit=implicit) as port:
        options = {"port": str(port), "tls": "implicit" if implicit else "starttls"}
        (delivery,) = send(options | ({"ca_file": ca_file} if trusted else {}))
    assert (delivery.outcome, delivery.code, mailbox.mails) == ("later", "tls", [])


def test_a_server_without_starttls_gets_nothing() -> None:
    mailbox = Mailbox()
    with mail_server(mailbox) as port:
        (delivery,) = send({"port": str(port)})
    assert (delivery.outcome, mailbox.mails, mailbox.tries) == ("later", [], 0)


@pytest.mark.parametrize(("password", "outcome"), [("right", "accepted"), ("wrong", "later")])
def test_signing_in(tmp_path: Path, password: str, outcome: str) -> None:
    context, ca_file = certificate(tmp_path)
    mailbox = Mailbox()
    with mail_server(mailbox, context, sign_in=True) as port:
        options = {"port": str(port), "ca_file": ca_file, "username": "clinic", "password": password}
        (delivery,) = send(options)
    assert delivery.outcome == outcome
    assert mailbox.users == (["clinic"] if outcome == "accepted" else [])
    assert outcome == "accepted" or "credentials" in delivery.reason


@pytest.mark.parametrize("where", ["at_rcpt", "at_data"])
def test_what_is_put_off_is_tried_again(where: str) -> None:
    mailbox = Mailbox(**{where: ["451 greylisted"]})
    with mail_server(mailbox) as port:
        (delivery,) = send(in_the_clear(port))
    assert (delivery.outcome, mailbox.tries, len(mailbox.mails)) == ("accepted", 2, 1)


@pytest.mark.parametrize("where", ["at_rcpt", "at_data"])
def test_what_stays_put_off_is_left_for_later(where: str) -> None:
    mailbox = Mailbox(**{where: ["450 busy"] * 9})
    with mail_server(mailbox) as port:
        (delivery,) = send(in_the_clear(port))
    assert (delivery.outcome, delivery.code, mailbox.tries) == ("later", "450", 3)


@pytest.mark.parametrize(("where", "word"), [("at_rcpt", "address"), ("at_data", "message")])
def test_a_permanent_no_is_a_refusal_without_the_address(where: str, word: str) -> None:
    mailbox = Mailbox(**{where: ["550 no such user ana@example.org"]})
    with mail_server(mailbox) as port:
        (delivery,) = send(in_the_clear(port))
    assert (delivery.outcome, delivery.code, mailbox.tries) == ("refused", "550", 1)
    assert word in delivery.reason
    assert "ana" not in delivery.reason


def test_a_break_after_the_text_is_uncertain_and_not_repeated() -> None:
    mailbox = Mailbox(at_data=["hang up"])
    with mail_server(mailbox) as port:
        (delivery,) = send(in_the_clear(port))
    assert (delivery.outcome, mailbox.tries) == ("uncertain", 1)


def test_nobody_there_is_later() -> None:
    (delivery,) = send({"port": "1", "tls": "none"})
    assert delivery.outcome == "later"


@pytest.mark.parametrize(
    "changes",
    [
        {"to": "ana@example.org\r\nBcc: all@example.org"},
        {"to": "ana@example.org, bob@example.org"},
        {"to": "Ana <ana@example.org>"},
        {"to": "ana"},
        {"to": ""},
        {"to": "@example.org"},
        {"subject": "x\r\nBcc: all@example.org"},
        {"unsubscribe": "https://x\r\nBcc: all@example.org"},
        {"language": "en\nX: y"},
    ],
)
def test_nothing_is_smuggled_into_a_header(changes: dict[str, str]) -> None:
    mailbox = Mailbox()
    with mail_server(mailbox) as port, pytest.raises(InputError):
        send(in_the_clear(port), replace(Outgoing(id="x", to="ana@example.org", text="t"), **changes))
    assert mailbox.tries == 0


@settings(max_examples=60, deadline=None)
@given(subject=st.text(max_size=300), text=st.text(max_size=300), to=st.text(max_size=40))
def test_any_text_is_one_mail_or_a_clear_refusal(subject: str, text: str, to: str) -> None:
    sender = Address(addr_spec="no-reply@clinic.example.org")
    message = Outgoing(id="x", to=to or "a@example.org", subject=subject, text=text)
    try:
        mail = compose(message, sender, datetime(2026, 3, 2, tzinfo=UTC))
    except InputError:
        return
    head = mail.as_bytes().split(b"\r\n\r\n")[0]
    names = [line.split(b":")[0].lower() for line in head.split(b"\r\n") if line[:1] not in (b" ", b"\t")]
    assert sorted(set(names)) == sorted(names)
    assert b"bcc" not in names


@pytest.mark.parametrize(
    "wrong",
    [
        {"host": ""},
        {"host": "mail.example.org", "tls": "none"},
        {"tls": "maybe"},
        {"port": "0"},
        {"port": "x"},
        {"sender": ""},
        {"sender": "clinic"},
        {"sender": "a@b@c"},
        {"username": "clinic"},
        {"ca_file": "/nowhere.pem"},
        {"timeout_seconds": "0"},
        {"verify": "false"},
    ],
)
def test_settings_are_checked(wrong: dict[str, str]) -> None:
    with pytest.raises(InputError):
        email.open({"host": "127.0.0.1", "sender": SENDER, **wrong})


def test_the_password_is_not_shown() -> None:
    sender = email.open({"host": "127.0.0.1", "sender": SENDER, "username": "u", "password": "hush"})
    assert "hush" not in repr(vars(sender))
