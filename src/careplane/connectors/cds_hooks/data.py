"""A :class:`careplane.connectors.FhirReader` over one hook call.

What is asked for is looked up in this order: what the EHR sent along, what the hook itself is about (draft orders are
in no chart yet), the EHR's FHIR server with the token of the call, this installation's own way to the EHR. What none of
them gives is an :class:`~careplane.errors.UpstreamLacks`, which a service answers with 412.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from careplane.codecs.cdshooks import HookCall, Prefetched, Query, fill, read_prefetched
from careplane.codecs.cdshooks.calls import primitives
from careplane.codecs.cdshooks.prefetch import check_resource
from careplane.codecs.cdshooks.templates import read_query, search_query
from careplane.connectors import FhirReader
from careplane.errors import InputError, UpstreamError, UpstreamLacks
from careplane.records import JSON


class _Fetches(Protocol):
    def allows(self, query: Query) -> bool: ...

    async def fetch(self, query: Query, limit: int) -> tuple[JSON, ...]: ...

    async def follow(self, url: str, query: Query, limit: int, have: tuple[JSON, ...] = ()) -> tuple[JSON, ...]: ...


class HookData:
    """What one call may be answered from. Each query is looked up once, however many apps ask."""

    def __init__(
        self, call: HookCall, templates: Mapping[str, str], fetcher: _Fetches | None, own: FhirReader | None
    ) -> None:
        self._user = call.user
        self._fetcher = fetcher
        self._own = own
        self._sent = _sent(call, templates)
        self._drafts = _drafts(call)
        self._asked: dict[tuple[Query, int], asyncio.Task[tuple[JSON, ...]]] = {}

    async def read(self, reference: str) -> JSON | None:
        """The resource at ``Type/id``, or ``None`` when there is none. Who the user is need not be told.

        Raises:
            UpstreamLacks: it was not sent and cannot be fetched.
        """
        kind, _, ident = reference.partition("/")
        try:
            found = await self.get(Query(resource=kind, ident=ident), 1)
        except UpstreamError:
            if reference != self._user:
                raise
            found = ()
        return found[0] if found else None

    async def search(self, resource: str, query: Mapping[str, str], limit: int = 100) -> Sequence[JSON]:
        """Resources that match, up to ``limit``.

        Raises:
            UpstreamLacks: they were not sent and cannot be fetched.
        """
        return await self.get(search_query(resource, query), limit)

    async def require(self, wanted: Iterable[tuple[Query, int]]) -> None:
        """Have all of these at hand, fetched side by side.

        Raises:
            UpstreamLacks: names the types that cannot be had.
        """
        asked = tuple(wanted)
        found = await asyncio.gather(*(self.get(query, limit) for query, limit in asked), return_exceptions=True)
        lacking = sorted(
            {query.resource for (query, _), one in zip(asked, found, strict=True) if isinstance(one, UpstreamError)}
        )
        if lacking:
            raise UpstreamLacks(
                f"These data were not sent along and could not be fetched: {', '.join(lacking)}. "
                "Honour the prefetch of the service, or send a token whose scopes allow to read them.",
                lacking,
            )
        for one in found:
            if isinstance(one, BaseException):
                raise one

    async def get(self, query: Query, limit: int) -> tuple[JSON, ...]:
        """The resources of a query."""
        key = (query, limit)
        if key not in self._asked:
            self._asked[key] = asyncio.ensure_future(self._look_up(query, limit))
        return await asyncio.shield(self._asked[key])

    async def aclose(self) -> None:
        """Stop what is still being fetched; connections belong to the connector."""
        for task in self._asked.values():
            task.cancel()

    async def _look_up(self, query: Query, limit: int) -> tuple[JSON, ...]:
        sent = self._sent.get(query)
        if sent is not None and not sent.failed:
            return await self._whole(sent, query, limit)
        if query in self._drafts:
            return (self._drafts[query],)
        return await self._fetched(query, limit)

    async def _whole(self, sent: Prefetched, query: Query, limit: int) -> tuple[JSON, ...]:
        """All that was sent, with the pages that follow the one that came."""
        if sent.next is None or len(sent.resources) >= limit:
            return sent.resources[:limit]
        if self._fetcher is None or not self._fetcher.allows(query):
            raise UpstreamLacks(f"Only the first page of {query.resource} was sent.", [query.resource])
        return await self._fetcher.follow(sent.next, query, limit, sent.resources)

    async def _fetched(self, query: Query, limit: int) -> tuple[JSON, ...]:
        if self._fetcher is not None and self._fetcher.allows(query):
            return await self._fetcher.fetch(query, limit)
        if self._own is None:
            raise UpstreamLacks(f"{query.resource} was not sent along and cannot be fetched.", [query.resource])
        if query.ident is not None:
            found = await self._own.read(f"{query.resource}/{query.ident}")
            return () if found is None else (found,)
        return tuple(await self._own.search(query.resource, dict(query.params), limit))


def _sent(call: HookCall, templates: Mapping[str, str]) -> dict[Query, Prefetched]:
    """What came along, by what it answers. A key whose template cannot be filled here answers nothing."""
    values, found = primitives(call.context), {}
    for key, template in templates.items():
        if call.prefetch is None or key not in call.prefetch:
            continue
        url = fill(template, values, call.user)
        if url is None:
            raise InputError("came with a hook whose context cannot ask for it", field=f"prefetch.{key}")
        query = read_query(url)
        found[query] = read_prefetched(call.prefetch[key], query, call.patient, f"prefetch.{key}")
    return found


def _drafts(call: HookCall) -> dict[Query, JSON]:
    """Resources that the hook carries, by the read that would find them.

    Raises:
        InputError: one is of another patient than the one in context.
    """
    found = {}
    for resource in call.drafts:
        kind, ident = str(resource["resourceType"]), resource.get("id")
        query = Query(resource=kind, ident=ident if isinstance(ident, str) else None)
        check_resource(resource, query, call.patient, "context")
        if isinstance(ident, str):
            found[query] = resource
    return found
