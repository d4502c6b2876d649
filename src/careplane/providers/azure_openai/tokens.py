"""Entra ID tokens: one request each, so no SDK. Why not azure-identity: ``docs/decisions/0016-providers.md``.

Sources: https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow (secret, and a federated
token as ``client_assertion``) and
https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token (managed identity).
"""

import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import orjson

from careplane.errors import SettingsError, UpstreamError, UpstreamRejected
from careplane.providers._options import Options
from careplane.providers._renewed import Renewed
from careplane.providers._upstream import Timeouts, send

NAMES = {
    "tenant_id",
    "client_id",
    "client_secret",
    "client_secret_file",
    "federated_token_path",
    "managed_identity",
    "authority",
    "metadata_url",
    "scope",
}
SCOPE = "https://cognitiveservices.azure.com/.default"
_AUTHORITY = "https://login.microsoftonline.com"
_INSTANCE = "http://169.254.169.254"
_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_QUICK = Timeouts(connect=3.0, first_byte=10.0, total=15.0)


def source(options: Options) -> Renewed[str]:
    """Tokens from the one way that the settings name, kept until shortly before they expire.

    Raises:
        SettingsError: none is named, or a part of it is missing.
    """
    scope = options.text("scope", SCOPE)
    ca_file = options.ca_file
    if options.flag("managed_identity", default=False):
        return Renewed(_managed(options, scope.removesuffix("/.default"), ca_file))
    if options.text("tenant_id"):
        return Renewed(_client(options, scope, ca_file))
    ways = "api_key, or tenant_id and client_id with client_secret or federated_token_path, or managed_identity"
    raise SettingsError(f"is missing: say who asks by one of {ways}", field="api_key")


def _client(options: Options, scope: str, ca_file: str) -> Callable[[], Awaitable[tuple[str, float]]]:
    tenant = quote(options.text("tenant_id"), safe="")
    url = f"{options.url('authority', _AUTHORITY)}/{tenant}/oauth2/v2.0/token"
    form = {
        "grant_type": "client_credentials",
        "client_id": options.needed("client_id", "the application (client) ID that is registered in Entra ID"),
        "scope": scope,
    }
    secret = options.secret("client_secret")
    token_file = options.file("federated_token_path")
    if bool(secret) == bool(token_file):
        raise SettingsError("give either client_secret or federated_token_path", field="client_secret")

    async def fetch() -> tuple[str, float]:
        proof = _assertion(token_file) if token_file else {"client_secret": secret}
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        return await _token("POST", url, headers, urlencode(form | proof).encode(), ca_file)

    return fetch


def _assertion(token_file: str) -> dict[str, str]:
    """The federated token (Kubernetes, GitHub ...), from a file that is rotated, so it is read each time."""
    try:
        token = Path(token_file).read_text(encoding="ascii").strip()
    except (OSError, ValueError) as error:
        raise UpstreamError("The federated token file of this provider cannot be read.") from error
    return {"client_assertion_type": _ASSERTION, "client_assertion": token}


def _managed(options: Options, resource: str, ca_file: str) -> Callable[[], Awaitable[tuple[str, float]]]:
    asked = {"api-version": "2018-02-01", "resource": resource}
    if options.text("client_id"):
        asked["client_id"] = options.text("client_id")
    url = f"{options.url('metadata_url', _INSTANCE)}/metadata/identity/oauth2/token?{urlencode(asked)}"

    async def fetch() -> tuple[str, float]:
        return await _token("GET", url, {"Metadata": "true"}, b"", ca_file)

    return fetch


async def _token(method: str, url: str, headers: Mapping[str, str], body: bytes, ca_file: str) -> tuple[str, float]:
    answer = await send(url, headers, body, _QUICK, method=method, ca_file=ca_file)
    if answer.status in (400, 401, 403):
        message = f"Entra ID does not accept this provider's identity (HTTP {answer.status})."
        raise UpstreamRejected(message, "authentication")
    if answer.status != 200:
        raise UpstreamError(f"Entra ID gave no token (HTTP {answer.status}).")
    return read_token(answer.body, time.time())


def read_token(data: bytes, now: float) -> tuple[str, float]:
    """Token and end, in seconds since 1970; managed identities write the number of seconds as text."""
    try:
        given: dict[str, Any] = orjson.loads(data)
        token, lasts = given["access_token"], float(given["expires_in"])
    except (ValueError, TypeError, KeyError) as error:
        raise UpstreamError("Entra ID sent something that is not a token.") from error
    if not isinstance(token, str) or not token.isascii() or not token.isprintable() or " " in token:
        raise UpstreamError("Entra ID sent something that is not a token.")
    return token, now + lasts
