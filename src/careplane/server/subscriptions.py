"""``/fhir/subscriptions``: the door for notifications of the EHR's Subscriptions.

A notification is answered 2xx once everything that it tells is durable, so an EHR that sends again loses nothing and
doubles nothing. Numbers that were left out are made up for before: by ``$events`` where the EHR has it, else by a
search for what changed since. Each Subscription has a token of its own; a wrong one and an unknown address look alike.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from careplane.codecs.fhir import MAX_RESOURCE_BYTES, parse_reference, parse_resource, reference
from careplane.codecs.fhir_subscription import Notification, NotifiedEvent, parse_notification
from careplane.connectors import Subscriptions
from careplane.errors import CareplaneError, InputError
from careplane.records import JSON
from careplane.server.changes import Changes
from careplane.server.events import read_body
from careplane.store import Store
from careplane.workflow.subscriptions import Subscribed, advance, restart, subscribed

PATH = "/fhir/subscriptions"
RETRY_SECONDS = 10
log = logging.getLogger("careplane.subscriptions")

_NOBODY = Subscribed(type="", id="", secret="0" * 64, topic="", remote="", claimed_at=0, begun="", since="", seen=0)


class Hearing:
    """Hears notifications: checks what comes, makes up for what was missed, and keeps how far it got."""

    def __init__(self, store: Store, changes: Changes, connector: Subscriptions) -> None:
        self._store = store
        self._changes = changes
        self._connector = connector

    async def hear(self, one: Subscribed, bundle: JSON) -> None:
        """Take a notification of the backport, R4B or R5; durable when this returns.

        Raises:
            InputError: it is none, of another Subscription, or about another type.
            UpstreamError: the EHR cannot be read now; it should send again.
        """
        notification = parse_notification(bundle, self._connector.base_url)
        if one.remote and notification.subscription != one.remote:
            raise InputError("is another Subscription than this address is for", field="subscription")
        if notification.kind == "handshake":
            restart(self._store, one.id, notification.since_start or 0)
            return
        for event in notification.events:
            if event.focus is not None and not event.focus.startswith(f"{one.type}/"):
                raise InputError(f"must be a {one.type}", field="focus")
        await self._make_up(one, notification)
        if notification.kind == "event-notification" and not notification.events:
            await self.catch_up(one)
        await self._take(one, notification.events, notification.resources)
        if all(event.number is None for event in notification.events):
            advance(self._store, one.id, notification.since_start, None)

    async def changed(self, one: Subscribed, resource: JSON) -> None:
        """Take a resource that R4's own rest-hook brought; durable when this returns."""
        if resource["resourceType"] != one.type or not resource.get("id"):
            raise InputError(f"must be a {one.type} with an id", field="resourceType")
        at = await self._changes.take(one, reference(resource), resource, None)
        advance(self._store, one.id, None, at)

    async def catch_up(self, one: Subscribed) -> None:
        """Take what changed since the last time, as after a rest-hook without payload."""
        advance(self._store, one.id, None, await self._changes.recover(one))

    async def _make_up(self, one: Subscribed, notification: Notification) -> None:
        """Take the events whose numbers lie between what was heard and what is told now."""
        numbers = [event.number for event in notification.events if event.number is not None]
        first = min(numbers) if numbers else (notification.since_start or 0) + 1
        if first <= one.seen + 1:
            return
        log.warning("subscription %s: %d event(s) were missed; making up for them", one.id, first - one.seen - 1)
        told = await self._connector.events(one.remote, one.seen + 1, first - 1) if one.remote else None
        if told is None:
            await self.catch_up(one)
            return
        for part in told:
            await self._take(one, part.events, part.resources)

    async def _take(self, one: Subscribed, events: tuple[NotifiedEvent, ...], resources: Mapping[str, JSON]) -> None:
        """Take events; one that does not say what it is about (empty payload) stands for all that changed."""
        for event in events:
            if event.focus is None:
                await self.catch_up(one)
                at = None
            else:
                at = await self._changes.take(one, event.focus, resources.get(event.focus), event.number)
            advance(self._store, one.id, event.number, at)


def subscription_routes(store: Store, hearing: Hearing | None) -> list[Route]:
    """The routes of the door. Without ``hearing`` nothing could be kept, and 503 is the answer.

    ``POST <PATH>/{id}`` takes notifications, R4's own with and without payload; ``PUT <PATH>/{id}/{type}/{rid}`` takes
    R4's payload as servers write it that put the resource there.
    """

    async def post(request: Request) -> Response:
        return await _answered(request, store, hearing, _posted)

    async def put(request: Request) -> Response:
        return await _answered(request, store, hearing, _put)

    return [
        Route(f"{PATH}/{{id}}", post, methods=["POST"]),
        Route(f"{PATH}/{{id}}/{{type}}/{{rid}}", put, methods=["PUT", "POST"]),
    ]


Taking = Callable[[Hearing, Subscribed, Request, bytes], Awaitable[None]]


async def _answered(request: Request, store: Store, hearing: Hearing | None, take: Taking) -> Response:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    one = subscribed(store, request.path_params["id"]) or _NOBODY
    if not one.carries(token) or scheme.lower() != "bearer":
        return _outcome(401, "login", "This address takes notifications with the token of its Subscription only.")
    if hearing is None:
        return _outcome(503, "transient", "This process keeps nothing; notifications go to: careplane serve")
    body = await read_body(request, MAX_RESOURCE_BYTES)
    if body is None:
        return _outcome(413, "too-long", f"A notification has at most {MAX_RESOURCE_BYTES // 1024 // 1024} MB.")
    try:
        await take(hearing, one, request, body)
    except InputError as error:
        return _outcome(400, "invalid", f"Not a notification of this Subscription: {error}.")
    except CareplaneError as error:
        log.warning("subscription %s: not taken (%s); the EHR should send again", one.id, type(error).__name__)
        return _outcome(503, "transient", "It could not be taken now. Send it again.")
    return Response(status_code=HTTPStatus.OK)


async def _posted(hearing: Hearing, one: Subscribed, _request: Request, body: bytes) -> None:
    if not body.strip():
        await hearing.catch_up(one)
        return
    resource = parse_resource(body)
    if resource["resourceType"] == "Bundle" and one.type != "Bundle":
        await hearing.hear(one, resource)
    else:
        await hearing.changed(one, resource)


async def _put(hearing: Hearing, one: Subscribed, request: Request, body: bytes) -> None:
    target = f"{request.path_params['type']}/{request.path_params['rid']}"
    if parse_reference(target) is None:
        raise InputError("must look like Type/id", field="address")
    resource = parse_resource(body)
    if reference(resource) != target:
        raise InputError("is not the resource of the address", field="id")
    await hearing.changed(one, resource)


def _outcome(status: int, code: str, text: str) -> JSONResponse:
    issue = {"severity": "error", "code": code, "diagnostics": text}
    headers = {"Retry-After": str(RETRY_SECONDS)} if status == 503 else {}
    headers |= {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    return JSONResponse(
        {"resourceType": "OperationOutcome", "issue": [issue]},
        status_code=status,
        headers=headers,
        media_type="application/fhir+json",
    )
