"""One ASGI app: the gateway's data plane, the door for events, health, and the console for everything else."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from careplane import __version__, console, gateway
from careplane.gateway.asgi import asgi
from careplane.records import Record
from careplane.records.run import Event
from careplane.server.platform import Platform
from careplane.server.wiring import console_context
from careplane.workflow.durable import Durable

MAX_EVENT_BYTES = 16_384


Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Reference = Annotated[str, msgspec.Meta(pattern=r"^[A-Z][A-Za-z]{1,63}/[A-Za-z0-9.\-]{1,64}$")]


class Notice(Record, frozen=True):
    """What a connected system posts to ``/events``: references only, never a resource.

    ``id`` and ``kind`` are the sender's names of the event and of what happened; the others are FHIR references.
    """

    id: Name
    kind: Name
    patient: Reference | None = None
    encounter: Reference | None = None
    focus: Reference | None = None
    unit: Reference | None = None
    site: Reference | None = None
    user: Reference | None = None


def asgi_app(platform: Platform, durable: Durable | None = None) -> Starlette:
    """The whole server of one installation.

    Args:
        platform: the installation.
        durable: where events are queued; without it the door for events answers 503.
    """

    async def events(request: Request) -> JSONResponse:
        return await _receive(request, platform, durable)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        tended = asyncio.ensure_future(platform.parts.tend())
        yield
        tended.cancel()
        await platform.gateway.aclose()
        await platform.fhir.aclose()

    return Starlette(
        routes=[
            Mount("/v1", asgi(platform.plane.serve)),
            Route("/metrics", _Whole(asgi(platform.plane.serve)), methods=["GET"]),
            Route("/health", _health, methods=["GET"]),
            Route("/events", events, methods=["POST"]),
            Mount("/", console.app(console_context(platform))),
        ],
        lifespan=lifespan,
    )


class _Whole:
    """An ASGI application at one path: a route takes a plain function for one that answers requests."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)


async def _health(_request: Request) -> JSONResponse:
    return JSONResponse({"status": "ok", "version": __version__})


async def _receive(request: Request, platform: Platform, durable: Durable | None) -> JSONResponse:
    """Take one event for the app whose key came with it; 202 once it is durable, however often it is sent."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    app = gateway.app_of_key(platform.store, key) if scheme.lower() == "bearer" and key else None
    if app is None:
        return _problem(401, "Send the app's key as: Authorization: Bearer cp-…")
    if durable is None:
        return _problem(503, "This process takes no events; send them to the server started by: careplane serve")
    body = await _body(request)
    if body is None:
        return _problem(413, f"An event is at most {MAX_EVENT_BYTES} bytes; send references, not resources.")
    try:
        notice = msgspec.json.decode(body, type=Notice)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return _problem(400, f"Not an event: {error}")
    event = Event(app=app, at=platform.clock(), **msgspec.structs.asdict(notice))
    await durable.submit(event)
    return JSONResponse({"accepted": hashlib.sha256(f"{app}:{notice.id}".encode()).hexdigest()[:16]}, status_code=202)


async def _body(request: Request) -> bytes | None:
    """The body, or ``None`` as soon as it is longer than an event may be."""
    held = bytearray()
    async for chunk in request.stream():
        held += chunk
        if len(held) > MAX_EVENT_BYTES:
            return None
    return bytes(held)


def _problem(status: int, text: str) -> JSONResponse:
    return JSONResponse({"error": text}, status_code=status)
