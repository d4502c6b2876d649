"""One run of an app, from trigger to the answer of its user. Everything lands here."""

from datetime import datetime
from typing import Literal

import msgspec

from careplane.records import JSON, Record
from careplane.records.app import TriggerKind
from careplane.records.model import ModelCall

RunStatus = Literal["refused", "failed", "draft", "accepted", "edited", "rejected"]
ReviewAction = Literal["accept", "edit", "reject"]
Severity = Literal["info", "caution", "critical"]


class Occurrence(Record, frozen=True):
    """One thing that happened, whatever the door it came through; no app is named yet.

    ``kind`` is the door, ``on`` what happened, as a manifest's trigger names it (``order-sign``,
    ``Communication.created``, ``ADT^A03``, ``invoice.posted``). ``id`` is the sender's name of it, the same each time
    it is delivered, so that an app runs once for it; where two senders may use the same ids, the door puts the sender
    before it. ``source`` says who told (an issuer, a listener, a file) and is no secret and no identifier of a patient.
    The others are those of :class:`Event`.
    """

    id: str
    kind: TriggerKind
    on: str
    at: datetime
    patient: str | None = None
    encounter: str | None = None
    focus: str | None = None
    unit: str | None = None
    site: str | None = None
    user: str | None = None
    source: str = ""


class Event(Record, frozen=True):
    """What happened, as it concerns one app: the cause of a run. ``id`` makes the run happen once, however often it is
    delivered; ``kind`` is what happened and ``door`` the kind of trigger that it came by.

    ``patient``, ``encounter`` and ``focus`` are FHIR references (``Patient/123``); ``unit`` is the clinic or ward,
    ``site`` the hospital, ``user`` the reference of the person who will review; ``at`` is aware, in UTC.
    """

    id: str
    app: str
    kind: str
    at: datetime
    patient: str | None = None
    encounter: str | None = None
    focus: str | None = None
    unit: str | None = None
    site: str | None = None
    user: str | None = None
    door: TriggerKind | None = None
    source: str = ""


class Reason(Record, frozen=True):
    """One rule's answer. ``rule`` is its short name; ``way_out`` says what would turn a no into a yes."""

    rule: str
    allowed: bool
    text: str
    way_out: str = ""
    link: str = ""


class Permit(Record, frozen=True):
    """The answer to "may this app run now, here, for this person?": data with reasons, never a bare boolean."""

    allowed: bool
    reasons: tuple[Reason, ...]

    @property
    def refusals(self) -> tuple[Reason, ...]:
        """The reasons that said no."""
        return tuple(reason for reason in self.reasons if not reason.allowed)


class Source(Record, frozen=True):
    """One piece of context that a draft may cite as ``[n]``. ``text`` is what the template saw."""

    n: int
    reference: str
    label: str
    text: str
    date: str | None = None


class Seen(Record, frozen=True):
    """A resource as a run saw it: its version and time there, the ``fields`` that the app may read, and what they held
    (``data``; ``None`` when it was longer than is kept)."""

    reference: str
    version: str | None = None
    updated: str | None = None
    fields: tuple[str, ...] = ()
    data: JSON | None = None


class FieldChange(Record, frozen=True):
    """One element that differs: its path in words, and its value before and after (empty: not there)."""

    path: str
    before: str
    after: str


class ChartChange(Record, frozen=True):
    """A resource that is not what the run saw: what differs, or ``gone``. Without ``fields`` it changed in what the app
    may not read or is too long to keep."""

    reference: str
    version: str | None = None
    updated: str | None = None
    gone: bool = False
    fields: tuple[FieldChange, ...] = ()


class Finding(Record, frozen=True):
    """What an output check saw. ``sentence`` is the 0-based sentence of the draft, ``None`` for the whole."""

    check: str
    severity: Severity
    text: str
    sentence: int | None = None


class Draft(Record, frozen=True):
    """The text a model wrote, originals restored, split into sentences, with its sources and findings.

    ``message`` is the untrusted message that it answers, empty when there is none.
    """

    text: str
    sentences: tuple[str, ...]
    sources: tuple[Source, ...]
    findings: tuple[Finding, ...]
    label: str = "AI draft, not reviewed"
    message: str = ""


class Review(Record, frozen=True):
    """What the person did with the draft. ``seconds`` is active time; ``final_text`` is what was signed (``None`` when
    rejected); ``diff`` is a unified diff of draft to final; ``distance`` the normalised token edit distance, 0-1
    (measure M16); ``clicks`` counts clicks and key commands (``None``: not measured). ``despite`` are resources that
    had changed and that the person saw and confirmed; ``unchecked`` says that the chart could not be asked."""

    action: ReviewAction
    by: str
    at: datetime
    seconds: float
    reason: str | None = None
    comment: str = ""
    final_text: str | None = None
    diff: str = ""
    distance: float = 0.0
    clicks: int | None = None
    despite: tuple[str, ...] = ()
    unchecked: bool = False


class Amendment(Record, frozen=True):
    """What a person did with a signed text afterwards: another text in its place, or withdrawing it (``text`` is
    ``None``). ``base`` are the versions that the person acted on, by reference; ``written`` as in :class:`Run`."""

    n: int
    action: Literal["amend", "withdraw"]
    by: str
    at: datetime
    reason: str
    text: str | None = None
    diff: str = ""
    base: dict[str, str] = msgspec.field(default_factory=dict)
    despite: tuple[str, ...] = ()
    written: tuple[str, ...] = ()


class Edit(Record, frozen=True):
    """What a person has typed for a draft and not signed yet. ``n`` grows with each save of one edit; ``seconds`` and
    ``clicks`` were spent on it so far."""

    run: str
    person: str
    text: str
    n: int
    at: datetime
    reason: str = ""
    comment: str = ""
    seconds: float = 0.0
    clicks: int = 0


class Survey(Record, frozen=True):
    """The three questions, 1-5 each: I like it, it performs, it makes my work easier."""

    like: int
    performance: int
    easier: int
    comment: str = ""
    at: datetime | None = None


class Run(Record, frozen=True):
    """The record that joins call, draft, review, outcome, cost and decision.

    ``created_at`` is the time of the process that ran it, but never before its event: the event may carry the time of
    another machine or of a schedule, and of two clocks that differ the later is taken.
    ``arm`` is the arm of the plan at the time of the event (exposure is recorded whether or not the app spoke);
    ``written`` are the references of the resources that came back to the chart, ``landed`` the versions that the
    chart gave to the artefacts; ``seen`` is what of the chart it rests on, ``amendments`` what was done after signing.
    """

    id: str
    app: str
    app_version: str
    app_hash: str
    event: Event
    status: RunStatus
    permit: Permit
    created_at: datetime
    plan: str | None = None
    arm: str | None = None
    sources: tuple[Source, ...] = ()
    calls: tuple[ModelCall, ...] = ()
    draft: Draft | None = None
    review: Review | None = None
    written: tuple[str, ...] = ()
    survey: Survey | None = None
    error: str | None = None
    synthetic: bool = False
    seen: tuple[Seen, ...] = ()
    amendments: tuple[Amendment, ...] = ()
    landed: dict[str, str] = msgspec.field(default_factory=dict)

    @property
    def withdrawn(self) -> bool:
        """Whether the signed text was withdrawn."""
        return any(one.action == "withdraw" for one in self.amendments)

    @property
    def signed_text(self) -> str | None:
        """The text that stands: the newest that was signed; ``None`` before, and once it is withdrawn."""
        if self.review is None or self.withdrawn:
            return None
        return self.amendments[-1].text if self.amendments else self.review.final_text

    @property
    def cost_usd(self) -> float:
        """What the model calls of the run cost, as far as their prices are known."""
        return sum(call.usage.cost_usd or 0.0 for call in self.calls)
