"""Signing in and out: by one-time link, or by the password set after one."""

import hmac
import secrets
from math import ceil

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from careplane.console import accounts
from careplane.console.context import ConsoleContext
from careplane.console.rendering import render
from careplane.console.throttle import Throttle
from careplane.errors import NotFound
from careplane.records.people import Account

COOKIE = "careplane_session"
FORM_COOKIE = "careplane_form"
_BAD_LINK = "This link does not work: it was used already, or it is older than 30 minutes."
_FOREIGN = "This form was not sent from our own page. Reload the page and try again."


def same_token(given: str, expected: str) -> bool:
    """Whether two tokens are equal, in constant time; an empty one never is."""
    return bool(expected) and hmac.compare_digest(given.encode(), expected.encode())


class SignIn:
    """The pages that one may see without being signed in."""

    def __init__(self, context: ConsoleContext) -> None:
        self._context = context
        self._throttle = Throttle()

    def routes(self) -> list[Route]:
        """The routes of signing in and out."""
        return [
            Route("/sign-in", self._page, methods=["GET"], name="sign_in"),
            Route("/sign-in", self._password, methods=["POST"]),
            Route("/sign-in/{token}", self._link_page, methods=["GET"]),
            Route("/sign-in/{token}", self._link, methods=["POST"]),
        ]

    async def _page(self, request: Request) -> Response:
        return self._form(request)

    async def _password(self, request: Request) -> Response:
        form = await _fields(request)
        if not _own_form(request, form):
            return self._form(request, error=_FOREIGN, status=403)
        name, password = form.get("account", ""), form.get("password", "")
        now = self._context.wall_clock()
        pause = self._throttle.wait(name, now)
        if pause:
            text = f"Too many wrong tries. Wait {ceil(pause.total_seconds())} seconds, or use a new one-time link."
            return self._form(request, error=text, status=429)
        account = await run_in_threadpool(self._known, name)
        if not await run_in_threadpool(accounts.check_password, account, password) or account is None:
            self._throttle.failed(name, now)
            return self._form(request, error="The name or the password is wrong.", status=403)
        self._throttle.succeeded(name)
        return await run_in_threadpool(self._enter, request, account, form.get("next", ""))

    async def _link_page(self, request: Request) -> Response:
        token = request.path_params["token"]
        account = await run_in_threadpool(
            accounts.account_of_link, self._context.store, token, self._context.wall_clock()
        )
        if account is None:
            return self._form(request, error=_BAD_LINK, status=404)
        return self._form(request, account=account)

    async def _link(self, request: Request) -> Response:
        if not _own_form(request, await _fields(request)):
            return self._form(request, error=_FOREIGN, status=403)
        token = request.path_params["token"]
        account = await run_in_threadpool(accounts.use_link, self._context.store, token, self._context.wall_clock())
        if account is None:
            return self._form(request, error=_BAD_LINK, status=404)
        return await run_in_threadpool(self._enter, request, account, "/")

    def _known(self, name: str) -> Account | None:
        try:
            return accounts.load_account(self._context.store, name)
        except NotFound:
            return None

    def _enter(self, request: Request, account: Account, onward: str) -> Response:
        now = self._context.wall_clock()
        token = accounts.start_session(self._context.store, account, now, self._context.session_hours)
        self._context.ledger.append("signed_in", at=now, actor=account.id)
        response = RedirectResponse(safe_path(onward), status_code=303)
        _set_cookie(request, response, COOKIE, token, int(self._context.session_hours * 3600))
        response.delete_cookie(FORM_COOKIE)
        return response

    def _form(
        self, request: Request, *, error: str = "", account: Account | None = None, status: int = 200
    ) -> Response:
        """The sign-in page, with the token that its form must send back beside the cookie."""
        token = request.cookies.get(FORM_COOKIE) or secrets.token_urlsafe(24)
        onward = safe_path(request.query_params.get("next", ""))
        html = render(
            "sign_in.html", context=self._context, error=error, account=account, form_token=token, onward=onward
        )
        response = HTMLResponse(html, status_code=status)
        _set_cookie(request, response, FORM_COOKIE, token, 3600)
        return response


def safe_path(given: str) -> str:
    """A path of this server to go on to; anything else is the home page."""
    local = given.startswith("/") and not given.startswith(("//", "/\\")) and "\\" not in given
    return given if local and given.isprintable() else "/"


async def _fields(request: Request) -> dict[str, str]:
    form = await request.form(max_files=0, max_fields=10, max_part_size=10_000)
    return {name: value for name, value in form.items() if isinstance(value, str)}


def _own_form(request: Request, form: dict[str, str]) -> bool:
    return same_token(form.get("csrf", ""), request.cookies.get(FORM_COOKIE, ""))


def _set_cookie(request: Request, response: Response, name: str, value: str, seconds: int) -> None:
    secure = request.url.scheme == "https"
    response.set_cookie(name, value, max_age=seconds, httponly=True, secure=secure, samesite="strict", path="/")
