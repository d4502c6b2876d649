"""The rig of ``email``: a mail server in the clear on loopback."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from careplane.connectors.email import EmailSender
from careplane.connectors.email.tests.mailbox import Mailbox, mail_server
from careplane.errors import UpstreamError
from careplane.records.message import Outgoing

REQUIRED = ("host", "sender")
SECRETS = ("password",)
SENDER = "Clinic <no-reply@clinic.example.org>"


@dataclass(frozen=True)
class Post:
    """A mail server and what it took."""

    settings: Mapping[str, str]
    mailbox: Mailbox


@contextmanager
def peer(_folder: Path) -> Iterator[Post]:
    mailbox = Mailbox()
    with mail_server(mailbox) as port:
        yield Post({"host": "127.0.0.1", "port": str(port), "tls": "none", "sender": SENDER}, mailbox)


def at(host: str, port: int, _folder: Path) -> dict[str, str]:
    signed = {"username": "clinic", "password": "pass-4711-secret"}
    return {"host": host, "port": str(port), "tls": "none", "sender": SENDER, "timeout_seconds": "0.3", **signed}


async def call(connector: EmailSender, words: str) -> object:
    """A delivery that did not succeed as an error, which is how the suite takes it."""
    delivery = await connector.send(Outgoing(id=words, to=f"{words}@example.org", subject="A message", text=words))
    if delivery.outcome != "accepted":
        raise UpstreamError(f"{delivery.outcome}: {delivery.reason}")
    return delivery


async def a_mail_arrives(connector: EmailSender, post: Post) -> None:
    before = len(post.mailbox.mails)
    delivery = await connector.send(Outgoing(id="run-1", to="ana@example.org", subject="A message", text="Hello"))
    assert delivery.outcome == "accepted"
    assert [mail["To"] for mail in post.mailbox.mails[before:]] == ["ana@example.org"]


BEHAVIOURS = {"send": (a_mail_arrives,)}
