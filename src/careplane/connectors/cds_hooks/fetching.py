"""Fetching what a call lacks from the EHR's FHIR server, with the token that came with the call."""

import asyncio
from collections.abc import Mapping
from urllib.parse import parse_qsl, quote, urlencode, urlsplit
from weakref import WeakKeyDictionary

import httpx
import orjson

from careplane.codecs.cdshooks import FhirAuthorization, HookCall, Query
from careplane.codecs.cdshooks.prefetch import Prefetched, read_prefetched
from careplane.codecs.smart.scopes import Level, ResourceScope, Scopes, read_scopes
from careplane.connectors import FhirReader
from careplane.connectors.cds_hooks.data import HookData
from careplane.errors import InputError, UpstreamError, UpstreamTimeout
from careplane.records import JSON

MAX_BYTES = 16 * 1024 * 1024
MOST_PAGES = 100
_PAGE = 100
_GONE = (404, 410)


class HookConnector:
    """Opens the data of calls; connections are kept and reused, each event loop has its own."""

    def __init__(self, base_url: str, timeout: float) -> None:
        self.base_url = base_url
        self._timeout = timeout
        self._clients: WeakKeyDictionary[asyncio.AbstractEventLoop, httpx.AsyncClient] = WeakKeyDictionary()

    def data(self, call: HookCall, templates: Mapping[str, str], own: FhirReader | None = None) -> HookData:
        """The data of a call whose service asked for these templates.

        Args:
            call: as it was read.
            templates: by prefetch key; what came under any other key is not looked at.
            own: this installation's own way to the same EHR, if it may be used for what the call lacks.

        Raises:
            InputError: what came is not what was asked for, is of another patient, or the call names another FHIR
                server than the one that is known for this EHR.
        """
        token = call.fhir_authorization
        if token is None or call.fhir_server is None:
            return HookData(call, templates, None, own)
        if call.fhir_server.rstrip("/") != self.base_url:
            raise InputError("is not the FHIR server that is known for this EHR", field="fhirServer")
        return HookData(call, templates, Fetcher(self._client(), self.base_url, token, call.patient), own)

    async def aclose(self) -> None:
        """Close the connections of the running event loop."""
        client = self._clients.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client.aclose()

    def _client(self) -> httpx.AsyncClient:
        loop = asyncio.get_running_loop()
        if loop not in self._clients:
            self._clients[loop] = httpx.AsyncClient(timeout=self._timeout, headers={"Accept": "application/fhir+json"})
        return self._clients[loop]


class Fetcher:
    """Reads and searches as the token of one call allows. Errors name a type and a status, never an id or a query."""

    def __init__(self, client: httpx.AsyncClient, base: str, token: FhirAuthorization, patient: str | None) -> None:
        self._client = client
        self._base = base
        self._header = {"Authorization": f"Bearer {token.access_token}"}
        self._patient = patient
        self._scopes = _scopes(token.scope)

    def allows(self, query: Query) -> bool:
        """Whether the scopes of the token reach a query: a read needs ``r``, a search ``s``; v1 ``.read`` is both."""
        letter = "s" if query.ident is None else "r"
        levels: tuple[Level, ...] = ("patient", "user", "system")
        return any(
            self._scopes.allows(
                ResourceScope(level=level, type=query.resource, interactions=letter, params=query.params)
            )
            for level in levels
        )

    async def fetch(self, query: Query, limit: int) -> tuple[JSON, ...]:
        """The resources of a query, pages followed up to ``limit``.

        Raises:
            UpstreamError: the server did not give them; or gave another type or another patient's data.
        """
        if query.ident is not None:
            found = await self._page(f"{self._base}/{query.resource}/{quote(query.ident, safe='')}", query)
            return found.resources
        params = urlencode((*query.params, ("_count", str(min(limit, _PAGE)))))
        return await self.follow(f"{self._base}/{query.resource}?{params}", query, limit)

    async def follow(self, url: str, query: Query, limit: int, have: tuple[JSON, ...] = ()) -> tuple[JSON, ...]:
        """The pages from ``url`` on, after what is there already."""
        found, following, seen = list(have), url, set[str]()
        while following and len(found) < limit:
            if following in seen or len(seen) >= MOST_PAGES:
                raise UpstreamError(f"GET {query.resource}: the pages of the answer lead in a circle, or never end.")
            seen.add(following)
            page = await self._page(following, query, first=len(seen) == 1 and not have)
            found += page.resources
            following = self._checked(page.next, query) if page.next else ""
        return tuple(found[:limit])

    def _checked(self, url: str, query: Query) -> str:
        target = httpx.URL(f"{self._base}/").join(url)
        base = httpx.URL(self._base)
        if (target.scheme, target.host, target.port) != (base.scheme, base.host, base.port):
            raise UpstreamError(f"GET {query.resource}: the next page is on another host; it was not fetched.")
        return str(target)

    async def _page(self, url: str, query: Query, *, first: bool = False) -> Prefetched:
        given = await self._get(self._checked(url, query), query)
        if given is None:
            return Prefetched()
        if first and given.get("resourceType") == "Bundle":
            _check_heeded(given, query)
        try:
            found = read_prefetched(given, query, self._patient, "answer")
        except InputError as error:
            raise UpstreamError(f"GET {query.resource}: the answer {error.message}.") from error
        if found.failed:
            raise UpstreamError(f"GET {query.resource}: the EHR answered with an error.")
        return found

    async def _get(self, url: str, query: Query) -> JSON | None:
        what, body = f"GET {query.resource}", bytearray()
        try:
            async with self._client.stream("GET", url, headers=self._header) as response:
                if response.status_code in _GONE:
                    return None
                if response.status_code != 200:
                    raise UpstreamError(f"{what}: the EHR answered HTTP {response.status_code}.")
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > MAX_BYTES:
                        raise UpstreamError(f"{what}: the answer is longer than {MAX_BYTES} bytes.")
        except httpx.TimeoutException as error:
            raise UpstreamTimeout(f"{what}: the EHR did not answer in time.") from error
        except httpx.HTTPError as error:
            raise UpstreamError(f"{what}: the EHR could not be reached.") from error
        return _object(bytes(body), what)


def _object(body: bytes, what: str) -> JSON:
    try:
        given = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise UpstreamError(f"{what}: the EHR answered something that is not JSON.") from error
    if not isinstance(given, dict):
        raise UpstreamError(f"{what}: the EHR answered JSON that is not an object.")
    return given


def _check_heeded(bundle: JSON, query: Query) -> None:
    """The self link names the parameters that the server used (hl7.org/fhir/R4/search.html#conformance): a search that
    was not heeded would give more than an app may read."""
    links = bundle.get("link")
    named = [link for link in links if isinstance(link, dict)] if isinstance(links, list) else []
    used = next((str(link.get("url", "")) for link in named if link.get("relation") == "self"), "")
    names = {name.partition(":")[0] for name, _ in parse_qsl(urlsplit(used).query, keep_blank_values=True)}
    asked = [name.partition(":")[0] for name, _ in query.params if name == "_id" or not name.startswith("_")]
    if missing := [name for name in asked if name not in names]:
        raise UpstreamError(f"GET {query.resource}: the EHR did not heed the search parameter {missing[0]}.")


def _scopes(text: str) -> Scopes:
    """The scopes of a token; one that cannot be read opens nothing."""
    try:
        return read_scopes(text)
    except InputError:
        return Scopes()
