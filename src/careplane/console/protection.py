"""Plain ASGI middleware: the names a browser may call us by, and the headers every answer carries."""

from collections.abc import Sequence

from starlette.datastructures import MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


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
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                static = "/static/" in scope["path"]
                headers.setdefault("Cache-Control", "max-age=3600" if static else "no-store")
            await send(message)

        await self._app(scope, receive, with_headers)
