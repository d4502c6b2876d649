"""Feedback on cards (CDS Hooks 2.0, "Feedback"): what users did with them, said once, again, or late."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from msgspec import Meta

from careplane.codecs.cdshooks.cards import Acceptance, Coding
from careplane.codecs.cdshooks.reading import convert
from careplane.codecs.strict_json import read_object
from careplane.errors import InputError
from careplane.records import Record

MAX_ENTRIES = 500
LONGEST_COMMENT = 2000
AHEAD = timedelta(minutes=10)
"""How far the clock of a client may be ahead."""


class OverrideReason(Record, frozen=True, rename="camel", forbid_unknown_fields=False):
    """Why a card was overridden: a reason that was offered, words of the user, or both."""

    reason: Coding | None = None
    user_comment: Annotated[str, Meta(max_length=LONGEST_COMMENT)] | None = None


class Feedback(Record, frozen=True, rename="camel", forbid_unknown_fields=False):
    """What became of one card at one time."""

    card: Annotated[str, Meta(min_length=1, max_length=128)]
    outcome: Literal["accepted", "overridden"]
    outcome_timestamp: datetime
    accepted_suggestions: Annotated[tuple[Acceptance, ...], Meta(max_length=100)] | None = None
    override_reason: OverrideReason | None = None

    @property
    def comment(self) -> str:
        """The words of the user, if any."""
        return ((self.override_reason and self.override_reason.user_comment) or "").strip()


class _Body(Record, frozen=True, forbid_unknown_fields=False):
    feedback: Annotated[tuple[Feedback, ...], Meta(min_length=1, max_length=MAX_ENTRIES)]


def read_feedback(body: bytes, now: datetime) -> tuple[Feedback, ...]:
    """The entries of a body, all of them or none.

    Raises:
        InputError: one of them is not feedback; ``field`` says which.
    """
    entries = convert(read_object(body), _Body).feedback
    for number, entry in enumerate(entries):
        where = f"feedback[{number}]"
        if entry.outcome == "accepted" and not entry.accepted_suggestions:
            raise InputError("is required for what was accepted", field=f"{where}.acceptedSuggestions")
        if entry.outcome_timestamp.tzinfo is None:
            raise InputError("must say its offset from UTC", field=f"{where}.outcomeTimestamp")
        if entry.outcome_timestamp.astimezone(UTC) > now + AHEAD:
            raise InputError("lies in the future; compare the clocks", field=f"{where}.outcomeTimestamp")
    return entries
