"""The one call that a portal needs of a FHIR endpoint: create a Communication unless it is there."""

import httpx
import orjson

from careplane.connectors._http import Http
from careplane.errors import Conflict, Refused, UpstreamError, UpstreamRejected, UpstreamTimeout
from careplane.records import JSON


class PortalEndpoint:
    """What :class:`careplane.connectors.portal.sender.PortalSender` writes to, over REST."""

    def __init__(self, http: Http) -> None:
        self._http = http

    async def create(self, resource: JSON, if_none_exist: str | None = None) -> str:
        """Create a resource; with ``if_none_exist`` a repeat is harmless and gives the first one's reference.

        Raises:
            UpstreamError: it failed; of its kinds UpstreamRejected will not change by asking again.
        """
        kind = str(resource["resourceType"])
        headers = {"If-None-Exist": if_none_exist} if if_none_exist else {}
        request = self._http.client.build_request("POST", kind, content=orjson.dumps(resource), headers=headers)
        try:
            response = await self._http.send(request, repeatable=bool(if_none_exist))
        except httpx.TimeoutException as error:
            raise UpstreamTimeout(f"POST {kind}: the portal did not answer in time.") from error
        except httpx.TransportError as error:
            raise UpstreamError(f"POST {kind}: no connection to the portal ({type(error).__name__}).") from error
        _check(response, kind)
        return _reference(response, kind)

    async def aclose(self) -> None:
        """Close the connections of the running event loop."""
        await self._http.aclose()


def _check(response: httpx.Response, kind: str) -> None:
    told = f"POST {kind}: the portal answered {response.status_code}."
    if response.status_code in (401, 403):
        raise Refused([told], "Check the token of the portal and what it may write.")
    if response.status_code in (409, 412):
        raise Conflict(told)
    if response.status_code in (400, 404, 405, 410, 413, 422):
        raise UpstreamRejected(told)
    if not response.is_success:
        raise UpstreamError(told)


def _reference(response: httpx.Response, kind: str) -> str:
    steps = httpx.URL(response.headers.get("Location", "")).path.split("/_history/")[0].rstrip("/").split("/")
    if len(steps) >= 2 and steps[-2] == kind:
        return f"{kind}/{steps[-1]}"
    try:
        body = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        body = None
    ident = body.get("id") if isinstance(body, dict) and body.get("resourceType") == kind else None
    if not isinstance(ident, str):
        raise UpstreamError(f"POST {kind}: the portal did not say where it put the message.")
    return f"{kind}/{ident}"
