"""Messages to patients of an installation: the site's file, the channels, and the turns that send what is due.

The file that ``messages_file`` names is TOML; without one the portal (the EHR itself) and letters are the channels. A
secret is named in it, never written: ``password_file`` or ``password_env`` of ``[email]``, ``secret_file`` or
``secret_env`` of ``[sms]`` (``callback_secret`` likewise), ``token_file`` or ``token_env`` of ``[portal]``.
"""

import asyncio
import logging
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, time
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from careplane._shelf import load
from careplane.codecs.smart import secure_url
from careplane.connectors import FhirConnector, MessageSender
from careplane.errors import CareplaneError, InputError, SettingsError
from careplane.governance import read_disclosure_rules
from careplane.ledger import Ledger
from careplane.records import Record
from careplane.records.message import Channel
from careplane.records.people import Person
from careplane.records.run import Run
from careplane.settings import Settings, secret_of
from careplane.store import Store, fetch
from careplane.store.tables import people
from careplane.workflow.messaging import MessagePolicy, Messages, Planner
from careplane.workflow.messaging.policy import CONTACT, LICENSED

TEND_SECONDS = 2.0
SECRETS: Mapping[Channel, tuple[str, ...]] = {
    "email": ("password",),
    "sms": ("secret", "callback_secret"),
    "portal": ("token",),
}
log = logging.getLogger("careplane.messages")

Clock = Callable[[], datetime]
Table = dict[str, str | int | float]
Hour = Annotated[str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]


class MessagesFile(Record, frozen=True):
    """The file. What is not in it is as :class:`careplane.workflow.messaging.MessagePolicy` says."""

    jurisdiction: Annotated[str, Meta(pattern=r"^([A-Z]{2}(-[A-Z0-9]{1,3})?)?$")] = ""
    channels: tuple[Channel, ...] = ("portal", "sms", "email", "print")
    full_text: tuple[Literal["sms", "email"], ...] = ()
    quiet_channels: tuple[Channel, ...] = ("sms", "email")
    quiet_from: Hour = "21:00"
    quiet_until: Hour = "08:00"
    region: Annotated[str, Meta(pattern=r"^[A-Z]{2}$")] = "US"
    contact: dict[str, str] = msgspec.field(default_factory=lambda: dict(CONTACT))
    link: str = ""
    public_url: str = ""
    portal_identifier: str = ""
    licensed_jobs: tuple[str, ...] = LICENSED
    rules_file: str = ""
    email: Table | None = None
    sms: Table | None = None
    portal: Table | None = None


@dataclass(frozen=True, slots=True)
class Post:
    """The planner and the channels of an installation."""

    planner: Planner
    senders: Mapping[Channel, MessageSender]


def read_messages_file(settings: Settings) -> MessagesFile:
    """The file of the settings, or what holds without one.

    Raises:
        SettingsError: it cannot be read, or a value in it is wrong; the field is named.
    """
    name = settings.text("messages_file")
    if not name:
        return MessagesFile()
    path = Path(name)
    try:
        file = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), MessagesFile)
    except OSError as error:
        raise SettingsError(f"cannot be read: {error.strerror}", file=path) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"is not TOML: {error}", file=path) from error
    except msgspec.ValidationError as error:
        raise SettingsError(str(error), file=path) from error
    for field in ("public_url", "link"):
        url = str(getattr(file, field))
        try:
            if url:
                secure_url(url.partition("#")[0], field)
        except InputError as error:
            raise SettingsError(error.message, file=path, field=field) from error
    return file


def open_post(settings: Settings, store: Store, ledger: Ledger, fhir: FhirConnector) -> Post:
    """The planner and channels by the site's file.

    Raises:
        SettingsError: the file, or a channel's table in it, is wrong.
        DataError: the rule file is wrong.
    """
    file = read_messages_file(settings)
    portal = load("connectors", "portal")
    senders: dict[Channel, MessageSender] = {"portal": portal.PortalSender(_Kept(fhir))}
    tables: dict[Channel, Table | None] = {"email": file.email, "sms": file.sms, "portal": file.portal}
    for channel, table in tables.items():
        if table is not None:
            senders[channel] = _open(settings, file, channel, table)
    policy = MessagePolicy(
        rules=read_disclosure_rules(Path(file.rules_file)) if file.rules_file else read_disclosure_rules(),
        quiet_from=time.fromisoformat(file.quiet_from),
        quiet_until=time.fromisoformat(file.quiet_until),
        timezone=settings.text("timezone"),
        site_name=settings.text("site_name"),
        public_url=file.public_url or settings.text("public_url"),
        **{name: getattr(file, name) for name in _SAME},
    )
    return Post(Planner(store, ledger, fhir, policy, (*senders, "print"), partial(job_of, store)), senders)


_SAME = (
    *("jurisdiction", "channels", "full_text", "quiet_channels", "region", "contact", "link"),
    *("portal_identifier", "licensed_jobs"),
)


class _Kept:
    """The EHR's connector without its end: it is the installation's to close, not a channel's."""

    def __init__(self, fhir: FhirConnector) -> None:
        self.create = fhir.create


def _open(settings: Settings, file: MessagesFile, channel: Channel, table: Table) -> MessageSender:
    """A channel by its table; a secret comes from where the table says."""
    given = {name: str(value) for name, value in table.items()}
    for secret in SECRETS[channel]:
        field, env, path = f"{channel}.{secret}", given.pop(f"{secret}_env", ""), given.pop(f"{secret}_file", "")
        if secret in given:
            raise SettingsError(f"name a file or variable instead: {secret}_file or {secret}_env", field=field)
        held = secret_of(env, path, field)
        if held:
            given[secret] = held
    if channel == "sms":
        given.setdefault("region", file.region)
        if file.public_url:
            given.setdefault("status_url", f"{file.public_url}/messages/sms/status")
    try:
        made: MessageSender = load("connectors", channel).open(given)
    except InputError as error:
        named = settings.text("messages_file")
        raise SettingsError(error.message, file=named, field=f"{channel}.{error.field or ''}") from error
    return made


def job_of(store: Store, person: str) -> str | None:
    """The job of a person on the staff list."""
    with store.read() as connection:
        found = fetch(connection, people, Person, people.c.id == person)
    return found.job if found is not None else None


async def patient_text(planner: Planner, clock: Clock, run: Run, text: str, signer: str) -> str:
    """What a patient reads of a signed text, disclosure included."""
    return await planner.whole(run, text, signer, clock())


async def tend_messages(messages: Messages) -> None:
    """Runs beside the server until it is cancelled; a turn that fails is told and the next one comes."""
    while True:
        try:
            await messages.tend()
        except CareplaneError as error:
            log.warning("messages: a turn failed (%s); trying again", type(error).__name__)
        await asyncio.sleep(TEND_SECONDS)
