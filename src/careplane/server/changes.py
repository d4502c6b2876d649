"""From a changed resource of the EHR to occurrences, and from those to events that are durable."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import datetime

from careplane.codecs.fhir import patient_of, reference, references, short_reference
from careplane.connectors import FhirReader
from careplane.errors import UpstreamError
from careplane.records import JSON
from careplane.records.people import Person
from careplane.records.run import Occurrence
from careplane.server.platform import Platform
from careplane.store import fetch
from careplane.store.tables import people
from careplane.workflow.durable import Durable
from careplane.workflow.subscriptions import Subscribed, instant
from careplane.workflow.triggers import events_of

FirstVersion = Callable[[str], Awaitable[JSON | None]]

PAGE = 200
MAX_RECOVERED = 20_000


class Changes:
    """Turns what a Subscription tells into events, durably. ``first_version`` gives a resource as it was created."""

    def __init__(self, platform: Platform, durable: Durable, first_version: FirstVersion) -> None:
        self._platform = platform
        self._durable = durable
        self._first_version = first_version

    async def take(self, subscribed: Subscribed, target: str, resource: JSON | None, number: int | None) -> str | None:
        """Take one change; durable when this returns. Gives when it happened, by the EHR's clock.

        Args:
            subscribed: whose notification it came with.
            target: ``Type/id``.
            resource: what came along; read from the EHR when it is ``None``.
            number: of the event, where it has one.

        Raises:
            UpstreamError: the EHR cannot be read now; nothing was taken.
        """
        held = resource or await self._platform.fhir.read(target)
        if held is None:
            await self._submit(self._deleted(subscribed, target, number))
            return None
        at = instant((held.get("meta") or {}).get("lastUpdated"))
        for occurrence in await self._occurrences(subscribed, held):
            await self._submit(occurrence)
        return at

    async def recover(self, subscribed: Subscribed) -> str | None:
        """Take everything of the type that changed since the last time; gives the time of the last change.

        Raises:
            UpstreamError: the EHR cannot be searched now, or more changed than can be made up for.
        """
        if not subscribed.since:  # it was made a moment ago, and where it begins is not known yet
            raise UpstreamError(f"GET {subscribed.type}: the Subscription is still being made.")
        since, limit = subscribed.since, PAGE
        while True:
            changed = await changed_since(self._platform.fhir, subscribed.type, since, limit)
            for resource in changed:
                await self.take(subscribed, reference(resource), resource, None)
            last = max((at for at in map(_at, changed) if at), default=since)
            if len(changed) < limit:
                return last
            if limit > MAX_RECOVERED:
                raise UpstreamError(f"GET {subscribed.type}: too many resources changed at one moment.")
            since, limit = last, (limit * 4 if last == since else limit)

    async def _submit(self, occurrence: Occurrence) -> None:
        for event in events_of(self._platform.apps.values(), occurrence):
            await self._durable.submit(event)

    async def _occurrences(self, subscribed: Subscribed, resource: JSON) -> list[Occurrence]:
        """What happened to a resource: created, or updated to the version that it has; or both, when it was created
        since the Subscription began and changed again before it was read."""
        kind, target = resource["resourceType"], reference(resource)
        version = str((resource.get("meta") or {}).get("versionId") or "")
        made = self._occurrence(subscribed, f"{target}/created", f"{kind}.created", resource)
        if version in ("", "1"):
            return [made]
        changed = self._occurrence(subscribed, f"{target}/_history/{version}", f"{kind}.updated", resource)
        first = await self._first_version(target)
        begun = _at(first) if first else None
        return [made, changed] if begun is not None and begun >= subscribed.begun else [changed]

    def _occurrence(self, subscribed: Subscribed, ident: str, on: str, resource: JSON) -> Occurrence:
        person = self._person(resource)
        unit = _first(resource, "Location") or (person.unit if person else None)
        return Occurrence(
            id=ident,
            kind="subscription",
            on=on,
            at=self._when(resource),
            patient=patient_of(resource),
            encounter=_first(resource, "Encounter"),
            focus=reference(resource),
            unit=unit,
            site=person.site if person else None,
            user=person.id if person else _first(resource, "Practitioner"),
            source=f"subscription {subscribed.id}",
        )

    def _deleted(self, subscribed: Subscribed, target: str, number: int | None) -> Occurrence:
        kind = target.partition("/")[0]
        return Occurrence(
            id=f"{target}/deleted" if number is None else f"{target}/deleted/{subscribed.id}/{number}",
            kind="subscription",
            on=f"{kind}.deleted",
            at=self._platform.clock(),
            focus=target,
            source=f"subscription {subscribed.id}",
        )

    def _person(self, resource: JSON) -> Person | None:
        """The first person of the staff whom the resource names: who will review."""
        with self._platform.store.read() as connection:
            for target in _targets(resource):
                if target.startswith("Practitioner/"):
                    found = fetch(connection, people, Person, people.c.id == target)
                    if found is not None:
                        return found
        return None

    def _when(self, resource: JSON) -> datetime:
        at = _at(resource)
        return datetime.fromisoformat(at) if at else self._platform.clock()


async def changed_since(fhir: FhirReader, kind: str, since: str, limit: int = PAGE) -> Sequence[JSON]:
    """The first resources of a type that changed at a time or later, oldest first."""
    query = {"_lastUpdated": f"ge{since}", "_sort": "_lastUpdated"}
    found = await fhir.search(kind, query, limit)
    return [one for one in found if (_at(one) or since) >= since]


def _at(resource: JSON) -> str | None:
    return instant((resource.get("meta") or {}).get("lastUpdated"))


def _first(resource: JSON, kind: str) -> str | None:
    """The first reference to a resource of a type."""
    if resource["resourceType"] == kind:
        return reference(resource)
    return next((target for target in _targets(resource) if target.startswith(f"{kind}/")), None)


def _targets(resource: JSON) -> Iterator[str]:
    """What a resource refers to, as ``Type/id``."""
    return (short for short in map(short_reference, references(resource)) if short)
