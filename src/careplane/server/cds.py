"""The CDS Hooks door: ``/cds-services`` for discovery, calls and feedback (CDS Hooks 2.0).

Every call brings a signed token, discovery too. What goes wrong is answered with its HTTP status and an
OperationOutcome, is in the ledger, and disturbs no other call. A token or a resource is in no log and no error.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from careplane import change
from careplane._shelf import load
from careplane.codecs.cdshooks import operation_outcome, read_call, read_feedback, write_reply, write_services
from careplane.codecs.cdshooks.document import api_document
from careplane.connectors._jwks import Jwks
from careplane.errors import CareplaneError, InputError, NotFound, TokenError, TooLarge
from careplane.governance.cds_trust import allowed_origins, find_trusts
from careplane.records import JSON
from careplane.records.hooks import CdsTrust
from careplane.server.cds_calls import CdsCalls
from careplane.server.cds_clients import CdsClients
from careplane.server.cds_services import HookService, hook_services, stages_of
from careplane.server.platform import Platform
from careplane.server.strangers import Strangers
from careplane.workflow.card_feedback import keep_feedback
from careplane.workflow.durable import Durable

PATH = "/cds-services"
MAX_CALL_BYTES = 4 * 1024 * 1024
MAX_FEEDBACK_BYTES = 1024 * 1024
_BIG = 128 * 1024
"""Bodies beyond this are read in a thread, so that no other call waits for them."""

_METHODS = "GET, POST, OPTIONS"
_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Vary": "Origin"}

Act = Callable[[Request, CdsTrust], Awaitable[JSON]]

log = logging.getLogger("careplane.server")


class CdsDoor:
    """The door of one installation. ``wall_clock`` is the time of the machine, by which tokens hold."""

    def __init__(self, platform: Platform, durable: Durable | None, wall_clock: Callable[[], datetime]) -> None:
        self._platform = platform
        self._clients = CdsClients(platform.store, platform.writes, Jwks(), wall_clock)
        open_item = load("connectors", "cds_hooks").open
        self._calls = CdsCalls(platform, durable, lambda base: open_item({"fhir_base_url": base}))
        self._wall_clock = wall_clock
        self._strangers = Strangers()
        self._known: tuple[dict[str, str], tuple[HookService, ...]] = ({}, ())
        self._base = platform.settings.text("public_url").rstrip("/")

    def routes(self) -> list[Route]:
        """All that is below ``/cds-services``."""
        document = orjson.dumps(api_document())

        async def openapi(_request: Request) -> Response:
            return Response(document, media_type="application/json")

        return [
            Route(f"{PATH}/openapi.json", openapi, methods=["GET"]),
            Route(PATH, _Endpoint(self, "GET", self._discover)),
            Route(f"{PATH}/{{service}}", _Endpoint(self, "POST", self._call)),
            Route(f"{PATH}/{{service}}/feedback", _Endpoint(self, "POST", self._feedback)),
        ]

    async def aclose(self) -> None:
        """End what is under way."""
        await self._calls.aclose()

    def base(self, request: Request) -> str:
        """Our own URL, as clients know it: never what a request says of it."""
        if self._base:
            return self._base
        host, port = request.scope.get("server") or ("127.0.0.1", 80)
        return f"http://{host}:{port}"

    async def admit(self, request: Request) -> CdsTrust:
        """Who calls; its token names this very URL."""
        url = f"{self.base(request)}{request.scope['path']}"
        return await self._clients.admit(request.headers.get("authorization", ""), url)

    async def cross_origin(self, request: Request) -> dict[str, str]:
        """The headers that let a page of a trusted EHR read the answer; none for any other page."""
        origin = request.headers.get("origin")
        if origin is None or origin not in allowed_origins(await asyncio.to_thread(find_trusts, self._platform.store)):
            return {}
        return {
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Allow-Methods": _METHODS,
            "Access-Control-Allow-Headers": "Authorization, Content-Type",
            "Access-Control-Max-Age": "600",
        }

    async def refused(self, error: CareplaneError, service: str | None) -> Response:
        """The answer to what went wrong, once it is on record; of what strangers send not more than so much is."""
        passed_over = self._strangers.take() if isinstance(error, TokenError) else 0
        if passed_over is not None:
            await self._record(error, service, passed_over)
        text = error.message if isinstance(error, InputError) else str(error)
        return _answer(operation_outcome(error.status, text, getattr(error, "field", None)), error.status)

    async def _record(self, error: CareplaneError, service: str | None, passed_over: int) -> None:
        code = error.code if isinstance(error, TokenError) else type(error).__name__
        known = service if service in {one.said.id for one in self._services()} else None
        facts: dict[str, str | int | None] = {"status": error.status, "why": code, "service": known}
        if passed_over:
            facts["not_recorded_before"] = passed_over
        await self._platform.ledger.append_async("cds.refused", at=self._platform.clock(), facts=facts)

    def _services(self) -> tuple[HookService, ...]:
        return self._services_at(stages_of(self._platform.store))

    def _services_at(self, stages: dict[str, str]) -> tuple[HookService, ...]:
        """The services while apps are at these stages; made anew when a stage changes."""
        known, services = self._known
        if known != stages:
            services = hook_services(self._platform.apps, stages)
            self._known = stages, services
        return services

    async def _discover(self, _request: Request, _trust: CdsTrust) -> JSON:
        services = await asyncio.to_thread(self._services)
        return write_services(service.said for service in services)

    async def _call(self, request: Request, trust: CdsTrust) -> JSON:
        stages = await asyncio.to_thread(stages_of, self._platform.store)
        named = _named(self._services_at(stages), request.path_params["service"])
        body = await _body(request, MAX_CALL_BYTES)
        hooks = tuple(service.said.hook for service in named)
        big = len(body) > _BIG
        asked = await asyncio.to_thread(read_call, body, hooks=hooks) if big else read_call(body, hooks=hooks)
        service = next(one for one in named if one.said.hook == asked.hook)
        return write_reply(await self._calls.answer(asked, service, trust, self.base(request), stages))

    async def _feedback(self, request: Request, trust: CdsTrust) -> JSON:
        _named(await asyncio.to_thread(self._services), request.path_params["service"])
        entries = read_feedback(await _body(request, MAX_FEEDBACK_BYTES), self._wall_clock())
        at, store, apps = self._platform.clock(), self._platform.store, self._platform.apps
        told = await asyncio.to_thread(keep_feedback, store, entries, trust.issuer, apps, at)
        opened = 0
        for app in sorted({one.app for one in told if one.outcome == "overridden"}):
            title = apps[app].spec.title if app in apps else app
            opened += await asyncio.to_thread(change.open_requests, store, app, title, at)
        await self._platform.ledger.append_async(
            "cds.feedback",
            at=at,
            facts={
                "client": trust.issuer[:200],
                "entries": len(entries),
                "new": len(told),
                "overridden": sum(one.outcome == "overridden" for one in told),
                "requests_opened": opened,
            },
        )
        return {}


class _Endpoint:
    """One path: its method, and what it does once the caller is known."""

    def __init__(self, door: CdsDoor, method: str, act: Act) -> None:
        self._door, self._method, self._act = door, method, act

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send)
        response = await self._answer(request)
        response.headers.update({**_HEADERS, **await self._door.cross_origin(request)})
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        if request.method == "OPTIONS":
            return Response(status_code=204, headers={"Allow": _METHODS})
        if request.method != self._method:
            outcome = operation_outcome(405, f"Use {self._method} here.")
            return _answer(outcome, 405, {"Allow": f"{self._method}, OPTIONS"})
        try:
            trust = await self._door.admit(request)
            return _answer(await self._act(request, trust))
        except CareplaneError as error:
            if error.status >= 500:
                log.warning("a hook call was not answered (%s)", type(error).__name__)
            answer = await self._door.refused(error, request.path_params.get("service"))
            if isinstance(error, TokenError):
                answer.headers["WWW-Authenticate"] = "Bearer"
            return answer


def _answer(body: JSON, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(orjson.dumps(body), status, headers, media_type="application/json")


def _named(services: tuple[HookService, ...], ident: str) -> tuple[HookService, ...]:
    found = tuple(service for service in services if service.said.id == ident)
    if not found:
        raise NotFound("There is no such service; ask discovery for those that there are.")
    return found


async def _body(request: Request, most: int) -> bytes:
    """The JSON body.

    Raises:
        InputError: it says that it is something else.
        TooLarge: as soon as it is longer than ``most`` bytes.
    """
    kind = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if kind not in ("application/json", "application/fhir+json"):
        raise InputError("must be application/json", field="Content-Type")
    told = request.headers.get("content-length", "0")
    held = bytearray()
    if told.isdigit() and int(told) > most:
        raise TooLarge(f"a body has {most} bytes at most; let the service fetch large data with a token")
    async for chunk in request.stream():
        held += chunk
        if len(held) > most:
            raise TooLarge(f"a body has {most} bytes at most; let the service fetch large data with a token")
    return bytes(held)
