"""The cards that were shown and what users did with them, in the store: what measures and pages read.

Feedback may come twice and late. The same words about the same card at the same time are one entry; of several entries
about a card the newest by its own time counts.
"""

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection

from careplane.codecs.cdshooks import Feedback
from careplane.errors import InputError
from careplane.records.app import App
from careplane.records.hooks import CardFeedback, IssuedCard
from careplane.store import Store, find, insert_new, stamp
from careplane.store.tables import card_feedback, cards
from careplane.workflow.hook_cards import REASONS, reason_code

LONGEST_KEY = 120


def remember_cards(connection: Connection, shown: Iterable[IssuedCard]) -> None:
    """Keep which cards were shown; durable with the transaction. A card that is shown again stays as it was."""
    for card in shown:
        insert_new(connection, cards, card, id=card.id, run=card.run, app=card.app, at=stamp(card.at))


def find_cards(store: Store, idents: Iterable[str]) -> dict[str, IssuedCard]:
    """The cards with these ids, as far as they were shown."""
    with store.read() as connection:
        found = find(connection, cards, IssuedCard, cards.c.id.in_(sorted(set(idents))))
    return {card.id: card for card in found}


def keep_feedback(
    store: Store, entries: Sequence[Feedback], issuer: str, apps: Mapping[str, App], now: datetime
) -> list[CardFeedback]:
    """Keep what an EHR told, all of it or nothing; gives back what is new.

    Args:
        store: where it is kept.
        entries: as they were read.
        issuer: the EHR that tells.
        apps: by id, for the reasons that they offer.
        now: when it came.

    Raises:
        InputError: an entry is about a card that this EHR never got; says which entry.
    """
    shown = find_cards(store, (entry.card for entry in entries))
    told = []
    for number, entry in enumerate(entries):
        card = shown.get(entry.card)
        if card is None or card.issuer != issuer:
            raise InputError("is not a card that was given to this EHR", field=f"feedback[{number}].card")
        told.append(_told(entry, card, apps.get(card.app), now))
    with store.write() as connection:
        return [
            one
            for one in told
            if insert_new(
                connection,
                card_feedback,
                one,
                id=one.id,
                card=one.card,
                app=one.app,
                outcome=one.outcome,
                reason=one.reason or None,
                at=stamp(one.at),
            )
        ]


def find_feedback(store: Store, app: str | None = None) -> list[CardFeedback]:
    """What became of each card, oldest first: its newest entry, of one app or all."""
    where = () if app is None else (card_feedback.c.app == app,)
    order = (card_feedback.c.at.asc(), card_feedback.c.id.asc())
    with store.read() as connection:
        found = find(connection, card_feedback, CardFeedback, *where, order_by=order)
    return list({one.card: one for one in found}.values())


def normal(text: str) -> str:
    """A reason as it is compared: case, accents' forms, punctuation and spaces make no difference."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(re.sub(r"[^\w]+", " ", folded).split())[:LONGEST_KEY]


def _told(entry: Feedback, card: IssuedCard, app: App | None, now: datetime) -> CardFeedback:
    text = _reason(entry, app)
    key = normal(text)
    suggestions = tuple(one.id[:128] for one in entry.accepted_suggestions or ())
    parts = (entry.card, entry.outcome, entry.outcome_timestamp.isoformat(), key, entry.comment, *suggestions)
    return CardFeedback(
        id=hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32],
        card=card.id,
        run=card.run,
        app=card.app,
        outcome=entry.outcome,
        at=entry.outcome_timestamp,
        received_at=now,
        reason=key,
        reason_text=text,
        comment=entry.comment,
        suggestions=suggestions,
    )


def _reason(entry: Feedback, app: App | None) -> str:
    """What a person reads as the reason: that of the app by its code, the display that came, the code, the comment."""
    given = entry.override_reason.reason if entry.override_reason else None
    if entry.outcome != "overridden" or (given is None and not entry.comment):
        return ""
    if given is None:
        return " ".join(entry.comment.split())[:200]
    own = {reason_code(one): one for one in app.spec.review.reasons} if app and given.system in (None, REASONS) else {}
    return own.get(given.code) or (given.display or "").strip()[:200] or given.code[:200]
