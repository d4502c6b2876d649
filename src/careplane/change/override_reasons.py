"""Why users set cards aside, and the request that opens by itself when several say the same."""

import hashlib
from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from careplane.change.requests import import_requests
from careplane.records import Record
from careplane.records.hooks import CardFeedback
from careplane.records.people import Request
from careplane.store import Store
from careplane.workflow.card_feedback import find_feedback

SIMILAR = 5
"""So many cards set aside for the same reason open a request."""

BY = "cards"
"""Who posts such a request: nobody in person."""


class ReasonCount(Record, frozen=True):
    """How many cards were set aside for a reason. ``share`` is of all that were, ``cumulative`` up to this row."""

    reason: str
    text: str
    cards: int
    share: float
    cumulative: float


class CardUse(Record, frozen=True):
    """What users did with the cards of an app: ``told`` were answered at all, ``reasons`` most frequent first."""

    app: str
    told: int
    accepted: int
    overridden: int
    reasons: tuple[ReasonCount, ...]

    @property
    def override_rate(self) -> float | None:
        """Share of the answered cards that was set aside; ``None`` when none was answered."""
        return self.overridden / self.told if self.told else None


def card_use(store: Store, app: str) -> CardUse:
    """What users did with the cards of an app."""
    return count_use(app, find_feedback(store, app))


def count_use(app: str, feedback: Iterable[CardFeedback]) -> CardUse:
    """Counts of one entry for each card."""
    entries = list(feedback)
    set_aside = [one for one in entries if one.outcome == "overridden"]
    words: dict[str, Counter[str]] = {}
    for one in set_aside:
        words.setdefault(one.reason, Counter())[one.reason_text] += 1
    counted = Counter(one.reason for one in set_aside)
    rows, so_far = [], 0
    for reason, number in sorted(counted.items(), key=lambda pair: (-pair[1], pair[0])):
        so_far += number
        rows.append(
            ReasonCount(
                reason=reason,
                text=words[reason].most_common(1)[0][0] or "no reason given",
                cards=number,
                share=number / len(set_aside),
                cumulative=so_far / len(set_aside),
            )
        )
    return CardUse(
        app=app,
        told=len(entries),
        accepted=len(entries) - len(set_aside),
        overridden=len(set_aside),
        reasons=tuple(rows),
    )


def open_requests(store: Store, app: str, title: str, at: datetime) -> int:
    """Open a request for each reason that ``SIMILAR`` cards or more were set aside for; each opens once.

    Says how many are new. Reasons that nobody gave open nothing.
    """
    wanted = [one for one in card_use(store, app).reasons if one.reason and one.cards >= SIMILAR]
    return import_requests(store, (_request(app, title, one, at) for one in wanted)) if wanted else 0


def _request(app: str, title: str, reason: ReasonCount, at: datetime) -> Request:
    """A request whose id comes from app and reason, so that the same one is never opened again."""
    digest = hashlib.sha256(f"{app}\n{reason.reason}".encode()).hexdigest()[:12]
    text = f"{reason.cards} cards of {title} were set aside for the same reason: {reason.text}"
    return Request(id=f"r-{digest}", app=app, by=BY, kind="complaint", text=text, at=at)
