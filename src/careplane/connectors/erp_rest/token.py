"""The bearer token of an ERP's interface: fixed, or got by client credentials and renewed before it ends."""

import asyncio
import time
from collections.abc import Callable
from typing import Protocol

import httpx
import msgspec

from careplane.connectors._http import Http
from careplane.errors import Refused, UpstreamError, UpstreamTimeout

EARLY_SECONDS = 30.0
DEFAULT_SECONDS = 300.0


class Token(Protocol):
    """Where the token comes from."""

    async def get(self, *, renew: bool = False) -> str:
        """The token now; ``renew`` after the interface did not take the last one."""

    async def aclose(self) -> None:
        """Give connections back."""


class Fixed:
    """A token of the settings, or none."""

    def __init__(self, token: str) -> None:
        self._token = token

    async def get(self, *, renew: bool = False) -> str:
        """The token."""
        return self._token

    async def aclose(self) -> None:
        """Nothing is open."""


class _Answer(msgspec.Struct):
    access_token: str
    token_type: str = "bearer"  # noqa: S105 - the type, not a token
    expires_in: float = DEFAULT_SECONDS


class ClientCredentials:
    """RFC 6749, section 4.4, with the client's secret by HTTP Basic (2.3.1)."""

    def __init__(
        self, http: Http, url: str, client: tuple[str, str], scope: str, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._http, self._url, self._client, self._scope, self._now = http, url, client, scope, now
        self._held = ""
        self._until = 0.0
        self._lock = asyncio.Lock()

    async def get(self, *, renew: bool = False) -> str:
        """A token that holds for a while.

        Raises:
            Refused: the authorization server does not accept the client.
            UpstreamError: it does not answer, or not with a token.
        """
        async with self._lock:
            if renew or self._now() >= self._until:
                answer = await self._ask()
                self._held, self._until = answer.access_token, self._now() + max(0.0, answer.expires_in - EARLY_SECONDS)
            return self._held

    async def aclose(self) -> None:
        """Close the connections of the running event loop."""
        await self._http.aclose()

    async def _ask(self) -> _Answer:
        form = {"grant_type": "client_credentials", **({"scope": self._scope} if self._scope else {})}
        client = self._http.client
        request = client.build_request("POST", self._url, data=form)
        auth = httpx.BasicAuth(*self._client)
        request = next(auth.auth_flow(request))
        try:
            response = await self._http.send(request, repeatable=True)
        except httpx.TimeoutException as error:
            raise UpstreamTimeout("The ERP's authorization server did not answer in time. Check token_url.") from error
        except httpx.TransportError as error:
            told = f"No connection to the ERP's authorization server ({type(error).__name__}). Check token_url."
            raise UpstreamError(told) from error
        if response.status_code in (400, 401, 403):
            raise Refused(
                ["The ERP's authorization server does not accept this client."],
                "Check client_id, client_secret, scope.",
            )
        if not response.is_success:
            raise UpstreamError(f"The ERP's authorization server answered {response.status_code}. Try again later.")
        try:
            answer = msgspec.json.decode(response.content, type=_Answer)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise UpstreamError(
                "The ERP's authorization server did not answer with a token. Check token_url."
            ) from error
        if answer.token_type.lower() != "bearer" or not answer.access_token.isprintable():
            raise UpstreamError("The ERP's authorization server gave a token that is no bearer token.")
        return answer
