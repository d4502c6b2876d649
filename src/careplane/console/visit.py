"""One request of a signed-in person: who, what they may, what they sent, and how to answer."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from careplane.console.context import ConsoleContext
from careplane.console.permissions import Permission, allowed
from careplane.console.rendering import render
from careplane.errors import InputError, NotFound
from careplane.records.app import App
from careplane.records.launch import Launch
from careplane.records.people import Account


@dataclass(frozen=True, slots=True)
class Visit:
    """A request whose sender is known and whose form, if any, carried the right token."""

    context: ConsoleContext
    request: Request
    account: Account
    csrf: str
    form: Mapping[str, str] = field(default_factory=dict)
    launch: Launch | None = None

    @property
    def now(self) -> datetime:
        """The time of the data."""
        return self.context.clock()

    @property
    def today(self) -> date:
        return self.now.date()

    @property
    def who(self) -> str:
        """Who acts: the person behind the account, or the account itself."""
        return self.account.person or self.account.id

    @property
    def patient(self) -> str | None:
        """The one patient whose drafts may be seen here; ``None`` where no launch limits them."""
        return None if self.launch is None else self.launch.patient

    def may(self, permission: Permission) -> bool:
        return allowed(self.account, permission).allowed

    def path(self, name: str) -> str:
        """A part of the path."""
        return str(self.request.path_params[name])

    def query(self, name: str, default: str = "") -> str:
        """A value of the query string, trimmed; at most 200 characters."""
        return self.request.query_params.get(name, default).strip()[:200]

    def number(self, name: str, default: int = 0, highest: int = 1_000_000) -> int:
        """A whole number of the query string; anything else is the default."""
        text = self.request.query_params.get(name, "")
        return min(int(text), highest) if text.isdecimal() and len(text) < 10 else default

    def link(self, **changes: str | int | None) -> str:
        """This page with some values of its query string changed; ``None`` takes one out."""
        values: dict[str, Any] = {**self.request.query_params, **changes}
        kept = {name: value for name, value in values.items() if value not in (None, "")}
        return f"{self.request.url.path}?{urlencode(kept)}" if kept else self.request.url.path

    def field(self, name: str) -> str:
        """A field of the form that must be filled in.

        Raises:
            InputError: it is empty.
        """
        value = self.form.get(name, "").strip()
        if not value:
            raise InputError("Fill this in.", field=name)
        return value

    def app(self, ident: str) -> App:
        """An app of this installation.

        Raises:
            NotFound: it has no folder here.
        """
        if ident not in self.context.apps:
            raise NotFound(f"There is no app {ident!r} on this platform. The register lists every use: /apps")
        return self.context.apps[ident]

    def page(self, template: str, *, status: int = 200, **values: Any) -> Response:
        """A page of the console."""
        return HTMLResponse(render(template, visit=self, context=self.context, **values), status_code=status)

    def go(self, path: str) -> Response:
        """Send the browser on after a form was taken."""
        return RedirectResponse(path, status_code=303)


Handler = Callable[[Visit], Response] | Callable[[Visit], Awaitable[Response]]
