"""The apps that are registered at the sandbox EHR, and how each proves who it is."""

import hmac
from collections.abc import Mapping
from datetime import UTC, datetime

from careplane.codecs.jwt import Expected, peek, verify
from careplane.codecs.smart import Scopes, read_scopes
from careplane.codecs.smart_assertion import ASSERTION_TYPE
from careplane.connectors._jwks import Jwks
from careplane.errors import CareplaneError
from careplane.records import JSON, Record
from careplane.sandbox.smart.grants import Grants


class RegisteredClient(Record, frozen=True):
    """An app as the EHR knows it. With neither ``jwks_uri`` nor ``jwks`` it is a public client.

    ``launch_url`` is where an EHR launch goes; ``scopes`` are all that it may be granted (empty: whatever it asks).
    """

    id: str
    title: str
    redirect_uris: tuple[str, ...] = ()
    launch_url: str = ""
    jwks_uri: str | None = None
    jwks: JSON | None = None
    scopes: str = ""

    @property
    def public(self) -> bool:
        return self.jwks_uri is None and self.jwks is None

    def granted(self, asked: Scopes) -> Scopes:
        """Of what is asked, what it may have."""
        return read_scopes(self.scopes).without_excess(asked) if self.scopes else asked


class Authentication:
    """Who sent a form to the token endpoint."""

    def __init__(self, clients: Mapping[str, RegisteredClient], grants: Grants, jwks: Jwks) -> None:
        self._clients, self._grants, self._jwks = clients, grants, jwks

    async def client_of(self, form: Mapping[str, str], token_url: str) -> RegisteredClient | None:
        """The client, or ``None`` when it does not prove who it is.

        A public client only says its name; PKCE ties it to its request. Every other one signs (RS384 or ES384), for
        this endpoint, with a ``jti`` that was not seen before.
        """
        if form.get("client_assertion"):
            return await self._signed(form, token_url)
        client = self._clients.get(form.get("client_id", ""))
        return client if client is not None and client.public else None

    async def _signed(self, form: Mapping[str, str], token_url: str) -> RegisteredClient | None:
        token = form["client_assertion"]
        if not hmac.compare_digest(form.get("client_assertion_type", ""), ASSERTION_TYPE):
            return None
        try:
            seen = peek(token)
            client = self._clients.get(seen.issuer or "")
            if client is None or client.public:
                return None
            keys = client.jwks or await self._jwks.keys(client.jwks_uri or "", seen.kid)
            expected = Expected(issuer=client.id, audience=token_url, algorithms=("RS384", "ES384"), max_age=300.0)
            claims = verify(token, keys, expected, datetime.fromtimestamp(self._grants.now(), UTC))
        except CareplaneError:
            return None
        if claims.subject != client.id or not self._grants.fresh_jti(client.id, claims.jti or "", claims.expires):
            return None
        return client
