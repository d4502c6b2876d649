"""What messages of HL7 v2 said, put beside the EHR's own resources, so that the runs of apps read both as one chart.

Resources of messages have ids of their own kind (``v2-…``), which no EHR has, so neither can hide the other's. Writing
goes to the EHR.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from careplane.codecs.fhir import reference
from careplane.codecs.fhir.search import Query, parse_query, refers_to_any, split_chain
from careplane.codecs.hl7v2.fhir import PREFIX
from careplane.connectors import FhirConnector
from careplane.errors import InputError
from careplane.records import JSON
from careplane.settings import Settings
from careplane.store.hl7v2_context import Hl7v2Context
from careplane.store.hl7v2_inbox import FILE, Hl7v2Inbox, open_inbox

_ABOUT = ("_id", "patient", "subject", "encounter", "location")


class LayeredFhir:
    """A :class:`careplane.connectors.FhirConnector`: the EHR, and the resources of messages over it.

    What a connector of an EHR can do beyond that type (bundles) is passed through.
    """

    def __init__(self, ehr: FhirConnector, context: Hl7v2Context) -> None:
        self.ehr = ehr
        self.context = context

    def __getattr__(self, name: str) -> Any:
        return getattr(self.ehr, name)

    async def read(self, reference: str) -> JSON | None:
        """The resource at ``Type/id``, of a message or of the EHR."""
        kind, _, rest = reference.partition("/")
        ident = rest.partition("/_history")[0]
        if ident.startswith(PREFIX):
            return await asyncio.to_thread(self.context.read, kind, ident)
        return await self.ehr.read(reference)

    async def search(self, resource: str, query: Mapping[str, str], limit: int = 100) -> Sequence[JSON]:
        """Matches of both. The EHR is not asked about what only messages know.

        Raises:
            InputError: a parameter that resources of messages cannot be searched by, in a question about them.
        """
        ours = _is_ours(query)
        try:
            found = await asyncio.to_thread(self._found, resource, query)
        except InputError:
            if ours:
                raise
            return await self.ehr.search(resource, query, limit)
        if ours:
            return found[:limit]
        theirs = await self.ehr.search(resource, query, limit)
        if not found:
            return theirs
        merged = list({reference(one): one for one in (*found, *theirs)}.values())
        return _parsed(resource, query).arrange(merged)[:limit]

    async def create(self, resource: JSON, if_none_exist: str | None = None) -> str:
        """Create at the EHR."""
        return await self.ehr.create(resource, if_none_exist)

    async def update(self, resource: JSON, if_match: str | None = None) -> str:
        """Update at the EHR."""
        return await self.ehr.update(resource, if_match)

    async def aclose(self) -> None:
        """Give the EHR's connections back."""
        await self.ehr.aclose()

    def _found(self, kind: str, query: Mapping[str, str]) -> list[JSON]:
        own, chained = split_chain(query)
        parsed = parse_query(kind, own)
        if chained:
            stays = self._matching("Encounter", parse_query("Encounter", chained))
            parsed = replace(parsed, tests=(*parsed.tests, refers_to_any(stays)))
        return parsed.arrange(self._matching(kind, parsed))[: parsed.count]

    def _matching(self, kind: str, query: Query) -> list[JSON]:
        if query.ident is not None:
            one = self.context.read(kind, query.ident)
            held = [one] if one else []
        else:
            held = self.context.of_kind(kind, f"Patient/{query.patient}" if query.patient else None)
        return [one for one in held if query.matches(one)]


def _parsed(kind: str, query: Mapping[str, str]) -> Query:
    return parse_query(kind, split_chain(query)[0])


def _is_ours(query: Mapping[str, str]) -> bool:
    """Whether a search names a resource of a message, which the EHR cannot know."""
    named = [query[name] for name in query if name.rpartition(".")[2].partition(":")[0] in _ABOUT]
    return any(value.rpartition("/")[2].startswith(PREFIX) for value in named)


def messages_of(settings: Settings) -> Hl7v2Inbox | None:
    """The inbox of an installation that listens for messages, or has; ``None`` where none ever came."""
    if settings.number("mllp_port") or (settings.home / FILE).exists():
        return open_inbox(settings.home)
    return None


def layered(ehr: FhirConnector, inbox: Hl7v2Inbox | None) -> FhirConnector:
    """The EHR with the resources of messages over it, where there are any."""
    return ehr if inbox is None else LayeredFhir(ehr, Hl7v2Context(inbox))
