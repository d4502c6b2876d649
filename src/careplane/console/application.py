"""The Starlette application: each page with its permission, and the door that every request passes."""

from inspect import iscoroutinefunction
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from careplane.console import accounts
from careplane.console.context import ConsoleContext
from careplane.console.launched import LAUNCH_COOKIE, check_launch, launch_ended
from careplane.console.pages import PAGES, Page
from careplane.console.permissions import allowed
from careplane.console.protection import HostCheck, SecurityHeaders, allow_frames, host_names
from careplane.console.sign_in import COOKIE, SignIn, same_token
from careplane.console.visit import Visit
from careplane.errors import CareplaneError, Refused

FORM_BYTES = 1_000_000


def app(context: ConsoleContext) -> Starlette:
    """All pages of one installation."""
    sign_in = SignIn(context)
    pages = [Route(page.path, _Door(context, page), methods=[page.method]) for page in PAGES]
    static = StaticFiles(directory=Path(__file__).parent / "static")
    return Starlette(
        routes=[Mount("/static", static, name="static"), *sign_in.routes(), *pages],
        middleware=[Middleware(SecurityHeaders), Middleware(HostCheck, names=host_names(context))],
    )


class _Door:
    """Lets a request through to its page: signed in, token right, allowed; answers errors with a page that says what
    happened."""

    def __init__(self, context: ConsoleContext, page: Page) -> None:
        self._context = context
        self._page = page

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        request = Request(scope, receive, send)
        response = await self._answer(request)
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        session = await run_in_threadpool(self._session, request)
        if session is None and LAUNCH_COOKIE in request.cookies:
            return await run_in_threadpool(launch_ended, self._context)
        if session is None:
            here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
            return RedirectResponse(request.url_for("sign_in").include_query_params(next=here), status_code=303)
        response = await self._respond(request, session)
        if session.launch is not None:
            allow_frames(response, session.launch.frames)
        return response

    async def _respond(self, request: Request, session: accounts.Session) -> Response:
        visit = Visit(self._context, request, session.account, session.csrf, launch=session.launch)
        try:
            if request.method == "POST":
                form = await _form(request, session.csrf)
                visit = Visit(self._context, request, session.account, session.csrf, form, session.launch)
            return await self._run(visit)
        except CareplaneError as error:
            return await run_in_threadpool(_problem, visit, error)

    def _session(self, request: Request) -> accounts.Session | None:
        """The session of the browser. One from an EHR comes first: it is the narrower of two."""
        token = request.cookies.get(LAUNCH_COOKIE) or request.cookies.get(COOKIE)
        return accounts.session_of(self._context.store, token, self._context.wall_clock()) if token else None

    async def _run(self, visit: Visit) -> Response:
        answer = allowed(visit.account, self._page.permission)
        if not answer.allowed:
            raise Refused([answer.text], answer.way_out)
        if visit.launch is not None:
            if self._page.path == "/":
                return visit.go("/review")
            await run_in_threadpool(check_launch, visit, self._page.path)
        if iscoroutinefunction(self._page.handler):
            response: Response = await self._page.handler(visit)
            return response
        return await run_in_threadpool(self._page.handler, visit)  # type: ignore[arg-type]


async def _form(request: Request, csrf: str) -> dict[str, str]:
    """The fields of a form, its token checked.

    Raises:
        Refused: the form did not come from one of our pages.
    """
    form: FormData = await request.form(max_files=0, max_fields=200, max_part_size=FORM_BYTES)
    fields = {name: value for name, value in form.items() if isinstance(value, str)}
    if not same_token(fields.pop("csrf", ""), csrf):
        raise Refused(
            ["This form was not sent from a page of your present session, so nothing was changed."],
            "Go back, reload the page and send it again.",
        )
    return fields


def _problem(visit: Visit, error: CareplaneError) -> Response:
    return visit.page("problem.html", status=error.status, error=error, refused=isinstance(error, Refused))
