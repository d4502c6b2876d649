"""From messages that wait in the inbox to the chart that apps read and the events that start them.

A message is worked on after it was acknowledged, however often it takes: what is away is asked again, what cannot be
done is told in the inbox, and a message that a killed process left is taken up by the next. All steps may be repeated:
resources have stable ids, and an event of the same message starts an app once.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from careplane.codecs.fhir import patient_of
from careplane.codecs.hl7v2 import parse, told
from careplane.codecs.hl7v2.fhir import Mapped, Site, is_known, to_fhir
from careplane.connectors import FhirReader
from careplane.errors import CareplaneError, InputError, MessageError, StoreError, UpstreamError
from careplane.records import JSON
from careplane.records.app import App
from careplane.records.people import Person
from careplane.records.run import Event, Occurrence
from careplane.store.hl7v2_context import Hl7v2Context
from careplane.store.hl7v2_inbox import Entry, Hl7v2Inbox
from careplane.workflow.triggers import events_of

IDLE_SECONDS = 1.0
"""How often the inbox is looked at when nothing is heard: for messages of other processes, and those put off."""

PURGE_EVERY = timedelta(hours=6)
log = logging.getLogger("careplane.hl7v2")

_LINKED = ("Patient", "Encounter", "Location", "DiagnosticReport", "DocumentReference", "Appointment", "ServiceRequest")
"""Types that an EHR may hold already under the same identifier."""


@dataclass(frozen=True, slots=True)
class Means:
    """What working on messages takes.

    ``ehr`` is the EHR without messages over it, ``person`` finds somebody on the staff list by reference, ``submit``
    makes an event durable, ``keep`` is how long contents stay.
    """

    inbox: Hl7v2Inbox
    context: Hl7v2Context
    ehr: FhirReader
    apps: Callable[[], Iterable[App]]
    person: Callable[[str], Person | None]
    submit: Callable[[Event], Awaitable[None]]
    clock: Callable[[], datetime]
    site: Site
    charset: str
    keep: timedelta = timedelta(days=90)


class MessageWorker:
    """Works on the messages of an inbox until it is cancelled."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self._heard = asyncio.Event()
        self._purged: datetime | None = None

    def wake(self) -> None:
        """Tell that a message has come."""
        self._heard.set()

    async def run(self) -> None:
        """Take what waits, again and again; a database that does not answer is waited for."""
        while True:
            try:
                worked = await self.turn()
                await self._purge()
            except StoreError as error:
                log.warning("the inbox of messages did not answer (%s); trying again", error)
                worked = 0
            if not worked:
                await self._rest()

    async def turn(self) -> int:
        """Work on the messages that are due, a batch of them at a time; how many there were."""
        self._heard.clear()
        taken = await self._means.inbox.take(self._means.clock())
        await asyncio.gather(*(self._one(entry) for entry in taken))
        return len(taken)

    async def _rest(self) -> None:
        try:
            await asyncio.wait_for(self._heard.wait(), IDLE_SECONDS)
        except TimeoutError:
            return

    async def _one(self, entry: Entry) -> None:
        """One message, and what became of it. A fault of ours fails this message and no other."""
        means = self._means
        (error,) = await asyncio.gather(self._work(entry), return_exceptions=True)
        if error is None:
            await means.inbox.finish(entry, "done")
        elif isinstance(error, UpstreamError | StoreError):
            log.warning("message %d waits: %s", entry.id, error)
            await means.inbox.again(entry, means.clock(), str(error))
        elif isinstance(error, MessageError):
            await means.inbox.finish(entry, "failed", told(error))
        elif isinstance(error, CareplaneError):
            await means.inbox.finish(entry, "failed", str(error))
        elif isinstance(error, Exception):
            log.error("message %d failed for a fault of ours (%s)", entry.id, type(error).__name__)
            await means.inbox.finish(entry, "failed", f"a fault of ours ({type(error).__name__}); please report it")
        else:
            raise error

    async def _work(self, entry: Entry) -> None:
        means = self._means
        raw, _ = await asyncio.to_thread(means.inbox.content, entry.id)
        message = parse(raw, charset=entry.charset or None, default=means.charset)
        mapped = to_fhir(message, means.site)
        linked = await link(means.ehr, mapped)
        at = mapped.at or datetime.fromisoformat(entry.received_at)
        now = means.clock()
        await means.context.put(about(linked, mapped.leading), at, now)
        await means.context.put(about(linked, mapped.mentioned), at, now, only_new=True)
        occurrence = await self._occurrence(entry, message.kind, mapped, linked)
        for event in events_of(means.apps(), occurrence):
            await means.submit(event)

    async def _occurrence(self, entry: Entry, kind: str, mapped: Mapped, linked: "Linked") -> Occurrence:
        user = await self._reviewer(mapped)
        person = None if user is None else self._means.person(user)
        return Occurrence(
            id=f"hl7v2:{entry.name}",
            kind="hl7v2",
            on=kind,
            at=datetime.fromisoformat(entry.received_at),
            patient=linked.now(mapped.patient),
            encounter=linked.now(mapped.encounter),
            focus=linked.now(mapped.focus),
            unit=linked.now(mapped.unit),
            site=None if person is None else person.site,
            user=user,
            source=f"hl7v2:{entry.sender}",
        )

    async def _reviewer(self, mapped: Mapped) -> str | None:
        """Who is responsible (PV1-7): whom the EHR knows by the number; else, for numbers of the authority that the
        site declared, who has it on the staff list. Another authority's 1234 is another person."""
        if mapped.attending is None:
            return None
        system, value = mapped.attending
        if is_known(system):
            found = await self._means.ehr.search("Practitioner", {"identifier": f"{system}|{value}"}, 2)
            if found:
                return f"Practitioner/{found[0]['id']}" if len(found) == 1 else None
        listed = f"Practitioner/{value}"
        return listed if self._means.site.is_staff(system) and self._means.person(listed) is not None else None

    async def _purge(self) -> None:
        means, now = self._means, self._means.clock()
        if self._purged is None or now - self._purged > PURGE_EVERY:
            self._purged = now
            await asyncio.to_thread(means.inbox.purge, now - means.keep)
            await asyncio.to_thread(means.context.purge, now - means.keep)


@dataclass(frozen=True, slots=True)
class Linked:
    """Which resources of a message the EHR has itself: our reference to the EHR's."""

    known: Mapping[str, str]

    def now(self, target: str | None) -> str | None:
        """A reference as it is to be used."""
        return self.known.get(target, target) if target is not None else None

    def rewritten(self, value: object) -> object:
        """A resource, or a part of it, whose references lead to the EHR's resources."""
        if isinstance(value, dict):
            return {name: self._reference(name, one) for name, one in value.items()}
        if isinstance(value, list):
            return [self.rewritten(one) for one in value]
        return value

    def _reference(self, name: str, value: object) -> object:
        if name == "reference" and isinstance(value, str):
            return self.known.get(value, value)
        return self.rewritten(value)


async def link(ehr: FhirReader, mapped: Mapped) -> Linked:
    """Find which resources of a message the EHR has under the same identifier, in a system that it can know.

    Raises:
        InputError: several there have it, or the patient there was born on another day: nothing is linked by a guess.
        UpstreamError: the EHR did not answer.
    """
    asked = [one for one in (*mapped.leading, *mapped.mentioned) if one["resourceType"] in _LINKED]
    found = await asyncio.gather(*(_counterpart(ehr, one) for one in asked))
    pairs = zip(asked, found, strict=True)
    return Linked({_name(ours): _name(theirs) for ours, theirs in pairs if theirs is not None})


async def _counterpart(ehr: FhirReader, ours: JSON) -> JSON | None:
    kind = ours["resourceType"]
    for one in ours.get("identifier", []):
        if not is_known(one.get("system", "urn:careplane:hl7v2:")):
            continue
        found = await ehr.search(kind, {"identifier": f"{one['system']}|{one['value']}"}, 2)
        if len(found) > 1:
            raise InputError(
                f"the EHR has several resources of type {kind} with the number of this message", field=kind
            )
        if found:
            _check_same(ours, found[0])
            return found[0]
    return None


def _check_same(ours: JSON, theirs: JSON) -> None:
    born = (ours.get("birthDate"), theirs.get("birthDate"))
    if ours["resourceType"] == "Patient" and all(born) and born[0] != born[1]:
        told = "the EHR's patient with this number was born on another day; nothing was put into their chart"
        raise MessageError(told, 204, segment="PID", number=7)


def about(linked: Linked, resources: Iterable[JSON]) -> list[tuple[JSON, str]]:
    """The resources that the EHR does not have, each with its patient."""
    found = []
    for one in resources:
        if _name(one) not in linked.known:
            whole = linked.rewritten(one)
            assert isinstance(whole, dict)  # noqa: S101 - a resource stays one
            found.append((whole, patient_of(whole) or ""))
    return found


def _name(resource: JSON) -> str:
    return f"{resource['resourceType']}/{resource['id']}"
