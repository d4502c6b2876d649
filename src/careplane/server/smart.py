"""SMART App Launch: the door by which clinicians come from the chart of their EHR (``/smart/launch``).

The EHR sends the browser here with its address and a handle; we send it on to the EHR's own sign-on, and it comes back
with a code, for which we get who it is, which patient is open, and a token. The token reads the head of the page and is
then revoked and forgotten. What remains is a session that is limited to this patient.
"""

from collections.abc import Awaitable, Callable, Sequence

from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from careplane.codecs.smart import Identity, launch_scopes, read_answer, read_scopes
from careplane.console import ConsoleContext
from careplane.console.launched import launch_page, set_launch_cookie
from careplane.console.protection import HostCheck, SecurityHeaders, host_names
from careplane.errors import CareplaneError, InputError, Refused, TokenError, UpstreamError
from careplane.governance.ehrs import check_chart, ehr_of_issuer, load_ehr
from careplane.records.launch import Ehr
from careplane.server.launches import (
    AGAIN,
    MINUTES,
    Browser,
    Pending,
    cookie_name,
    keep_launch,
    new_browser,
    take_launch,
)
from careplane.server.launching import active_apps
from careplane.server.platform import Platform
from careplane.server.smart_clients import SmartClients, public_base
from careplane.server.smart_session import begin_session

MOST_HANDLE = 4096
Handler = Callable[[Request], Awaitable[Response]]


class SmartDoor:
    """The routes of launches. ``context`` is the console's, whose session a launch ends in."""

    def __init__(self, platform: Platform, context: ConsoleContext) -> None:
        self._platform, self._context = platform, context
        self.clients = SmartClients(platform)

    def routes(self) -> list[BaseRoute]:
        """Launch (for all apps, or for one), standalone launch, the way back, and our public keys."""
        guards = [
            Middleware(SecurityHeaders),
            Middleware(HostCheck, names=host_names(self._context)),
        ]
        doors: list[tuple[str, Handler]] = [
            ("/smart/launch", self._launch),
            ("/smart/launch/{app}", self._launch),
            ("/smart/standalone", self._standalone),
            ("/smart/callback/{ehr}", self._callback),
        ]
        pages = [Route(path, self._told(handler), methods=["GET"], middleware=guards) for path, handler in doors]
        return [*pages, Route("/.well-known/jwks.json", self._keys, methods=["GET"])]

    async def aclose(self) -> None:
        """Give connections back."""
        await self.clients.aclose()

    async def _launch(self, request: Request) -> Response:
        """An EHR launch: only from an address that was registered, whatever it says."""
        issuer, handle = _once(request, "iss"), _once(request, "launch")
        ehr = await run_in_threadpool(ehr_of_issuer, self._platform.store, issuer)
        if ehr is None:
            raise Refused(
                ["The EHR that opened this page is not registered here."],
                "An administrator can register it: careplane smart add NAME --iss URL --client-id ID",
            )
        return await self._begin(request, ehr, handle, request.path_params.get("app"))

    async def _standalone(self, request: Request) -> Response:
        """A launch from our own pages: the EHR asks who it is and which patient."""
        ehr = await run_in_threadpool(load_ehr, self._platform.store, _once(request, "ehr"))
        return await self._begin(request, ehr, None, request.query_params.get("app") or None)

    async def _begin(self, request: Request, ehr: Ehr, handle: str | None, app: str | None) -> Response:
        store = self._platform.store
        check_chart(ehr, self._platform.settings.text("fhir_base_url"))
        apps = await run_in_threadpool(active_apps, store, self._platform.apps, app)
        scopes = launch_scopes([one.spec for one in apps], standalone=handle is None)
        browser = new_browser()
        client = await run_in_threadpool(self.clients.of, ehr, public_base(self._platform.settings, request))
        begun = await client.begin(scopes, verifier=browser.verifier, nonce=browser.nonce, launch=handle)
        pending = Pending(ehr=ehr.name, app=app, scope=str(begun.scopes))
        await run_in_threadpool(keep_launch, store, begun.state, browser, pending, self._context.wall_clock())
        response = RedirectResponse(begun.url, 302, {"Cache-Control": "no-store"})
        set_launch_cookie(response, cookie_name(begun.state), browser.secret, MINUTES * 60, "/smart")
        return response

    async def _callback(self, request: Request) -> Response:
        """The way back from the EHR."""
        store, now = self._platform.store, self._context.wall_clock()
        ehr = await run_in_threadpool(load_ehr, store, request.path_params["ehr"])
        check_chart(ehr, self._platform.settings.text("fhir_base_url"))
        state = _once(request, "state")
        held = request.cookies.get(cookie_name(state))
        browser = Browser(secret=held) if held else None
        pending = await run_in_threadpool(take_launch, store, state, browser, ehr.name, now)
        if browser is None:
            raise Refused(["This launch began in another browser."], AGAIN)
        answer = read_answer(request.query_params)
        client = await run_in_threadpool(self.clients.of, ehr, public_base(self._platform.settings, request))
        await client.check_issuer(answer.issuer)
        token = await client.redeem(answer.code, browser.verifier, read_scopes(pending.scope))
        identity = await client.identify(token, browser.nonce)
        try:
            response = await begin_session(
                self._platform, self._context, request, client, ehr, pending, token, identity
            )
        except CareplaneError as error:
            await run_in_threadpool(self._record, ehr, identity, error)
            raise
        set_launch_cookie(response, cookie_name(state), "", 0, "/smart")
        return response

    async def _keys(self, _request: Request) -> Response:
        keys = await run_in_threadpool(self.clients.published)
        return JSONResponse(keys, headers={"Cache-Control": "max-age=300"})

    def _told(self, handler: Handler) -> Handler:
        """A handler whose refusals are a page that says what, why and the way out."""

        async def answer(request: Request) -> Response:
            try:
                return await handler(request)
            except CareplaneError as error:
                return await run_in_threadpool(self._problem, error)

        return answer

    def _problem(self, error: CareplaneError) -> Response:
        title, reasons, way_out = _words(error)
        return launch_page(self._context, title, reasons, way_out, error.status)

    def _record(self, ehr: Ehr, identity: Identity, error: CareplaneError) -> None:
        """Put a refusal on record once the EHR has vouched for a person: what anybody on the network can send is not
        recorded, so that nobody can fill the ledger."""
        ledger = self._platform.ledger
        ledger.append(
            "launch.refused",
            at=self._context.wall_clock(),
            actor=ledger.pseudonym(identity.fhir_user),
            facts={"ehr": ehr.name, "error": type(error).__name__},
        )


def _once(request: Request, name: str) -> str:
    """A value of the query string that is there once.

    Raises:
        InputError: it is missing, too long, or there twice.
    """
    values = request.query_params.getlist(name)
    if len(values) != 1 or not 0 < len(values[0]) <= MOST_HANDLE:
        raise InputError("must be given once", field=name)
    return values[0]


def _words(error: CareplaneError) -> tuple[str, Sequence[str], str]:
    """Title, reasons and way out of a launch that did not come about."""
    if isinstance(error, Refused):
        return "This launch was refused", error.reasons, error.way_out
    if isinstance(error, InputError):
        return "This is not a launch", [str(error)], "Open Careplane from the chart of your EHR."
    if isinstance(error, TokenError):
        return "The EHR's word for who you are does not hold", [str(error)], AGAIN
    if isinstance(error, UpstreamError):
        return "The EHR did not answer as it must", [str(error)], f"{AGAIN} Nothing was changed."
    return "This did not work", [str(error)], f"{AGAIN} Nothing was changed."
