"""One ASGI app: the gateway's data plane, the door for events, health, and the console for everything else."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from careplane import __version__, console
from careplane.gateway.asgi import asgi
from careplane.server.cds import CdsDoor
from careplane.server.chat import chat_routes
from careplane.server.erp_tending import tend_erp
from careplane.server.events import events_door, events_openapi
from careplane.server.integration_checks import tend_checks
from careplane.server.measuring import tend_measures
from careplane.server.message_doors import MessageDoors
from careplane.server.messaging import tend_messages
from careplane.server.monitoring import tend_monitoring
from careplane.server.platform import Platform
from careplane.server.smart import SmartDoor
from careplane.server.subscribing import open_subscribing
from careplane.server.subscriptions import subscription_routes
from careplane.server.tending import tend_downtime
from careplane.server.wiring import console_context
from careplane.workflow.durable import Durable

THREADS = 32
"""They wait for the disk most of the time; what waits at once shares a write."""


def asgi_app(platform: Platform, durable: Durable | None = None) -> Starlette:
    """The whole server of one installation.

    Args:
        platform: the installation.
        durable: where events are queued; without it the door for events answers 503.
    """

    hooks = CdsDoor(platform, durable, partial(datetime.now, UTC))

    context = console_context(platform)
    smart = SmartDoor(platform, context)
    subscribing = open_subscribing(platform, durable)

    @asynccontextmanager
    async def lifespan(server: Starlette) -> AsyncIterator[None]:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(THREADS, "careplane"))
        beside = (*own_turns(platform, durable), tend_checks(platform, server))
        tended = [asyncio.ensure_future(one) for one in beside]
        if subscribing is not None:
            tended.append(asyncio.ensure_future(subscribing.tend()))
        yield
        for one in tended:
            one.cancel()
        await hooks.aclose()
        await smart.aclose()
        if subscribing is not None:
            await subscribing.aclose()
        await platform.messages.aclose()
        await platform.gateway.aclose()
        await platform.fhir.aclose()

    return Starlette(
        routes=[
            Mount("/v1", asgi(platform.plane.serve)),
            Route("/metrics", _Whole(asgi(platform.plane.serve)), methods=["GET"]),
            Route("/health", _health, methods=["GET"]),
            Route("/events", events_door(platform, durable), methods=["POST"]),
            Route("/events/openapi.json", events_openapi, methods=["GET"]),
            *chat_routes(platform),
            *hooks.routes(),
            *smart.routes(),
            *MessageDoors(platform).routes(),
            *subscription_routes(platform.store, subscribing.hearing if subscribing else None),
            Mount("/", console.app(context)),
        ],
        lifespan=lifespan,
    )


def own_turns(platform: Platform, durable: Durable | None) -> tuple[Coroutine[None, None, None], ...]:
    """What runs beside the server until it ends."""
    return (
        platform.parts.tend(),
        tend_downtime(platform),
        tend_messages(platform.messages),
        tend_erp(platform, durable),
        tend_monitoring(platform),
        tend_measures(platform),
    )


class _Whole:
    """An ASGI application at one path: a route takes a plain function for one that answers requests."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)


async def _health(_request: Request) -> JSONResponse:
    return JSONResponse({"status": "ok", "version": __version__})
