"""Text messages against a real HTTP server of the provider's shape."""

import asyncio
import socket
import threading

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from careplane.connectors import sms
from careplane.connectors.sms.tests.rig import NUMBER, serving
from careplane.connectors.sms.twilio import Twilio
from careplane.errors import InputError, Refused
from careplane.records.message import Delivery, Outgoing
from careplane.sandbox.sms_provider import SmsProvider


def settings(url: str, provider: SmsProvider, **more: str) -> dict[str, str]:
    return {
        "base_url": url,
        "account": provider.account,
        "secret": provider.secret,
        "sender": "+15005550006",
        **more,
    }


def send(options: dict[str, str], *messages: Outgoing) -> list[Delivery]:
    async def all_of_them() -> list[Delivery]:
        sender = sms.open(options)
        try:
            return [await sender.send(message) for message in messages]
        finally:
            await sender.aclose()

    return asyncio.run(all_of_them())


def message(text: str = "You have a message.", to: str = NUMBER) -> Outgoing:
    return Outgoing(id="run-1:sms", to=to, text=text)


def test_a_text_is_sent_as_the_provider_wants_it() -> None:
    provider = SmsProvider()
    with serving(provider.app()) as url:
        options = settings(url, provider, status_url="https://care.example.org/messages/sms/status")
        (delivery,) = send(options, message("It’s here", to="(602) 555-0123"))
    assert (delivery.outcome, delivery.reference) == ("accepted", "SM00000000000000000000000000000001")
    assert provider.sent == [
        {
            "To": NUMBER,
            "From": "+15005550006",
            "Body": "It's here",
            "StatusCallback": "https://care.example.org/messages/sms/status",
        }
    ]


def test_a_pool_of_numbers_is_named_as_such() -> None:
    provider = SmsProvider()
    with serving(provider.app()) as url:
        send(settings(url, provider, sender="MG1234"), message())
    assert provider.sent[0]["MessagingServiceSid"] == "MG1234"


@pytest.mark.parametrize(
    ("to", "outcome", "code"),
    [
        ("+15005550001", "refused", "21211"),
        ("+15005550009", "refused", "21614"),
        ("+15005550004", "refused", "21610"),
        ("+15005550500", "uncertain", "20500"),
        ("12", "refused", "number"),
        ("not a number", "refused", "number"),
        ("+1 800 555 0199", "refused", "number"),
    ],
)
def test_refusals_are_data_with_reasons_and_without_the_number(to: str, outcome: str, code: str) -> None:
    provider = SmsProvider()
    with serving(provider.app()) as url:
        (delivery,) = send(settings(url, provider), message(to=to))
    assert (delivery.outcome, delivery.code) == (outcome, code)
    assert delivery.reason
    assert to not in delivery.reason
    assert provider.sent == []


def test_a_busy_provider_is_asked_once_more_and_then_left_for_later() -> None:
    provider = SmsProvider()
    with serving(provider.app()) as url:
        (delivery,) = send(settings(url, provider), message(to="+15005550429"))
    assert (delivery.outcome, delivery.code, provider.calls) == ("later", "20429", 2)


def test_a_message_waits_while_our_credentials_are_wrong() -> None:
    provider = SmsProvider()
    with serving(provider.app()) as url:
        (delivery,) = send(settings(url, provider) | {"secret": "another"}, message())
    assert (delivery.outcome, delivery.code) == ("later", "20003")
    assert "credentials" in delivery.reason


def test_nobody_there_is_later_and_a_break_after_the_request_is_uncertain() -> None:
    (nobody,) = send(settings("http://127.0.0.1:1", SmsProvider()), message())
    assert nobody.outcome == "later"
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def hang_up() -> None:
            connection, _ = listener.accept()
            connection.recv(65536)
            connection.close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        (cut,) = send(settings(f"http://127.0.0.1:{listener.getsockname()[1]}", SmsProvider()), message())
        thread.join()
    assert cut.outcome == "uncertain"


@pytest.mark.parametrize("body", [b"<html>proxy</html>", b"{}", b"\xff"])
def test_a_success_that_is_not_the_providers_is_uncertain(body: bytes) -> None:
    async def answer(_request: Request) -> Response:
        return Response(body, status_code=200)

    with serving(Starlette(routes=[Route("/{path:path}", answer, methods=["POST"])])) as url:
        (delivery,) = send(settings(url, SmsProvider()), message())
    assert delivery.outcome == "uncertain"


@pytest.mark.parametrize("text", ["", "  \n", "a" * 1531])
def test_an_empty_or_endless_text_is_refused_before_it_leaves(text: str) -> None:
    with pytest.raises(InputError, match="text"):
        send(settings("http://127.0.0.1:1", SmsProvider()), message(text))


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ("STOP", "stop"),
        (" stop. ", "stop"),
        ("Stop all", "stop"),
        ("opt-out", "stop"),
        ("start", "start"),
        ("UNSTOP", "start"),
        ("Help!", "help"),
        ("please stop the bleeding", ""),
        ("", ""),
    ],
)
def test_words_of_opting_out_and_in(body: str, word: str) -> None:
    provider, url = SmsProvider(), "https://care.example.org/messages/sms/inbound"
    sender = sms.open(settings("http://127.0.0.1:1", provider))
    form = {"From": NUMBER, "Body": body, "MessageSid": "SM1"}
    taken = sender.inbound(url, {name: [value] for name, value in form.items()}, provider.signature(url, form))
    assert (taken.number, taken.word) == (NUMBER, word)


def test_the_signature_is_the_providers_published_one() -> None:
    """The example of www.twilio.com/docs/usage/security (token 12345)."""
    options = {"account": "AC1", "secret": "12345", "sender": "+15005550006", "base_url": "http://127.0.0.1:1"}
    form = {
        "CallSid": ["CA1234567890ABCDE"],
        "Caller": ["+14158675309"],
        "Digits": ["1234"],
        "From": ["+14158675309"],
        "To": ["+18005551212"],
    }
    url = "https://mycompany.com/myapp.php?foo=1&bar=2"
    assert sms.open(options).inbound(url, form, "RSOYDt4T1cUTdK1PDd93/VVr8B8=").number == "+14158675309"
    repeated = {"Sid": ["CA123"], "SidAccount": ["AC123"], "Digits": ["5678", "1234", "1234"]}
    assert Twilio("AC1", "12345", "+15005550006").signed(url, repeated, "IK+Dwps556ElfBT0I3Rgjkr1wJU=")


def test_call_backs_to_an_api_key_are_signed_with_the_accounts_token() -> None:
    provider, url = SmsProvider(), "https://care.example.org/messages/sms/inbound"
    key = settings("http://127.0.0.1:1", provider) | {"user": "SK1", "secret": "the key's"}
    with pytest.raises(InputError) as caught:
        sms.open(key)
    assert caught.value.field == "callback_secret"
    form = {"From": NUMBER, "Body": "STOP"}
    sender = sms.open(key | {"callback_secret": provider.secret})
    signature = provider.signature(url, form)
    given = {name: [value] for name, value in form.items()}
    assert sender.inbound(url, given, signature).word == "stop"
    with pytest.raises(Refused, match="signature"):
        sms.open(key | {"callback_secret": "the key's"}).inbound(url, given, signature)
    assert sms.open(settings("http://127.0.0.1:1", provider, user=provider.account)).inbound(url, given, signature)


@pytest.mark.parametrize("signature", ["", "RSOYDt4T1cUTdK1PDd93/VVr8B8=", "é\udcff"])
def test_a_forged_call_back_is_refused(signature: str) -> None:
    sender = sms.open(settings("http://127.0.0.1:1", SmsProvider()))
    form = {"From": [NUMBER], "Body": ["STOP"]}
    with pytest.raises(Refused, match="signature"):
        sender.inbound("https://care.example.org/x", form, signature)
    with pytest.raises(Refused, match="signature"):
        sender.status("https://care.example.org/x", form, signature)


@pytest.mark.parametrize(
    ("told", "state"),
    [("delivered", "delivered"), ("failed", "undelivered"), ("undelivered", "undelivered"), ("queued", "")],
)
def test_reports_of_what_became_of_a_message(told: str, state: str) -> None:
    provider, url = SmsProvider(), "https://care.example.org/messages/sms/status"
    form = {"MessageSid": "SM1", "MessageStatus": told, "ErrorCode": "30005"}
    sender = sms.open(settings("http://127.0.0.1:1", provider))
    status = sender.status(url, {name: [value] for name, value in form.items()}, provider.signature(url, form))
    assert (status.reference, status.state, status.code) == ("SM1", state, "30005")


@pytest.mark.parametrize(
    "wrong",
    [
        {"account": ""},
        {"secret": ""},
        {"sender": ""},
        {"sender": "12"},
        {"base_url": "http://api.example.org"},
        {"base_url": "https://user:word@api.example.org"},
        {"shape": "pigeon"},
        {"timeout_seconds": "0"},
        {"status_url": "ftp://x"},
        {"verify": "false"},
    ],
)
def test_settings_are_checked(wrong: dict[str, str]) -> None:
    with pytest.raises(InputError):
        sms.open(settings("http://127.0.0.1:1", SmsProvider()) | wrong)
