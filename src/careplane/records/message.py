"""Messages to patients: what goes out on a channel, what the other side said, and the row that remembers both."""

from datetime import datetime
from typing import Literal

from careplane.records import Record

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
    """One dated rule that demands (or forbids) something in a message to a patient.

    ``exempt_when`` says in plain words when it does not hold; ``exempts_reviewed`` that a text which a licensed person
    read and reviewed before it left needs no disclosure. ``verified`` is ``False`` where nobody has compared the row
    with the official text.
    """

    id: str
    jurisdiction: str
    name: str
    citation: str
    effective: str
    text: str
    source: str
    exempt_when: str = ""
    exempts_reviewed: bool = False
    verified: bool = False
    strictness: int = 0
    repealed: str = ""


class Attempt(Record, frozen=True):
    """One attempt to send a message: when, by which channel, and what came of it."""

    at: datetime
    channel: Channel
    delivery: Delivery


class Message(Record, frozen=True):
    """A message to a patient, one per signed run, from signature to delivery.

    ``text`` is exactly what leaves on ``channel`` (for e-mail and SMS that is a notice with a link, unless the policy
    of the site lets the whole text leave there); ``grade`` is the reading grade of what the patient reads in the end.
    ``rules`` are the ids of the disclosure rules whose text is in it, ``exempt`` those that did not apply and why is in
    the rule. ``due_at`` is when it may leave; ``reason`` says why it is not sent. ``skipped`` names channels that were
    passed over, each with its reason.
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
    text: str = ""
    language: str = "en"
    grade: float | None = None
    rules: tuple[str, ...] = ()
    exempt: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    reference: str = ""
    delivered: str = ""
    reason: str = ""
    claimed_at: datetime | None = None
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
