"""Messages to patients: what goes out on a channel, what the other side said, and the row that remembers both."""

from datetime import date, datetime
from typing import Annotated, Literal

from msgspec import Meta, field

from careplane.records import Record

Placement = Literal["start", "end"]
Channel = Literal["portal", "email", "sms", "print"]
Outcome = Literal["accepted", "refused", "later", "uncertain"]
MessageState = Literal["signed", "waiting", "sending", "sent", "uncertain", "failed", "cancelled"]


class Outgoing(Record, frozen=True):
    """One message on its way out by one channel.

    ``id`` follows from run and channel, so a repeat is the same message; ``to`` is what the channel takes: an e-mail
    address, a telephone number in E.164, a reference (``Patient/123``). ``unsubscribe`` is a URL that ends further
    messages of this channel. ``sender`` and ``answers`` are references, for channels that speak FHIR.
    """

    id: str
    to: str
    text: str
    subject: str = ""
    language: str = "en"
    unsubscribe: str = ""
    sender: str = ""
    answers: str = ""
    run: str = ""
    synthetic: bool = False


class Delivery(Record, frozen=True):
    """What a channel said to one message; a refusal is data, never an exception.

    ``accepted``: the other side has it. ``refused``: it will never take it (a bad address, a recipient who opted out).
    ``later``: it did not take it now and did not act on it, so it may be sent again. ``uncertain``: it may or may not
    have it (the connection broke after the text was sent), so only a person sends it again.
    ``code`` is the reply code of the protocol or provider; ``reason`` is a sentence of ours, without any identifier.
    """

    outcome: Outcome
    reference: str = ""
    code: str = ""
    reason: str = ""
    retry_after: float | None = None


class Disclosure(Record, frozen=True):
    """One dated rule of a jurisdiction about AI in messages to patients.

    A ``disclosure`` puts ``text`` (language to words) at the ``placement`` of a message; a ``prohibition`` puts nothing
    there. ``exempts_reviewed``: a text that a licensed person read and reviewed needs no disclosure. ``verified`` says
    that the row was compared with its source; ``note`` what was and what was not. ``until`` is the day it ends.
    """

    id: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9\-]{1,47}$")]
    jurisdiction: Annotated[str, Meta(pattern=r"^[A-Z]{2}(-[A-Z0-9]{1,3})?$")]
    kind: Literal["disclosure", "prohibition"]
    name: str
    citation: str
    effective: date
    source: str
    text: dict[str, str] = field(default_factory=dict)
    placement: Placement = "start"
    exempt_when: str = ""
    exempts_reviewed: bool = False
    verified: bool = False
    until: date | None = None
    note: str = ""

    def holds(self, on: date) -> bool:
        """Whether it is in force on a day."""
        return self.effective <= on and (self.until is None or on < self.until)


class Attempt(Record, frozen=True):
    """One attempt to send a message: when, by which channel, and what came of it."""

    at: datetime
    channel: Channel
    delivery: Delivery


class Message(Record, frozen=True):
    """A message to a patient, one per signed run, from signature to delivery.

    ``whole`` is what the patient reads in the end: disclosure, text, whom to ask. ``text`` is exactly what leaves on
    ``channel``: the same, or for e-mail and SMS a ``notice`` with a link. ``grade`` is the reading grade of the signed
    text (``None``: not measured). ``rules`` are the ids of the disclosure rules whose texts are in it, ``exempt`` those
    that did not apply because of the review. ``due_at`` is when it may leave or is looked at next; ``reason`` says why
    it is not sent. ``skipped`` names channels that were passed over, each with its reason.
    """

    run: str
    app: str
    patient: str
    state: MessageState
    signed_by: str
    signed_at: datetime
    due_at: datetime
    channel: Channel | None = None
    to: str = ""
    subject: str = ""
    whole: str = ""
    text: str = ""
    notice: bool = False
    language: str = "en"
    grade: float | None = None
    rules: tuple[str, ...] = ()
    exempt: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    reference: str = ""
    delivered: str = ""
    reason: str = ""
    sent_at: datetime | None = None
    synthetic: bool = False


class ContactChoice(Record, frozen=True):
    """What a patient chose for a channel: never again (``stop``), or rather this one (``prefer``).

    ``subject`` is the pseudonym of the address or number for e-mail and SMS, and of the patient for portal and print:
    a STOP comes from a telephone, which several patients may share, and then holds for all of them.
    """

    channel: Channel
    subject: str
    choice: Literal["stop", "prefer"]
    at: datetime
    source: str
