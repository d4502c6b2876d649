"""Who may call our hooks, the cards that were shown, and what users did with them."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta

from careplane.records import Record

Url = Annotated[str, Meta(min_length=1, max_length=2048, pattern=r"^[^\s\x00-\x1f\x7f]+$")]
CardOutcome = Literal["accepted", "overridden"]


class CdsTrust(Record, frozen=True):
    """An EHR whose signed calls are answered.

    ``issuer`` is the ``iss`` of its tokens and ``jku`` where its keys are; ``fhir`` is the only FHIR server that a
    token of its calls is sent to; ``tenant`` must be the tenant of its tokens, and is the site of its events.
    ``own_reads`` lets data that it does not send be read over this installation's own connection to the same EHR;
    ``smart`` gives links of cards as SMART launches; ``origins`` are pages that may call from a browser.
    """

    issuer: Url
    jku: Url
    added_at: datetime
    added_by: str
    fhir: str = ""
    tenant: str = ""
    own_reads: bool = False
    smart: bool = False
    origins: tuple[str, ...] = ()


class IssuedCard(Record, frozen=True):
    """A card that was shown: ``id`` is its ``uuid``, ``issuer`` the EHR that got it."""

    id: str
    run: str
    app: str
    service: str
    hook: str
    issuer: str
    at: datetime


class CardFeedback(Record, frozen=True):
    """What somebody did with a card, at ``at``. ``reason`` is the key that groups like reasons, ``reason_text`` what a
    person reads; both are empty when none was given."""

    id: str
    card: str
    run: str
    app: str
    outcome: CardOutcome
    at: datetime
    received_at: datetime
    reason: str = ""
    reason_text: str = ""
    comment: str = ""
    suggestions: tuple[str, ...] = ()
