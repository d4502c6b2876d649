"""The authorization and token endpoints of the sandbox EHR, as SMART App Launch 2.2 has them."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from urllib.parse import urlencode

from joserfc import jwt
from joserfc.jwk import RSAKey
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from careplane.codecs.smart import LaunchContext, Scopes, read_scopes, verifier_fits
from careplane.connectors._jwks import Jwks
from careplane.errors import CareplaneError
from careplane.records import JSON
from careplane.sandbox.smart.clients import Authentication, RegisteredClient
from careplane.sandbox.smart.grants import ACCESS_SECONDS, Grant, Grants

NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}
BACKEND_SECONDS = 300


class AuthorizationServer:
    """OAuth for the apps of one EHR.

    Args:
        issuer: our own address, which is also the issuer of id_tokens.
        fhir_base: the FHIR API that tokens are for.
        says_issuer: whether answers name the issuer (RFC 9207), as a careful server does.
    """

    def __init__(self, issuer: str, fhir_base: str, *, says_issuer: bool = True) -> None:
        self.issuer, self.fhir_base, self._says_issuer = issuer, fhir_base, says_issuer
        self.clients: dict[str, RegisteredClient] = {}
        self.grants = Grants()
        self.key = _signing_key()
        self._authentication = Authentication(self.clients, self.grants, Jwks())

    def url(self, name: str) -> str:
        """One of our endpoints: ``authorize``, ``token``, ``introspect``, ``revoke``, ``jwks``."""
        return f"{self.issuer}/auth/{name}"

    def configuration(self) -> JSON:
        """What ``.well-known/smart-configuration`` says."""
        return {
            "issuer": self.issuer,
            "jwks_uri": self.url("jwks"),
            "authorization_endpoint": self.url("authorize"),
            "token_endpoint": self.url("token"),
            "introspection_endpoint": self.url("introspect"),
            "revocation_endpoint": self.url("revoke"),
            "grant_types_supported": ["authorization_code", "client_credentials", "refresh_token"],
            "response_types_supported": ["code"],
            "token_endpoint_auth_methods_supported": ["private_key_jwt", "none"],
            "token_endpoint_auth_signing_alg_values_supported": ["RS384", "ES384"],
            "code_challenge_methods_supported": ["S256"],
            "scopes_supported": ["openid", "fhirUser", "launch", "launch/patient", "online_access", "offline_access",
                                 "patient/*.cruds", "user/*.cruds", "system/*.cruds"],
            "authorization_response_iss_parameter_supported": self._says_issuer,
            "capabilities": [
                "launch-ehr", "launch-standalone", "authorize-post", "client-public",
                "client-confidential-asymmetric", "sso-openid-connect", "context-banner", "context-ehr-patient",
                "context-ehr-encounter", "context-standalone-patient", "permission-offline", "permission-online",
                "permission-patient", "permission-user", "permission-v1", "permission-v2",
            ],
        }  # fmt: skip

    def checked(self, query: Mapping[str, str]) -> tuple[RegisteredClient | None, str]:
        """The client of an authorization request and what is wrong with it (an OAuth error word; "" when nothing is).

        Without a client nobody may be redirected: the redirect URI is unknown, or not exactly one that was registered.
        """
        client = self.clients.get(query.get("client_id", ""))
        if client is None or query.get("redirect_uri") not in client.redirect_uris:
            return None, "invalid_client"
        if query.get("response_type") != "code":
            return client, "unsupported_response_type"
        challenged = query.get("code_challenge") and query.get("code_challenge_method") == "S256"
        if not challenged or not query.get("state") or query.get("aud", "").rstrip("/") != self.fhir_base:
            return client, "invalid_request"
        return client, ""

    def redirect(self, query: Mapping[str, str], **answer: str) -> Response:
        """Send the browser back to the app."""
        fields = {**answer, "state": query.get("state", "")}
        if self._says_issuer:
            fields["iss"] = self.issuer
        target = query["redirect_uri"]
        return RedirectResponse(f"{target}{'&' if '?' in target else '?'}{urlencode(fields)}", 302, NO_STORE)

    def approve(
        self, query: Mapping[str, str], client: RegisteredClient, user: str, context: LaunchContext
    ) -> Response:
        """Send the browser back with a code for what the client may have of what it asked."""
        try:
            scopes = client.granted(read_scopes(query.get("scope", "")))
        except CareplaneError:
            return self.redirect(query, error="invalid_scope")
        grant = Grant(
            client=client.id,
            scopes=scopes,
            user=user,
            context=context,
            redirect_uri=query["redirect_uri"],
            challenge=query["code_challenge"],
            nonce=query.get("nonce"),
        )
        return self.redirect(query, code=self.grants.code(grant))

    async def token(self, request: Request) -> Response:
        """``POST /auth/token``: a code, a refresh token, or a backend service's own word."""
        form = await _form(request)
        client = await self._authentication.client_of(form, self.url("token"))
        if client is None:
            return _refused("invalid_client", 401)
        kind = form.get("grant_type")
        if kind == "authorization_code":
            return self._by_code(form, client)
        if kind == "refresh_token":
            return self._by_refresh(form, client)
        if kind == "client_credentials":
            return self._by_itself(form, client)
        return _refused("unsupported_grant_type")

    async def introspect(self, request: Request) -> Response:
        """``POST /auth/introspect``, for registered clients."""
        form = await _form(request)
        if await self._authentication.client_of(form, self.url("token")) is None:
            return _refused("invalid_client", 401)
        grant = self.grants.find(form.get("token", ""))
        if grant is None:
            return JSONResponse({"active": False}, headers=NO_STORE)
        told = {"active": True, "scope": str(grant.scopes), "client_id": grant.client, "exp": int(grant.expires)}
        if "openid" in grant.scopes.others and grant.user:
            told |= {"iss": self.issuer, "sub": _subject(grant.user), "fhirUser": f"{self.fhir_base}/{grant.user}"}
        return JSONResponse({**told, **_context(grant)}, headers=NO_STORE)

    async def revoke(self, request: Request) -> Response:
        """``POST /auth/revoke``: 200 whether there was such a token or not."""
        form = await _form(request)
        client = await self._authentication.client_of(form, self.url("token"))
        if client is None:
            return _refused("invalid_client", 401)
        self.grants.revoke(form.get("token", ""), client.id)
        return Response(status_code=200, headers=NO_STORE)

    async def jwks(self, _request: Request) -> Response:
        """``GET /auth/jwks``: the key behind our id_tokens."""
        return JSONResponse({"keys": [self.key.as_dict(private=False)]})

    def id_token(self, grant: Grant) -> str:
        """Who launched, signed."""
        now = int(self.grants.now())
        claims = {"iss": self.issuer, "sub": _subject(grant.user or ""), "aud": grant.client, "iat": now,
                  "exp": now + 300, "fhirUser": f"{self.fhir_base}/{grant.user}"}  # fmt: skip
        if grant.nonce is not None:
            claims["nonce"] = grant.nonce
        return jwt.encode({"alg": "RS256", "kid": "sandbox-1", "typ": "JWT"}, claims, self.key)

    def _by_code(self, form: Mapping[str, str], client: RegisteredClient) -> Response:
        grant = self.grants.take_code(form.get("code", ""))
        if grant is None or grant.client != client.id or grant.redirect_uri != form.get("redirect_uri"):
            return _refused("invalid_grant")
        if not verifier_fits(form.get("code_verifier", ""), grant.challenge):
            return _refused("invalid_grant")
        return self._answer(grant, with_identity=True)

    def _by_refresh(self, form: Mapping[str, str], client: RegisteredClient) -> Response:
        try:
            wanted = read_scopes(form["scope"]) if form.get("scope") else None
        except CareplaneError:
            return _refused("invalid_scope")
        grant = self.grants.take_refresh(form.get("refresh_token", ""), client.id)
        if grant is None:
            return _refused("invalid_grant")
        if wanted is not None and not grant.scopes.implies(wanted):
            return _refused("invalid_scope")
        return self._answer(grant if wanted is None else replace(grant, scopes=wanted))

    def _by_itself(self, form: Mapping[str, str], client: RegisteredClient) -> Response:
        """Backend services: only a client that signs, and only system scopes."""
        try:
            asked = read_scopes(form.get("scope", ""))
        except CareplaneError:
            return _refused("invalid_scope")
        system = all(one.level == "system" for one in asked.resources)
        granted = client.granted(asked)
        if client.public or not asked.resources or asked.others or not system or not granted.resources:
            return _refused("invalid_scope" if not client.public else "unauthorized_client")
        access, _ = self.grants.tokens(Grant(client=client.id, scopes=granted))
        body = {"access_token": access, "token_type": "bearer", "expires_in": BACKEND_SECONDS, "scope": str(granted)}
        return JSONResponse(body, headers=NO_STORE)

    def _answer(self, grant: Grant, *, with_identity: bool = False) -> Response:
        access, refresh = self.grants.tokens(grant)
        body: JSON = {
            "access_token": access,
            "token_type": "Bearer",
            "expires_in": int(ACCESS_SECONDS),
            "scope": str(grant.scopes),
            **_context(grant),
        }
        if refresh is not None:
            body["refresh_token"] = refresh
        if with_identity and {"openid", "fhirUser"} <= set(grant.scopes.others):
            body["id_token"] = self.id_token(grant)
        return JSONResponse(body, headers=NO_STORE)


@cache
def _signing_key() -> RSAKey:
    """The key behind our id_tokens, one for each process."""
    return RSAKey.generate_key(2048, {"kid": "sandbox-1", "use": "sig", "alg": "RS256"})


def _context(grant: Grant) -> JSON:
    """The launch context, as it stands in a token response: ids, and only what was asked for with ``launch``."""
    words = set(grant.scopes.others)
    if not words & {"launch", "launch/patient", "launch/encounter"}:
        return {}
    context = grant.context
    told: JSON = {"need_patient_banner": context.banner}
    for name, value in (("patient", context.patient), ("encounter", context.encounter)):
        if value is not None:
            told[name] = value.partition("/")[2]
    for name, value in (("intent", context.intent), ("tenant", context.tenant), ("appContext", context.app_context)):
        if value is not None:
            told[name] = value
    if context.fhir_context:
        told["fhirContext"] = [{"reference": item.reference, "role": item.role} for item in context.fhir_context]
    return told


def _subject(user: str) -> str:
    return user.partition("/")[2]


async def _form(request: Request) -> dict[str, str]:
    async with asyncio.timeout(10):
        form = await request.form(max_files=0, max_fields=30, max_part_size=65_536)
    return {name: value for name, value in form.items() if isinstance(value, str)}


def _refused(word: str, status: int = 400) -> Response:
    return JSONResponse({"error": word}, status, NO_STORE)


def asked_scopes(query: Mapping[str, str]) -> Scopes:
    """The scopes of a request; none when they cannot be read."""
    try:
        return read_scopes(query.get("scope", ""))
    except CareplaneError:
        return Scopes()
