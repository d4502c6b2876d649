"""The settings of an EHR's endpoint, the same for all items that speak to one."""

from collections.abc import Mapping
from functools import partial

import httpx

from careplane.codecs.smart import secure_url
from careplane.codecs.smart_assertion import read_client_key
from careplane.connectors._credential import BackendServices, Fixed
from careplane.connectors._endpoint import Endpoint
from careplane.connectors._http import checked_url
from careplane.errors import InputError

ENDPOINT_SETTINGS = ("base_url", "client_id", "key", "scopes", "timeout_seconds", "token", "token_url")
"""``base_url`` is needed. ``token`` is a fixed bearer token; or ``client_id``, ``key`` (a private key, PEM or JWK) and
``scopes`` ask for one by SMART backend services, at ``token_url`` or where the EHR's configuration says."""

_TOGETHER = ("client_id", "key", "scopes")
CONNECT_SECONDS = 10.0


def open_endpoint(settings: Mapping[str, str], also: tuple[str, ...] = ()) -> Endpoint:
    """The endpoint of some settings; nothing is sent yet. ``also`` names settings that are the item's own.

    Raises:
        InputError: an unknown setting, a base URL that is not https (http on loopback), a time-out that is not a number
            of seconds, a key that cannot sign, or settings that do not go together.
    """
    known = sorted((*ENDPOINT_SETTINGS, *also))
    unknown = sorted(set(settings) - set(known))
    if unknown:
        raise InputError(f"unknown setting; known: {', '.join(known)}", field=unknown[0])
    base_url = checked_url(settings.get("base_url", ""))
    seconds = _seconds(settings.get("timeout_seconds", "30"))
    timeout = httpx.Timeout(seconds, connect=min(seconds, CONNECT_SECONDS))
    fixed = Fixed(settings.get("token", ""))
    endpoint = Endpoint(base_url, partial(httpx.AsyncClient, timeout=timeout), fixed, seconds)
    if not any(settings.get(name) for name in (*_TOGETHER, "token_url")):
        return endpoint
    return endpoint.with_credential(_backend_services(settings, endpoint))


def _backend_services(settings: Mapping[str, str], endpoint: Endpoint) -> BackendServices:
    if settings.get("token"):
        raise InputError("give either a fixed token or client_id, key and scopes", field="token")
    for name in _TOGETHER:
        if not settings.get(name):
            raise InputError("is needed for SMART backend services, beside client_id, key and scopes", field=name)
    return BackendServices(
        read_client_key(settings["key"]),
        settings["client_id"],
        settings["scopes"],
        endpoint.base_url,
        _token_url(settings.get("token_url", "")),
        endpoint.exchange,
    )


def _token_url(text: str) -> str:
    return secure_url(text, "token_url") if text else ""


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError as error:
        raise InputError("must be a number of seconds", field="timeout_seconds") from error
    if not 0 < seconds <= 600:
        raise InputError("must be above 0 and at most 600 seconds", field="timeout_seconds")
    return seconds
