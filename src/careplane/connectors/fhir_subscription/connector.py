"""The life of a Subscription at an EHR, and its operations ``$status`` and ``$events`` (Subscriptions R5 Backport)."""

from collections.abc import Sequence

import httpx

from careplane.codecs.fhir import parse_reference
from careplane.codecs.fhir_subscription import Notification, parse_notification
from careplane.connectors._bundles import bundle_of, link, resource_of
from careplane.connectors._endpoint import GONE, Endpoint
from careplane.errors import InputError, UpstreamError
from careplane.records import JSON

_LACKING = (*GONE, 400, 405, 422, 500, 501)
"""What servers answer to an operation that they do not have."""

_EVENT_PAGES = 100


class SubscriptionConnector:
    """Subscriptions on one endpoint."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    def __repr__(self) -> str:
        return f"SubscriptionConnector({self._endpoint!r})"

    @property
    def base_url(self) -> str:
        """The EHR's endpoint."""
        return self._endpoint.base_url

    async def subscribe(self, subscription: JSON) -> JSON:
        """Create a Subscription and give it back as the EHR holds it, with its id.

        An attempt whose fate is unknown is not repeated: a second Subscription would send everything twice, to a
        secret that we no longer know. What the EHR then holds too much is refused at our door.

        Raises:
            UpstreamError: the EHR did not say what it made.
        """
        answer = await self._endpoint.send("POST", "Subscription", "Subscription", subscription, repeatable=False)
        path = httpx.URL(answer.header("location")).path.partition("/_history")[0] if answer.header("location") else ""
        ident = path.rpartition("/")[2]
        if answer.content:
            ident = (await resource_of(answer, "Subscription")).get("id") or ident
        held = await self.held(f"Subscription/{ident}") if ident else None
        if held is None:
            raise UpstreamError("POST Subscription: the EHR did not say where it put the Subscription.")
        return held

    async def held(self, target: str) -> JSON | None:
        """A Subscription as the EHR holds it, its ``status`` among it; ``None`` when it is gone."""
        if parse_reference(target) is None:
            raise InputError("must look like Subscription/id", field="target")
        answer = await self._endpoint.send("GET", "Subscription", target, accepted=GONE)
        return None if answer.status in GONE else await resource_of(answer, "Subscription")

    async def status(self, target: str) -> Notification | None:
        """What ``$status`` says, with the number of events since the start; ``None`` where there is no ``$status``."""
        found = await self._operation(f"{target}/$status")
        return found[0] if found else None

    async def events(self, target: str, since: int, until: int) -> Sequence[Notification] | None:
        """The events of these numbers by ``$events``; ``None`` when the EHR has no ``$events``, or not all of them."""
        found = await self._operation(f"{target}/$events?eventsSinceNumber={since}&eventsUntilNumber={until}")
        told = {event.number for one in found or () for event in one.events}
        return found if set(range(since, until + 1)) <= told else None

    async def end(self, target: str) -> None:
        """Delete a Subscription; one that is gone is ended."""
        await self._endpoint.send("DELETE", "Subscription", target, accepted=GONE)

    async def first_version(self, target: str) -> JSON | None:
        """The resource as it was created; ``None`` where the EHR keeps no history under that name."""
        answer = await self._endpoint.send("GET", target.partition("/")[0], f"{target}/_history/1", accepted=_LACKING)
        return None if answer.status in _LACKING else await resource_of(answer, target.partition("/")[0])

    async def aclose(self) -> None:
        """Close the connections of the running event loop."""
        await self._endpoint.aclose()

    async def _operation(self, path: str) -> list[Notification] | None:
        """The notifications that an operation answers: a notification, or a search set of their status resources."""
        url: str | None = path
        found: list[Notification] = []
        for _ in range(_EVENT_PAGES):
            if url is None:
                break
            answer = await self._endpoint.send("GET", "Subscription", url, accepted=_LACKING)
            if answer.status in _LACKING:
                return None
            bundle = await bundle_of(answer, "Subscription")
            if not bundle["entry"]:
                return found
            try:
                found.append(parse_notification(bundle, self.base_url))
            except InputError as error:
                raise UpstreamError(f"GET Subscription: the answer is no notification ({error}).") from error
            url = self._next(bundle)
        return found

    def _next(self, bundle: JSON) -> str | None:
        given = link(bundle, "next")
        return given if given is not None and self._endpoint.same_origin(given) else None
