"""The rig of ``sms``: the sandbox's provider, served over HTTP on loopback."""

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from starlette.applications import Starlette

from careplane.connectors.sms import SmsSender
from careplane.errors import UpstreamError
from careplane.records.message import Outgoing
from careplane.sandbox.sms_provider import SmsProvider

REQUIRED = ("account", "secret", "sender")
SECRETS = ("secret",)
NUMBER = "+16025550123"
CALLED = "https://care.example.org/messages/sms"


@contextmanager
def serving(app: Starlette) -> Iterator[str]:
    """Serve an app on loopback in a thread until the block ends; the block gets its address."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()


@dataclass(frozen=True)
class Served:
    """A provider with its address."""

    settings: Mapping[str, str]
    provider: SmsProvider


@contextmanager
def peer(_folder: Path) -> Iterator[Served]:
    provider = SmsProvider()
    with serving(provider.app()) as url:
        account = {"account": provider.account, "secret": provider.secret}
        yield Served({"base_url": url, "sender": "+15005550006", **account}, provider)


def at(host: str, port: int, _folder: Path) -> dict[str, str]:
    account = {"account": "AC1", "secret": "tok-4711-secret", "sender": "+15005550006"}
    return {"base_url": f"http://{host}:{port}", "timeout_seconds": "0.3", **account}


async def call(connector: SmsSender, words: str) -> object:
    """A delivery that did not succeed as an error, which is how the suite takes it."""
    delivery = await connector.send(Outgoing(id=words, to=NUMBER, text=words))
    if delivery.outcome != "accepted":
        raise UpstreamError(f"{delivery.outcome}: {delivery.reason}")
    return delivery


async def a_text_arrives(connector: SmsSender, served: Served) -> None:
    assert (await connector.send(Outgoing(id="run-1", to="(602) 555-0123", text="Hello"))).outcome == "accepted"
    assert served.provider.sent[-1]["To"] == NUMBER


async def what_comes_in_is_read_when_it_is_signed(connector: SmsSender, served: Served) -> None:
    form = {"From": NUMBER, "Body": "Stop"}
    signature = served.provider.signature(CALLED, form)
    taken = connector.inbound(CALLED, {name: [value] for name, value in form.items()}, signature)
    assert (taken.number, taken.word) == (NUMBER, "stop")


async def a_report_is_read_when_it_is_signed(connector: SmsSender, served: Served) -> None:
    form = {"MessageSid": "SM1", "MessageStatus": "delivered"}
    signature = served.provider.signature(CALLED, form)
    status = connector.status(CALLED, {name: [value] for name, value in form.items()}, signature)
    assert (status.reference, status.state) == ("SM1", "delivered")


BEHAVIOURS = {
    "send": (a_text_arrives,),
    "inbound": (what_comes_in_is_read_when_it_is_signed,),
    "status": (a_report_is_read_when_it_is_signed,),
}
