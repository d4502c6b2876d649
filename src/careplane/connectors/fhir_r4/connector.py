"""Read, search, create, update and bundles over FHIR's REST API (hl7.org/fhir/R4/http.html)."""

from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

import httpx

from careplane.codecs.fhir import RESOURCE_TYPES, parse_reference, reference
from careplane.connectors._bundles import bundle_of, check_heeded, link, matches, resource_of
from careplane.connectors._endpoint import GONE, Endpoint
from careplane.connectors._retry import Answer
from careplane.errors import InputError, UpstreamError
from careplane.records import JSON

_PAGE = 100
_MAX_PAGES = 1000


class R4Connector:
    """A :class:`careplane.connectors.FhirConnector` and :class:`~careplane.connectors.FhirBundles` on one endpoint."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    def __repr__(self) -> str:
        return f"R4Connector({self._endpoint!r})"

    async def read(self, reference: str) -> JSON | None:
        """The resource at ``Type/id``; ``None`` when it does not exist or was deleted. ``meta.versionId`` is there when
        the EHR tells the version in any way.

        Raises:
            UpstreamError: also when the EHR answers another resource than the one that was asked for.
        """
        kind, ident = _parts(reference)
        answer = await self._endpoint.send("GET", kind, f"{kind}/{ident}", accepted=GONE)
        if answer.status in GONE:
            return None
        resource = await resource_of(answer, kind)
        if resource.get("id") != ident:
            raise UpstreamError(f"GET {kind}: the EHR answered another resource than the one that was asked for.")
        return _with_version(resource, answer)

    async def search(self, resource: str, query: Mapping[str, str], limit: int = 100) -> Sequence[JSON]:
        """Matches of a search, pages followed up to ``limit``; included resources and outcomes are left out.

        Raises:
            UpstreamError: the EHR does not say that it heeded every parameter, or its pages go round in a circle.
        """
        _check_name(resource)
        parameters = {"_count": str(min(limit, _PAGE)), **query}
        url: str | None = f"{resource}?{urlencode(parameters)}"
        found: list[JSON] = []
        seen: set[str] = set()
        while url is not None and len(found) < limit:
            if url in seen or len(seen) >= _MAX_PAGES:
                raise UpstreamError(f"GET {resource}: the pages of the answer do not come to an end.")
            answer = await self._endpoint.send("GET", resource, url, accepted=GONE)
            bundle = {"entry": []} if answer.status in GONE else await bundle_of(answer, resource)
            if not seen and answer.status not in GONE:
                check_heeded(bundle, resource, query)
            seen.add(url)
            found += matches(bundle, resource)
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
        answer = await self._endpoint.send("POST", kind, kind, resource, headers, repeatable=bool(if_none_exist))
        return await _place(answer, kind)

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
        await self._endpoint.send("PUT", kind, f"{kind}/{ident}", resource, headers)
        return target

    async def update_where(self, resource: JSON, query: str) -> str:
        """Put a resource where the one that a search finds is, or create it; returns ``Type/id``.

        Raises:
            Conflict: several resources match.
        """
        kind = str(resource.get("resourceType"))
        _check_name(kind)
        return await _place(await self._endpoint.send("PUT", kind, f"{kind}?{query}", resource), kind)

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
        return await bundle_of(await self._endpoint.send("POST", "Bundle", "", bundle, repeatable=repeatable), "Bundle")

    async def aclose(self) -> None:
        """Close the connections of the running event loop."""
        await self._endpoint.aclose()

    def _next(self, bundle: JSON, kind: str) -> str | None:
        given = link(bundle, "next")
        if given is None:
            return None
        try:
            target = str(httpx.URL(f"{self._endpoint.base_url}/").join(given))
        except httpx.InvalidURL as error:
            raise UpstreamError(f"GET {kind}: the link to the next page is no URL.") from error
        if not self._endpoint.same_origin(target):
            raise UpstreamError(f"GET {kind}: the next page of the answer is on another host; it was not fetched.")
        return target


def _with_version(resource: JSON, answer: Answer) -> JSON:
    """The resource with the version of the ETag, where the body does not carry one."""
    version = answer.header("etag").removeprefix("W/").strip('"')
    meta = resource.get("meta") or {}
    return resource if not version or meta.get("versionId") else {**resource, "meta": {**meta, "versionId": version}}


async def _place(answer: Answer, kind: str) -> str:
    """``Type/id`` from the Location header, else from the body."""
    try:
        path = httpx.URL(answer.header("location")).path.split("/_history/")[0]
    except httpx.InvalidURL:
        path = ""
    steps = path.rstrip("/").split("/")
    if len(steps) >= 2 and steps[-2] == kind and parse_reference(f"{kind}/{steps[-1]}"):
        return f"{kind}/{steps[-1]}"
    if answer.content:
        ident = (await resource_of(answer, kind)).get("id")
        if ident is not None:
            return f"{kind}/{ident}"
    raise UpstreamError(f"{kind}: the EHR did not say where it put the resource.")


def _parts(target: str) -> tuple[str, str]:
    found = parse_reference(target)
    if found is None:
        raise InputError("a reference must look like Type/id", field=target.partition("/")[0][:64])
    _check_name(found[0])
    return found


def _check_name(kind: str) -> None:
    if kind not in RESOURCE_TYPES:
        raise InputError("is not a FHIR R4 resource type", field=kind)
