"""The OAuth client of one EHR: discovery, the authorization code with PKCE, refresh, introspection, revocation."""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

import orjson

from careplane.codecs import smart
from careplane.codecs.jwt import peek
from careplane.codecs.smart import (
    AuthorizationRequest,
    Identity,
    Introspection,
    Scopes,
    SmartConfiguration,
    TokenResponse,
)
from careplane.codecs.smart_assertion import ClientKey, assertion_fields, client_assertion
from careplane.connectors._jwks import Jwks
from careplane.connectors.smart_launch.exchange import Exchange
from careplane.errors import InputError, TokenError, UpstreamError, UpstreamRejected
from careplane.records import JSON

FRESH_SECONDS = 600.0
STALE_SECONDS = 3600.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Begun:
    """A launch on its way: where the browser goes, and what must be the same when it comes back."""

    url: str
    state: str
    scopes: Scopes


class SmartClient:
    """One client at one EHR. Tokens are given to the caller and not kept; nothing here writes to a log.

    Args:
        fhir_base: base URL of its FHIR API, exactly as it launches (``iss``), which is also the ``aud``.
        client_id: as the EHR registered us.
        redirect_uri: where the browser comes back, exactly as registered.
        key: signs client assertions; ``None`` for a public client.
        exchange: HTTP.
        clock: the time, aware.
        ticks: counts seconds, for the cache of the configuration.
    """

    def __init__(
        self,
        *,
        fhir_base: str,
        client_id: str,
        redirect_uri: str,
        key: ClientKey | None,
        exchange: Exchange,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._base, self._client_id, self._redirect_uri, self._key = fhir_base, client_id, redirect_uri, key
        self._exchange, self._clock, self._ticks = exchange, clock, ticks
        self._jwks = Jwks()
        self._held: tuple[SmartConfiguration, float] | None = None

    async def discover(self) -> SmartConfiguration:
        """The configuration of the EHR; kept for ten minutes, and for an hour while the EHR does not give it.

        Raises:
            UpstreamError: it is not given, or not as the specification demands.
        """
        if self._held is not None and self._ticks() - self._held[1] < FRESH_SECONDS:
            return self._held[0]
        what = "GET smart-configuration"
        try:
            body = await self._exchange.get(smart.configuration_url(self._base), what)
        except UpstreamError:
            if self._held is not None and self._ticks() - self._held[1] < STALE_SECONDS:
                return self._held[0]
            raise
        configuration = _understood(lambda: smart.read_configuration(body), what)
        self._held = (configuration, self._ticks())
        return configuration

    async def begin(self, scopes: Scopes, *, verifier: str, nonce: str, launch: str | None = None) -> Begun:
        """Where to send the browser.

        Args:
            scopes: what to ask for.
            verifier: the PKCE secret of this launch; the caller keeps it with the browser.
            nonce: what the id_token must repeat.
            launch: the handle of an EHR launch; ``None`` for a standalone one.

        Raises:
            UpstreamRejected: the EHR does not offer this kind of launch.
        """
        configuration = await self.discover()
        kind = "launch-standalone" if launch is None else "launch-ehr"
        if configuration.authorization_endpoint is None or not configuration.can(kind):
            raise UpstreamRejected(f"The EHR does not offer {kind}. Ask its administrator.", "unsupported")
        state = secrets.token_urlsafe(32)
        request = AuthorizationRequest(
            client_id=self._client_id,
            redirect_uri=self._redirect_uri,
            scopes=scopes,
            state=state,
            aud=self._base,
            challenge=smart.challenge_of(verifier),
            launch=launch,
            nonce=nonce,
        )
        return Begun(smart.authorize_url(configuration.authorization_endpoint, request), state, scopes)

    async def check_issuer(self, issuer: str | None) -> None:
        """Whether an answer that names its issuer comes from this EHR (RFC 9207), against a mix-up of two.

        Raises:
            TokenError: it comes from another, or should have named its issuer and did not.
        """
        configuration = await self.discover()
        if issuer is None and not configuration.iss_in_response:
            return
        if issuer != configuration.issuer:
            raise TokenError("The answer comes from another EHR than the one that was asked.", "issuer")

    async def redeem(self, code: str, verifier: str, asked: Scopes) -> TokenResponse:
        """Trade the code for a token.

        Raises:
            UpstreamRejected: the EHR refused: the code is used, too old or not ours.
        """
        form = smart.code_form(code, self._redirect_uri, verifier)
        return await self._token(form, asked)

    async def refresh(self, refresh_token: str, granted: Scopes, narrower: Scopes | None = None) -> TokenResponse:
        """A new access token without the browser (``online_access`` or ``offline_access`` was granted).

        Args:
            refresh_token: of an earlier answer; the new answer may carry its successor.
            granted: the scopes of the earlier answer.
            narrower: ask for less than was granted.
        """
        return await self._token(smart.refresh_form(refresh_token, narrower), narrower or granted)

    async def identify(self, answer: TokenResponse, nonce: str) -> Identity:
        """Who launched: the id_token of a token response, verified.

        Raises:
            TokenError: there is none, or it does not hold.
        """
        configuration = await self.discover()
        if answer.id_token is None:
            raise TokenError("The EHR did not say who launched: no id_token. Ask it to allow openid fhirUser.", "claim")
        if configuration.issuer is None or configuration.jwks_uri is None:
            raise TokenError("The EHR names no issuer and keys for its id_token (sso-openid-connect).", "key")
        keys = await self._jwks.keys(configuration.jwks_uri, peek(answer.id_token).kid)
        return smart.read_identity(
            answer.id_token,
            keys,
            issuer=configuration.issuer,
            client_id=self._client_id,
            nonce=nonce,
            fhir_base=self._base,
            now=self._clock(),
        )

    async def introspect(self, token: str) -> Introspection:
        """What the EHR says of a token.

        Raises:
            UpstreamRejected: it has no introspection, or refuses us.
        """
        configuration = await self.discover()
        url = _offered(configuration.introspection_endpoint, "introspection")
        form = {**smart.introspection_form(token), **await self._credentials()}
        body = await self._exchange.post(url, form, "POST introspection")
        return _understood(lambda: smart.read_introspection(body), "POST introspection")

    async def revoke(self, token: str, hint: str = "refresh_token") -> None:
        """End a token before its time; ending one that is over is no error (RFC 7009 section 2.2)."""
        configuration = await self.discover()
        url = _offered(configuration.revocation_endpoint, "revocation")
        form = {**smart.revocation_form(token, hint), **await self._credentials()}
        await self._exchange.post(url, form, "POST revocation")

    async def read(self, reference: str, access_token: str) -> JSON:
        """A resource, read with the rights of the person who launched.

        Raises:
            InputError: it is no reference such as ``Patient/123``.
            UpstreamRejected: the token does not allow it.
        """
        target = smart.relative_reference(reference, "reference")
        what = f"GET {target.partition('/')[0]}"
        headers = {"Accept": "application/fhir+json", "Authorization": f"Bearer {access_token}"}
        body = await self._exchange.get(f"{self._base.rstrip('/')}/{target}", what, headers)
        try:
            given = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise UpstreamError(f"{what}: the EHR answered something that is not JSON.") from error
        if type(given) is not dict or f"{given.get('resourceType')}/{given.get('id')}" != target:
            raise UpstreamError(f"{what}: the EHR answered another resource than was asked for.")
        return given

    async def aclose(self) -> None:
        """Give connections back."""
        await self._exchange.aclose()

    async def _token(self, form: dict[str, str], asked: Scopes) -> TokenResponse:
        configuration = await self.discover()
        sent = {**form, **await self._credentials()}
        body = await self._exchange.post(configuration.token_endpoint, sent, "POST token")
        return _understood(lambda: smart.read_token(body, asked), "POST token")

    async def _credentials(self) -> dict[str, str]:
        """An assertion for the token endpoint; a public client only says its name."""
        if self._key is None:
            return {"client_id": self._client_id}
        configuration = await self.discover()
        if configuration.signing_algorithms and self._key.alg not in configuration.signing_algorithms:
            offered = ", ".join(configuration.signing_algorithms)
            raise UpstreamRejected(f"The EHR takes client assertions of {offered}, not {self._key.alg}.", "algorithm")
        jti = secrets.token_urlsafe(24)
        assertion = client_assertion(self._key, self._client_id, configuration.token_endpoint, self._clock(), jti)
        return assertion_fields(assertion)


def _understood(read: Callable[[], T], what: str) -> T:
    """What a codec reads from an answer; the other side is told apart from our own caller."""
    try:
        return read()
    except InputError as error:
        raise UpstreamRejected(f"{what}: the EHR's answer is not as SMART demands: {error}.", "malformed") from error


def _offered(url: str | None, what: str) -> str:
    if url is None:
        raise UpstreamRejected(f"The EHR offers no {what}.", "unsupported")
    return url
