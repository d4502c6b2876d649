"""From a signed text to a plan: which channel, which words, when. Reads the chart; writes nothing."""

import hmac
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from careplane.connectors import FhirReader
from careplane.governance import Demand, demand
from careplane.ledger import Ledger
from careplane.records import Record
from careplane.records.message import Channel, Message
from careplane.records.run import Run
from careplane.store import Store
from careplane.workflow.messaging.addressing import Contact, contact_of
from careplane.workflow.messaging.choices import choices_of
from careplane.workflow.messaging.composing import leaving_text, reading_grade, subject_line, whole_text
from careplane.workflow.messaging.hours import next_allowed
from careplane.workflow.messaging.policy import MessagePolicy

JobOf = Callable[[str], str | None]
"""The job of a person on the staff list; ``None`` when they are not there."""


class Planned(Record, frozen=True):
    """How a message would leave if it were signed now: for the review desk, and for the row.

    ``channel`` is ``None`` when no way is left; ``skipped`` says why each other one was passed over; ``licensed`` is
    whether the signer's job counts as a licensed review, and ``unverified`` are rules whose row nobody verified.
    """

    channel: Channel | None
    to: str
    subject: str
    whole: str
    text: str
    notice: bool
    language: str
    grade: float | None
    due_at: datetime
    rules: tuple[str, ...]
    exempt: tuple[str, ...]
    unverified: tuple[str, ...]
    skipped: tuple[str, ...]
    licensed: bool


class Planner:
    """Plans messages by the policy of a site."""

    def __init__(
        self,
        store: Store,
        ledger: Ledger,
        fhir: FhirReader,
        policy: MessagePolicy,
        channels: Iterable[Channel],
        job_of: JobOf,
    ) -> None:
        """``channels`` are those that this installation can send by."""
        self.policy = policy
        self._store, self._ledger, self._fhir = store, ledger, fhir
        self._channels = frozenset(channels)
        self._job_of = job_of

    async def contact(self, run: Run, at: datetime) -> Contact:
        """The patient of a run as somebody to write to.

        Raises:
            UpstreamError: the record system does not answer.
        """
        reference = run.event.patient or ""
        patient = await self._fhir.read(reference)
        return contact_of(patient, reference, self.policy, at.date(), by_portal=await self._by_portal(run))

    async def demanded(self, contact: Contact, signer: str, at: datetime) -> Demand:
        """What the law wants said."""
        places = dict.fromkeys((contact.jurisdiction or self.policy.jurisdiction, self.policy.jurisdiction))
        wanted = [place for place in places if place] or [""]
        return demand(
            self.policy.rules, wanted, at.date(), licensed_review=self.licensed(signer), language=contact.language
        )

    async def whole(self, run: Run, text: str, signer: str, at: datetime) -> str:
        """What the patient reads in the end: this is also what the chart keeps."""
        contact = await self.contact(run, at)
        return whole_text(self.policy, await self.demanded(contact, signer, at), text, contact.language)

    async def plan(self, run: Run, signed: str, signer: str, at: datetime, refused: Iterable[Channel] = ()) -> Planned:
        """The plan of a message.

        Args:
            run: the run.
            signed: the text that is signed, or would be.
            signer: who signs.
            at: now.
            refused: channels that will not take it.

        Raises:
            UpstreamError: the record system does not answer.
        """
        policy = self.policy
        contact = await self.contact(run, at)
        demanded = await self.demanded(contact, signer, at)
        whole = whole_text(policy, demanded, signed, contact.language)
        channel, to, skipped = self._choose(contact, set(refused))
        quiet = channel in policy.quiet_channels
        due = next_allowed(at, contact.zones(policy), policy.quiet_from, policy.quiet_until) if quiet else at
        ends = self.unsubscribe_url(run.id, channel)
        text = leaving_text(policy, channel, whole, contact.language, ends) if channel else ""
        return Planned(
            channel=channel,
            to=to,
            subject=subject_line(policy, contact.language),
            whole=whole,
            text=text,
            notice=channel is not None and not policy.carries(channel),
            language=contact.language,
            grade=reading_grade(signed),
            due_at=due,
            rules=demanded.rules,
            exempt=demanded.exempt,
            unverified=tuple(one.id for one in policy.rules.rule if one.id in demanded.rules and not one.verified),
            skipped=skipped,
            licensed=self.licensed(signer),
        )

    def licensed(self, signer: str) -> bool:
        """Whether the review of a person is one by a licensed person; of one who is not on the staff list it is not."""
        return self._job_of(signer) in self.policy.licensed_jobs

    def still_wanted(self, message: Message) -> bool:
        """Whether nobody said STOP since the message was planned."""
        way = (message.channel or "print", message.to)
        return choices_of(self._store, self._ledger, [way]).get(way) != "stop"

    def unsubscribe_url(self, run: str, channel: Channel | None) -> str:
        """A link that ends messages by e-mail; empty where nobody outside could follow it."""
        if channel != "email" or not self.policy.public_url:
            return ""
        return f"{self.policy.public_url}/messages/unsubscribe/{run}.{self.proof(run)}"

    def proof(self, run: str) -> str:
        """What shows that a link is ours."""
        return self._ledger.pseudonym(f"unsubscribe:{run}")

    def proves(self, run: str, proof: str) -> bool:
        """Whether a link is ours, compared in constant time."""
        return hmac.compare_digest(self.proof(run).encode(), proof.encode("utf-8", "replace"))

    def _choose(self, contact: Contact, refused: set[Channel]) -> tuple[Channel | None, str, tuple[str, ...]]:
        portal: tuple[Channel, str] = ("portal", contact.patient)
        choices = choices_of(self._store, self._ledger, (*contact.ways, portal))
        wanted = portal not in contact.ways and choices.get(portal) == "prefer"
        ways = (portal, *contact.ways) if wanted else contact.ways
        place = {channel: n for n, channel in enumerate(self.policy.channels)}
        ranked = [way for _, way in sorted(enumerate(ways), key=lambda one: _rank(one, choices, place))]
        skipped: list[str] = []
        for channel, to in ranked:
            why = self._why_not(channel, choices.get((channel, to)), refused)
            if not why:
                return channel, to, tuple(skipped)
            skipped.append(f"{channel}: {why}")
        return None, "", tuple(skipped)

    def _why_not(self, channel: Channel, choice: str | None, refused: set[Channel]) -> str:
        if channel not in self.policy.channels:
            return "the site does not use it"
        if channel not in self._channels:
            return "it is not set up"
        if choice == "stop":
            return "the patient opted out"
        if channel in refused:
            return "it refused the message"
        needs_portal = not self.policy.carries(channel)
        return "there is no portal for the text behind a notice" if needs_portal and not self.policy.link else ""

    async def _by_portal(self, run: Run) -> bool:
        """Whether the run answers a message that came by the portal."""
        focus = run.event.focus or ""
        if not focus.startswith("Communication/"):
            return False
        message = await self._fhir.read(focus) or {}
        words = [text for one in (*_list(message, "category"), *_list(message, "medium")) for text in _words(one)]
        return any("portal" in word.lower() for word in words)


def _rank(
    one: tuple[int, tuple[Channel, str]], choices: Mapping[tuple[Channel, str], str], place: dict[Channel, int]
) -> tuple[bool, bool, int, int]:
    """What the patient chose comes first, the letter last; then the order of the chart, then of the site."""
    index, way = one
    return choices.get(way) != "prefer", way[0] == "print", index, place.get(way[0], len(place))


def _list(resource: dict[str, object], name: str) -> list[dict[str, object]]:
    value = resource.get(name)
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _words(concept: dict[str, object]) -> list[str]:
    texts = [concept.get("text"), *(coding.get("code") for coding in _list(concept, "coding"))]
    return [text for text in texts if isinstance(text, str)]
