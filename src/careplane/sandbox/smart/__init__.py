"""The sandbox EHR as SMART apps meet it: an authorization server, a FHIR API behind its tokens, and a few pages.

It stands in front of the FHIR server of :mod:`careplane.sandbox.ehr`, on loopback, for synthetic data only. Nobody
signs in: whoever opens its pages chooses which practitioner to be.
"""

import socket
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import TracebackType

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from careplane.codecs.smart.configuration import PATH
from careplane.sandbox.smart.authorization import AuthorizationServer
from careplane.sandbox.smart.clients import RegisteredClient
from careplane.sandbox.smart.fhir import FhirProxy
from careplane.sandbox.smart.grants import Grant
from careplane.sandbox.smart.pages import EhrPages

__all__ = ["AuthorizationServer", "Grant", "RegisteredClient", "SmartEhr"]


class SmartEhr:
    """A SMART EHR on a port of 127.0.0.1, as a context manager.

    Args:
        upstream: base URL of the FHIR server behind it.
        port: 0 takes a free one.
        name: what browsers call it: ``localhost`` makes it another site than an app on ``127.0.0.1``.
        says_issuer: whether answers name the issuer (RFC 9207).
        server: makes the authorization server from its issuer and FHIR base; a test gives one that misbehaves.
    """

    def __init__(
        self,
        upstream: str,
        *,
        port: int = 0,
        name: str = "127.0.0.1",
        says_issuer: bool = True,
        server: type[AuthorizationServer] = AuthorizationServer,
    ) -> None:
        self._listener = socket.create_server(("127.0.0.1", port))
        self.address = f"http://{name}:{self._listener.getsockname()[1]}"
        self.fhir_base = f"{self.address}/fhir"
        self.server = server(self.address, self.fhir_base, says_issuer=says_issuer)
        oauth = {"authorize": self.server.url("authorize"), "token": self.server.url("token")}
        self.fhir = FhirProxy(upstream, self.fhir_base, self.server.grants, oauth)
        self.pages = EhrPages(self.server, self.fhir)
        self._uvicorn = uvicorn.Server(uvicorn.Config(self._app(), log_level="error", access_log=False))
        self._thread = threading.Thread(target=self._uvicorn.run, kwargs={"sockets": [self._listener]}, daemon=True)

    def register(self, client: RegisteredClient) -> None:
        """Let an app be opened here; the same id again replaces it."""
        self.server.clients[client.id] = client

    def __enter__(self) -> "SmartEhr":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._uvicorn.should_exit = True
        self._thread.join(10)
        self._listener.close()

    def _app(self) -> Starlette:
        server, pages = self.server, self.pages

        @asynccontextmanager
        async def lifespan(_app: Starlette) -> AsyncIterator[None]:
            yield
            await self.fhir.client.aclose()

        return Starlette(
            lifespan=lifespan,
            routes=[
                Route("/", pages.home),
                Route("/chart/{patient}", pages.chart),
                Route("/launch", pages.launch, methods=["POST"]),
                Route("/auth/authorize", pages.authorize, methods=["GET", "POST"]),
                Route("/auth/token", server.token, methods=["POST"]),
                Route("/auth/introspect", server.introspect, methods=["POST"]),
                Route("/auth/revoke", server.revoke, methods=["POST"]),
                Route("/auth/jwks", server.jwks),
                Route(f"/fhir/{PATH}", self._configuration),
                Route("/.well-known/openid-configuration", self._configuration),
                Route("/fhir/{path:path}", self.fhir.__call__, methods=["GET", "POST", "PUT", "DELETE"]),
            ],
        )

    async def _configuration(self, _request: Request) -> Response:
        return JSONResponse(self.server.configuration())
