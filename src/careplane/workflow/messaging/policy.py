"""What a site decided about messages to patients."""

from datetime import time
from typing import Annotated

from msgspec import Meta, field

from careplane.governance import DisclosureRules
from careplane.records import Record
from careplane.records.message import Channel

CONTACT = {
    "en": "To talk with a person, call your clinic or answer this message.",
    "es": "Para hablar con una persona, llame a su clínica o responda a este mensaje.",
}
LICENSED = ("physician", "nurse", "nurse_practitioner", "physician_assistant", "pharmacist", "midwife", "dentist")


class MessagePolicy(Record, frozen=True):
    """The policy of a site.

    ``channels`` are those that may be used, in the order that holds where a patient prefers none; ``full_text`` are
    those of e-mail and SMS on which the whole text may leave, rather than a notice with ``link``. No message of
    ``quiet_channels`` leaves between ``quiet_from`` and ``quiet_until`` in any time zone that the patient may be in.
    ``jurisdiction`` is the site's (``US-CA``), empty when it is not known. ``contact`` says how to reach a person,
    by language. ``portal_identifier`` is the system of the identifier that a patient with a portal account has.
    ``public_url`` is where this installation is reached from outside, for links that end messages. ``licensed_jobs``
    are the jobs whose review is one by a licensed person.
    """

    rules: DisclosureRules
    jurisdiction: str = ""
    channels: tuple[Channel, ...] = ("portal", "sms", "email", "print")
    full_text: tuple[Channel, ...] = ()
    quiet_channels: tuple[Channel, ...] = ("sms", "email")
    quiet_from: time = time(21)
    quiet_until: time = time(8)
    timezone: str = "UTC"
    region: str = "US"
    site_name: str = "This health system"
    contact: dict[str, str] = field(default_factory=lambda: dict(CONTACT))
    link: str = ""
    public_url: str = ""
    portal_identifier: str = ""
    licensed_jobs: tuple[str, ...] = LICENSED
    most_attempts: Annotated[int, Meta(ge=1)] = 8

    def carries(self, channel: Channel) -> bool:
        """Whether the whole text may leave by a channel."""
        return channel in ("portal", "print") or channel in self.full_text

    def in_language(self, texts: dict[str, str], language: str) -> str:
        """The text of a language, else the English one, else any."""
        found = texts.get(language) or texts.get(language.partition("-")[0]) or texts.get("en")
        return found if found is not None else next(iter(texts.values()), "")
