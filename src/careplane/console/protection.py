"""Plain ASGI middleware: the names a browser may call us by, and the headers every answer carries."""

from collections.abc import Sequence
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from careplane.console.context import ConsoleContext

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")

_POLICY = "default-src 'self'; base-uri 'none'; form-action 'self'; object-src 'none'; frame-ancestors "

HEADERS = {
    "Content-Security-Policy": f"{_POLICY}'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def allow_frames(response: Response, origins: Sequence[str]) -> None:
    """Let pages of these origins show a response in a frame; without any nobody may."""
    if origins:
        response.headers["Content-Security-Policy"] = _POLICY + " ".join(origins)


class HostCheck:
    """Answers 421 to a request for a name that is not ours, so that a foreign page cannot reach a loopback server by
    rebinding its own name to 127.0.0.1."""

    def __init__(self, app: ASGIApp, names: Sequence[str]) -> None:
        self._app = app
        self._names = frozenset((*LOOPBACK, *(name.lower() for name in names)))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and self._name(scope) not in self._names:
            answer = PlainTextResponse("This server does not answer to that name. Set `host` to it.", 421)
            await answer(scope, receive, send)
            return
        await self._app(scope, receive, send)

    @staticmethod
    def _name(scope: Scope) -> str:
        given: str = dict(scope["headers"]).get(b"host", b"").decode("latin-1").lower()
        bare, colon, port = given.rpartition(":")
        return bare if colon and port.isdigit() else given


def host_names(context: ConsoleContext) -> tuple[str, ...]:
    """The names of this installation, beside those of loopback."""
    public = urlsplit(context.public_url).hostname
    return (context.host, public) if public else (context.host,)


class SecurityHeaders:
    """Adds the security headers; pages are never cached, static files for an hour."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                framed = "Content-Security-Policy" in headers
                for name, value in HEADERS.items():
                    if not (framed and name == "X-Frame-Options"):  # it knows no origins, and the policy says who may
                        headers.setdefault(name, value)
                static = "/static/" in scope["path"]
                headers.setdefault("Cache-Control", "max-age=3600" if static else "no-store")
            await send(message)

        await self._app(scope, receive, with_headers)
