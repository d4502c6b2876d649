"""Read, search, create and update over FHIR's REST API (hl7.org/fhir/R4/http.html)."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from urllib.parse import parse_qsl, urlencode
from weakref import WeakKeyDictionary

import httpx
import orjson

from careplane.codecs.fhir import RESOURCE_TYPES, reference
from careplane.connectors.fhir_r4.retry import send_with_retry
from careplane.errors import Conflict, InputError, Refused, UpstreamAway, UpstreamError
from careplane.records import JSON

_PAGE = 100
_GONE = (404, 410)
_MAX_PAGES = 1000


class R4Connector:
    """A :class:`careplane.connectors.FhirConnector` on one endpoint; connections are kept and reused.

    A connection belongs to one event loop, and durable runs have a loop of their own, so each loop gets its own client.

    Errors name the method, the type and the status, never ids, queries or bodies: those may identify a patient.
    """

    def __init__(
        self, open_client: Callable[[], httpx.AsyncClient], sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        """``open_client`` makes a client with the base URL and the headers; ``sleep`` waits between attempts."""
        self._open_client = open_client
        self._clients: WeakKeyDictionary[asyncio.AbstractEventLoop, httpx.AsyncClient] = WeakKeyDictionary()
        self._sleep = sleep

    @property
    def _client(self) -> httpx.AsyncClient:
        """The client of the running event loop."""
        loop = asyncio.get_running_loop()
        if loop not in self._clients:
            self._clients[loop] = self._open_client()
        return self._clients[loop]

    async def read(self, reference: str) -> JSON | None:
        """The resource at ``Type/id``; ``None`` when it does not exist or was deleted."""
        kind, ident = _parts(reference)
        response = await self._send("GET", kind, f"{kind}/{ident}")
        return None if response.status_code in _GONE else _with_version(_body(response, kind), response)

    async def search(self, resource: str, query: Mapping[str, str], limit: int = 100) -> Sequence[JSON]:
        """Matches of a search, pages followed up to ``limit``; included resources and outcomes are left out.

        Raises:
            UpstreamError: the EHR does not say that it heeded every parameter. Many ignore one that they do not know,
                and then answer with the resources of every patient and ward.
        """
        _check_name(resource)
        parameters = {"_count": str(min(limit, _PAGE)), **query}
        url: str | None = f"{resource}?{urlencode(parameters)}"
        found: list[JSON] = []
        for page in range(_MAX_PAGES):
            if url is None or len(found) >= limit:
                break
            response = await self._send("GET", resource, url)
            bundle = {} if response.status_code in _GONE else _body(response, resource)
            if page == 0 and bundle:
                _check_heeded(bundle, resource, query)
            found += _matches(bundle, resource)
            url = self._next(bundle, resource)
        return found[:limit]

    async def create(self, resource: JSON, if_none_exist: str | None = None) -> str:
        """Create a resource and return ``Type/id``.

        With ``if_none_exist`` (a search such as ``identifier=system|value``) a repeat returns the one that exists, and
        a lost answer is asked for again; without it an attempt whose fate is unknown is not repeated.

        Raises:
            Conflict: several resources match ``if_none_exist``.
        """
        kind = str(resource.get("resourceType"))
        _check_name(kind)
        headers = {"If-None-Exist": if_none_exist} if if_none_exist else {}
        response = await self._send("POST", kind, kind, resource, headers, repeatable=bool(if_none_exist))
        return _created(response, kind)

    async def update(self, resource: JSON, if_match: str | None = None) -> str:
        """Put a resource at its own ``Type/id`` and return that reference.

        Args:
            resource: the whole resource.
            if_match: the ``meta.versionId`` that the change was made on (hl7.org/fhir/R4/http.html#concurrency).

        Raises:
            Conflict: the server holds another version; nothing was overwritten.
        """
        target = reference(resource)
        kind, ident = _parts(target)
        headers = {} if if_match is None else {"If-Match": f'W/"{if_match}"'}
        await self._send("PUT", kind, f"{kind}/{ident}", resource, headers)
        return target

    async def update_where(self, resource: JSON, query: str) -> str:
        """Put a resource where the one that a search finds is, or create it; returns ``Type/id``.

        Raises:
            Conflict: several resources match.
        """
        kind = str(resource.get("resourceType"))
        _check_name(kind)
        return _created(await self._send("PUT", kind, f"{kind}?{query}", resource), kind)

    async def transact(self, bundle: JSON) -> JSON:
        """Send a ``transaction`` or ``batch`` bundle and give the answer's bundle.

        An answer that is lost is asked for again only when every entry is harmless to repeat.

        Raises:
            InputError: it is no such bundle.
            Conflict: an entry of a transaction met another version, or several matches; nothing of it was done.
        """
        if bundle.get("resourceType") != "Bundle" or bundle.get("type") not in ("transaction", "batch"):
            raise InputError("must be a Bundle of type transaction or batch", field="bundle")
        requests = [entry.get("request") or {} for entry in bundle.get("entry") or []]
        repeatable = all(one.get("method") != "POST" or one.get("ifNoneExist") for one in requests)
        response = await self._send("POST", "Bundle", self._root(), bundle, repeatable=repeatable)
        return _body(response, "Bundle")

    async def aclose(self) -> None:
        """Close the connections of the running event loop."""
        client = self._clients.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client.aclose()

    async def _send(
        self,
        method: str,
        kind: str,
        url: str,
        body: JSON | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        repeatable: bool = True,
    ) -> httpx.Response:
        content = None if body is None else orjson.dumps(body)
        request = self._client.build_request(method, url, content=content, headers=dict(headers or {}))
        what = f"{method} {kind}"
        response = await send_with_retry(self._client, request, what, self._sleep, repeatable=repeatable)
        _raise_for(response, method, what)
        return response

    def _root(self) -> str:
        """The endpoint itself, without the slash that the client puts after it."""
        return str(self._client.base_url).rstrip("/")

    def _next(self, bundle: JSON, kind: str) -> str | None:
        links = bundle.get("link") or []
        url = next((link.get("url") for link in links if link.get("relation") == "next"), None)
        if url is None:
            return None
        target = self._client.base_url.join(url)
        if _origin(target) != _origin(self._client.base_url):
            raise UpstreamError(f"GET {kind}: the next page of the answer is on another host; it was not fetched.")
        return str(target)


def _check_heeded(bundle: JSON, kind: str, query: Mapping[str, str]) -> None:
    """Compare with the self link, which names the parameters used (hl7.org/fhir/R4/search.html#conformance).

    Only those that choose resources count: an order or a page size that is not kept leaks nothing.
    """
    links = bundle.get("link") or []
    url = next((link.get("url") for link in links if link.get("relation") == "self"), "")
    used = {name.partition(":")[0] for name, _ in parse_qsl(httpx.URL(url).query.decode(), keep_blank_values=True)}
    asked = {name.partition(":")[0] for name in query if name == "_id" or not name.startswith("_")}
    if unheeded := sorted(asked - used):
        raise UpstreamError(f"GET {kind}: the EHR did not heed the search parameter {', '.join(unheeded)}.")


def _raise_for(response: httpx.Response, method: str, what: str) -> None:
    status = response.status_code
    if status < 300 or (method == "GET" and status in _GONE):
        return
    if status == 412:
        raise Conflict(f"{what}: the EHR holds another version or several matches (HTTP 412). Read it again.")
    if status == 409:
        raise Conflict(f"{what}: the EHR says that this conflicts with what it holds (HTTP 409). Read it again.")
    if status in (401, 403):
        raise Refused([f"{what}: the EHR refused (HTTP {status})."], "Check the token and its scopes.")
    told = f"{what}: the EHR answered HTTP {status}{_issue(response)}."
    raise UpstreamAway(told, "ehr") if status == 429 or status >= 500 else UpstreamError(told)


def _issue(response: httpx.Response) -> str:
    """The code of the first issue of an OperationOutcome; its text is left out, as it may name a patient."""
    try:
        issue = orjson.loads(response.content)["issue"][0]["code"]
    except (orjson.JSONDecodeError, KeyError, IndexError, TypeError):
        return ""
    return f" ({issue})" if isinstance(issue, str) and issue.isascii() and len(issue) < 30 else ""


def _body(response: httpx.Response, kind: str) -> JSON:
    try:
        body = orjson.loads(response.content)
    except orjson.JSONDecodeError as error:
        raise UpstreamError(f"GET {kind}: the EHR answered something that is not JSON.") from error
    if not isinstance(body, dict):
        raise UpstreamError(f"GET {kind}: the EHR answered JSON that is not an object.")
    return body


def _with_version(resource: JSON, response: httpx.Response) -> JSON:
    """The resource with the version of the ETag, where the body does not carry one."""
    version = response.headers.get("ETag", "").removeprefix("W/").strip('"')
    meta = resource.get("meta") or {}
    return resource if not version or meta.get("versionId") else {**resource, "meta": {**meta, "versionId": version}}


def _matches(bundle: JSON, kind: str) -> list[JSON]:
    entries = [entry for entry in bundle.get("entry") or [] if isinstance(entry, dict)]
    wanted = (entry for entry in entries if (entry.get("search") or {}).get("mode", "match") == "match")
    resources = (entry.get("resource") for entry in wanted)
    return [item for item in resources if isinstance(item, dict) and item.get("resourceType") == kind]


def _created(response: httpx.Response, kind: str) -> str:
    """``Type/id`` from the Location header, else from the body."""
    path = httpx.URL(response.headers.get("Location", "")).path.split("/_history/")[0]
    steps = path.rstrip("/").split("/")
    if len(steps) >= 2 and steps[-2] == kind:
        return f"{kind}/{steps[-1]}"
    if response.content:
        ident = _body(response, kind).get("id")
        if isinstance(ident, str):
            return f"{kind}/{ident}"
    raise UpstreamError(f"POST {kind}: the EHR did not say where it put the resource.")


def _parts(target: str) -> tuple[str, str]:
    kind, _, ident = target.partition("/")
    ident = ident.partition("/_history")[0]
    _check_name(kind)
    if not ident or "/" in ident or "?" in ident:
        raise InputError("a reference must look like Type/id", field=kind)
    return kind, ident


def _check_name(kind: str) -> None:
    if kind not in RESOURCE_TYPES:
        raise InputError("is not a FHIR R4 resource type", field=kind)


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port
