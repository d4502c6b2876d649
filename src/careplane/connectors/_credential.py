"""What proves to an EHR who asks: nothing, a fixed token, or SMART backend services.

SMART App Launch 2.2, "Backend services": a token by ``client_credentials`` with an assertion signed by our key, scopes
of the level ``system``. The token lives in memory only, is used for 300 seconds at most, and is asked for again before
it expires, or once after the EHR refused it.
"""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol
from urllib.parse import urlencode
from uuid import uuid4
from weakref import WeakKeyDictionary

from careplane.codecs.smart import configuration_url, read_error, read_scopes, read_token, secure_url
from careplane.codecs.smart.tokens import read_object
from careplane.codecs.smart_assertion import ClientKey, assertion_fields, client_assertion
from careplane.connectors._retry import Answer, Sleep, send_with_retry
from careplane.errors import InputError, Refused, UpstreamAway, UpstreamError

LONGEST_SECONDS = 300.0
UNKNOWN_SECONDS = 60.0
"""The life of a token whose answer does not say."""

_WAY_OUT = "Check fhir_client_id, that the EHR knows our public key, and that fhir_scopes are granted there."


class Credential(Protocol):
    """Gives the value of the header ``Authorization``."""

    async def authorization(self) -> str | None:
        """The value to send, or ``None`` for none."""

    def refused(self, value: str | None) -> bool:
        """Told that the EHR refused a value (401); says whether another may help."""


class Fixed:
    """A token that does not change; empty for none. Its text never shows it."""

    def __init__(self, token: str) -> None:
        self._value = f"Bearer {token}" if token else None

    async def authorization(self) -> str | None:
        return self._value

    def refused(self, value: str | None) -> bool:
        return False


class Exchange(Protocol):
    """Sends one request whose answer is small."""

    async def __call__(self, method: str, url: str, form: dict[str, str] | None = None) -> Answer:
        """The answer, whatever its status."""


class BackendServices:
    """A token of the EHR's authorization server, one request for it at a time.

    Args:
        key: signs the assertions.
        client_id: as the EHR registered us.
        scopes: separated by blanks.
        base_url: of the FHIR endpoint, whose ``.well-known/smart-configuration`` names the token endpoint.
        token_url: the token endpoint, when it should not be looked up.
        exchange: sends.
        sleep: waits between attempts.
        clock: counts seconds.
    """

    def __init__(
        self,
        key: ClientKey,
        client_id: str,
        scopes: str,
        base_url: str,
        token_url: str,
        exchange: Exchange,
        sleep: Sleep = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._key, self._client_id = key, client_id
        self._scopes = read_scopes(scopes)
        self._base_url, self._token_url = base_url, token_url
        self._exchange, self._sleep, self._clock = exchange, sleep, clock
        self._locks: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()
        self._value: str | None = None
        self._renew_at = 0.0

    def __repr__(self) -> str:
        return f"BackendServices(client_id={self._client_id!r}, key={self._key!r})"

    async def authorization(self) -> str:
        """The header's value; fetched when there is none or it is about to expire.

        Raises:
            Refused: the authorization server gives no token; names its error code.
            UpstreamError: it does not answer, or with what is no token.
        """
        lock = self._locks.setdefault(asyncio.get_running_loop(), asyncio.Lock())
        async with lock:
            if self._value is None or self._clock() >= self._renew_at:
                await self._fetch()
            return self._value or ""

    def refused(self, value: str | None) -> bool:
        """Drop the token, unless another took its place meanwhile."""
        if value == self._value:
            self._value = None
        return True

    async def _fetch(self) -> None:
        url = self._token_url or await self._discover()
        answer = await send_with_retry(lambda: self._ask(url), "POST token", self._sleep, repeatable=True)
        if answer.status in (400, 401, 403):
            raise Refused([f"The EHR gave no token ({read_error(answer.content)})."], _WAY_OUT)
        if answer.status != 200:
            told = f"POST token: the EHR's authorization server answered HTTP {answer.status}."
            raise UpstreamAway(told, "ehr") if answer.status >= 429 else UpstreamError(told)
        try:
            token = read_token(answer.content, self._scopes)
        except InputError as error:
            raise UpstreamError(f"POST token: the answer is no token ({error}).") from error
        lifetime = min(token.expires_in or UNKNOWN_SECONDS, LONGEST_SECONDS)
        self._renew_at = self._clock() + lifetime - min(30.0, lifetime / 5)
        self._value = f"Bearer {token.access_token}"
        self._token_url = url

    async def _ask(self, url: str) -> Answer:
        """One request; each has an assertion of its own, as a server refuses a ``jti`` that it has seen."""
        assertion = client_assertion(self._key, self._client_id, url, datetime.now(UTC), uuid4().hex)
        form = {"grant_type": "client_credentials", "scope": str(self._scopes), **assertion_fields(assertion)}
        return await self._exchange("POST", url, form)

    async def _discover(self) -> str:
        url = configuration_url(self._base_url)
        answer = await send_with_retry(
            lambda: self._exchange("GET", url), "GET smart-configuration", self._sleep, repeatable=True
        )
        if answer.status != 200:
            told = f"GET smart-configuration: the EHR answered HTTP {answer.status}."
            raise UpstreamError(f"{told} Set fhir_token_url to the URL of its token endpoint.")
        try:
            given = read_object(answer.content, "smart-configuration")
            self._check_algorithm(given.get("token_endpoint_auth_signing_alg_values_supported"))
            return secure_url(str(given.get("token_endpoint") or ""), "token_endpoint")
        except InputError as error:
            raise UpstreamError(f"GET smart-configuration: {error}. Set fhir_token_url.") from error

    def _check_algorithm(self, offered: object) -> None:
        if isinstance(offered, list) and offered and self._key.alg not in offered:
            raise Refused(
                [f"The EHR does not take assertions signed with {self._key.alg}."],
                f"Use a key for one of: {', '.join(str(one)[:10] for one in offered[:10])}.",
            )


def token_form(form: dict[str, str]) -> bytes:
    """A form as it goes over the wire."""
    return urlencode(form).encode()
