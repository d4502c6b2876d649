"""Our clients at the registered EHRs: one for each, kept while nothing about it changes."""

from pathlib import Path
from typing import Protocol
from urllib.parse import quote

from starlette.requests import Request

from careplane._shelf import load
from careplane.codecs.smart import Identity, Scopes, TokenResponse, origin_of
from careplane.codecs.smart_assertion import Algorithm, public_keys
from careplane.errors import InputError, SettingsError
from careplane.records import JSON
from careplane.records.launch import Ehr
from careplane.server.client_keys import client_key, client_keys, key_path
from careplane.server.ehr import published_keys
from careplane.server.platform import Platform
from careplane.settings import Settings, read_private_file


class Begun(Protocol):
    """A launch on its way."""

    @property
    def url(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def scopes(self) -> Scopes: ...


class SmartClient(Protocol):
    """What the connector ``smart_launch`` gives."""

    async def begin(self, scopes: Scopes, *, verifier: str, nonce: str, launch: str | None = None) -> Begun: ...
    async def check_issuer(self, issuer: str | None) -> None: ...
    async def redeem(self, code: str, verifier: str, asked: Scopes) -> TokenResponse: ...
    async def identify(self, answer: TokenResponse, nonce: str) -> Identity: ...
    async def read(self, reference: str, access_token: str) -> JSON: ...
    async def revoke(self, token: str, hint: str = "refresh_token") -> None: ...
    async def aclose(self) -> None: ...


class SmartClients:
    """The clients of one installation."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._held: dict[tuple[Ehr, str], SmartClient] = {}

    def of(self, ehr: Ehr, base: str) -> SmartClient:
        """The client at an EHR, with our address as the EHR knows it."""
        if (ehr, base) not in self._held:
            self._held[ehr, base] = self._open(ehr, base)
        return self._held[ehr, base]

    def published(self) -> JSON:
        """Our public keys, as a JWK set: those of launches, and that of the backend service where one is set."""
        ours = public_keys(client_keys(self._platform.home))["keys"]
        backend = published_keys(self._platform.settings)["keys"]
        return {"keys": list({key["kid"]: key for key in (*ours, *backend)}.values())}

    async def aclose(self) -> None:
        """Give connections back."""
        for client in self._held.values():
            await client.aclose()
        self._held.clear()

    def _open(self, ehr: Ehr, base: str) -> SmartClient:
        given = {"fhir_base_url": ehr.issuer, "client_id": ehr.client_id, "redirect_uri": redirect_uri(base, ehr)}
        if ehr.credentials != "public":
            given["private_key"] = _private_key(self._platform.home, ehr.credentials)
        client: SmartClient = load("connectors", "smart_launch").open(given)
        return client


def _private_key(home: Path, alg: Algorithm) -> str:
    client_key(home, alg)
    return read_private_file(key_path(home, alg), "private_key")


def redirect_uri(base: str, ehr: Ehr) -> str:
    """Where an EHR sends the browser back to: an address of its own for each EHR, so that the answer of one cannot pass
    for another's (RFC 9700 section 4.4.2)."""
    return f"{base}/smart/callback/{quote(ehr.name)}"


def public_base(settings: Settings, request: Request) -> str:
    """Our address as browsers and EHRs know it: the setting ``public_url``, else how this browser reached us, which is
    one of our own names (others are refused before).

    Raises:
        SettingsError: the setting is no address.
    """
    given = settings.text("public_url")
    if not given:
        return f"{request.url.scheme}://{request.url.netloc}"
    try:
        origin_of(given, "public_url")
    except InputError as error:
        raise SettingsError(error.message, field="public_url") from error
    return given.rstrip("/")
