"""``POST /events``: the door for connected systems, with the key of one app and references only."""

import hashlib
from collections.abc import Awaitable, Callable
from typing import Annotated

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse

from careplane import __version__, gateway
from careplane.errors import StoreError
from careplane.records import JSON, Record
from careplane.records.app import App
from careplane.records.run import Occurrence
from careplane.server.platform import Platform
from careplane.workflow.downtime import active_fallback, unavailable
from careplane.workflow.durable import Durable
from careplane.workflow.triggers import events_of

MAX_EVENT_BYTES = 16_384

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
Reference = Annotated[str, msgspec.Meta(pattern=r"^[A-Z][A-Za-z]{1,63}/[A-Za-z0-9.\-]{1,64}$")]


class Notice(Record, frozen=True):
    """What a connected system posts to ``/events``: references only, never a resource.

    ``id`` is the sender's name of the event; ``kind`` says what happened, as the ``on`` of a trigger names it; all
    others are FHIR references.
    """

    id: Name
    kind: Name
    patient: Reference | None = None
    encounter: Reference | None = None
    focus: Reference | None = None
    unit: Reference | None = None
    site: Reference | None = None
    user: Reference | None = None


_TAKEN = "It is on disk and will be processed once, however often it is sent."
_ANSWERS = {
    400: "Not an event; the field is named.",
    401: "No key, a wrong one or a revoked one.",
    413: "Longer than an event may be.",
    422: "Nothing that the app declares starts by this.",
    503: "It could not be kept; send it again.",
}
_ERROR: JSON = {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}}
_ACCEPTED: JSON = {
    "type": "object",
    "required": ["accepted"],
    "properties": {
        "accepted": {"type": "string"},
        "waits": {"type": "object", "description": "The app's fallback, while something that it needs is away."},
    },
}


def events_door(platform: Platform, durable: Durable | None) -> Callable[[Request], Awaitable[JSONResponse]]:
    """The door; without ``durable`` it answers 503, as nothing could be kept."""

    async def events(request: Request) -> JSONResponse:
        try:
            return await _receive(request, platform, durable)
        except StoreError:
            return _problem(503, "The event could not be kept; it was not taken. Send it again in some seconds.")

    return events


def events_document() -> JSON:
    """The OpenAPI 3.1 document of the door."""
    (notice,), components = msgspec.json.schema_components([Notice], ref_template="#/components/schemas/{name}")
    errors = {str(status): {"description": text, "content": _content(_ERROR)} for status, text in _ANSWERS.items()}
    operation = {
        "operationId": "send_event",
        "summary": "Tell of something that happened; references only.",
        "requestBody": {"required": True, "content": _content(notice)},
        "responses": {"202": {"description": _TAKEN, "content": _content(_ACCEPTED)}, **errors},
        "security": [{"key": []}],
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "Careplane events", "version": __version__},
        "paths": {"/events": {"post": operation}},
        "components": {"schemas": components, "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}}},
    }


def _content(schema: JSON) -> JSON:
    return {"application/json": {"schema": schema}}


async def events_openapi(_request: Request) -> JSONResponse:
    """``GET /events/openapi.json``."""
    return JSONResponse(events_document())


async def _receive(request: Request, platform: Platform, durable: Durable | None) -> JSONResponse:
    """Take one event for the app whose key came with it; 202 once it is durable, however often it is sent."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    name = gateway.app_of_key(platform.store, key) if scheme.lower() == "bearer" and key else None
    if name is None:
        return _problem(401, "Send the app's key as: Authorization: Bearer cp-…")
    if durable is None:
        return _problem(503, "This process takes no events; send them to the server started by: careplane serve")
    body = await read_body(request, MAX_EVENT_BYTES)
    if body is None:
        return _problem(413, f"An event is at most {MAX_EVENT_BYTES} bytes; send references, not resources.")
    try:
        notice = msgspec.json.decode(body, type=Notice)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return _problem(400, f"Not an event: {error}")
    app = platform.apps.get(name)
    started = events_of((app,), _occurrence(platform, notice)) if app else ()
    if not started:
        return _problem(422, _unmatched(name, app))
    for event in started:
        await durable.submit(event)
    taken: JSON = {"accepted": hashlib.sha256(f"{name}:{notice.id}".encode()).hexdigest()[:16]}
    said = active_fallback(platform.runtime.outages, app) if app else None
    if said is not None:  # the event is kept and waits; whoever sent it can tell its people what to do meanwhile
        taken["waits"] = unavailable(said)
    return JSONResponse(taken, status_code=202)


def _occurrence(platform: Platform, notice: Notice) -> Occurrence:
    given = msgspec.structs.asdict(notice)
    return Occurrence(kind="api", on=given.pop("kind"), at=platform.clock(), source="api", **given)


def _unmatched(name: str, app: App | None) -> str:
    """Why nothing starts, with the names that would start it; what was sent is not repeated."""
    if app is None or not app.runnable:
        return f"The app {name} cannot run: it has no prompt."
    named = [f"{trigger.on} ({trigger.kind})" for trigger in app.spec.starts if trigger.on]
    return (
        f"Nothing of this kind starts {name}. Its manifest declares: {', '.join(named)}."
        if named
        else f"No event starts {name}: its manifest declares {app.spec.trigger.kind}, which has a door of its own."
    )


async def read_body(request: Request, most: int) -> bytes | None:
    """The body, or ``None`` as soon as it is longer than ``most`` bytes, however its length was told."""
    held = bytearray()
    async for chunk in request.stream():
        held += chunk
        if len(held) > most:
            return None
    return bytes(held)


def _problem(status: int, text: str) -> JSONResponse:
    return JSONResponse({"error": text}, status_code=status)
