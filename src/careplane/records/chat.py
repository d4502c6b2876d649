"""Conversations of an app with members of the public, one person and one patient each."""

from datetime import datetime
from typing import Literal

from careplane.records import Record

ChatState = Literal["open", "waiting", "taken", "closed"]
Handover = Literal["emergency", "symptom", "asked", "unsure", "unsafe", "refused", "failed", "long"]


class ChatTurn(Record, frozen=True):
    """One exchange: what was ``said`` (empty: a person of the staff spoke first) and the ``answer``.

    ``by`` is the person who answered, ``None`` for the app; ``run`` the run that wrote the answer; ``handover`` why a
    person has to take over from here.
    """

    n: int
    at: datetime
    said: str = ""
    answer: str = ""
    by: str | None = None
    run: str | None = None
    handover: Handover | None = None


class Conversation(Record, frozen=True):
    """A conversation: ``open`` with the app, ``waiting`` for a person, ``taken`` by one (``person``), or ``closed``.

    ``patient`` is the one patient that it may be about, if the door knows one; ``task`` the Task in the EHR that tells
    the staff of a handover, ``None`` while none could be written.
    """

    id: str
    app: str
    opened_at: datetime
    state: ChatState = "open"
    language: str = "en"
    patient: str | None = None
    unit: str | None = None
    site: str | None = None
    focus: str | None = None
    turns: tuple[ChatTurn, ...] = ()
    person: str | None = None
    waiting_since: datetime | None = None
    task: str | None = None

    @property
    def handover(self) -> Handover | None:
        """Why a person has to take over, as far as one has."""
        return next((turn.handover for turn in reversed(self.turns) if turn.handover), None)
