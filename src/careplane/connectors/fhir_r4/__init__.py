"""An EHR's FHIR R4 endpoint over HTTP.

``open({"base_url": "https://ehr.example.org/fhir/r4", "token": "...", "timeout_seconds": "30"})``; only ``base_url`` is
required. TLS certificates are always verified, redirects are never followed, and the token goes to that origin only.
"""

from collections.abc import Mapping
from functools import partial

import httpx

from careplane.connectors.fhir_r4.connector import R4Connector
from careplane.errors import InputError

__all__ = ["CAPABILITIES", "R4Connector", "open"]

CAPABILITIES = frozenset(
    {
        *("read", "search", "paging", "create", "conditional_create"),
        *("update", "etag", "conditional_update", "transaction"),
    }
)

_SETTINGS = ("base_url", "timeout_seconds", "token")
_FHIR_JSON = "application/fhir+json"


def open(settings: Mapping[str, str]) -> R4Connector:  # noqa: A001 - the name that the shelf fixes
    """The connector for one endpoint; nothing is sent yet.

    Raises:
        InputError: an unknown setting, a base URL that is not http(s), or a time-out that is not a number of seconds.
    """
    unknown = sorted(set(settings) - set(_SETTINGS))
    if unknown:
        raise InputError(f"unknown setting; known: {', '.join(_SETTINGS)}", field=unknown[0])
    base_url = _base_url(settings.get("base_url", ""))
    headers = {"Accept": _FHIR_JSON, "Content-Type": _FHIR_JSON}
    if settings.get("token"):
        headers["Authorization"] = f"Bearer {settings['token']}"
    timeout = httpx.Timeout(_seconds(settings.get("timeout_seconds", "30")), connect=10.0)
    return R4Connector(partial(httpx.AsyncClient, base_url=base_url, headers=headers, timeout=timeout))


def _base_url(text: str) -> str:
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL as error:
        raise InputError("is not a URL", field="base_url") from error
    if url.scheme not in ("http", "https") or not url.host:
        raise InputError("must be an http:// or https:// URL", field="base_url")
    if url.userinfo or url.query or url.fragment:
        raise InputError("must hold neither credentials nor a query; give the token as 'token'", field="base_url")
    return text


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError as error:
        raise InputError("must be a number of seconds", field="timeout_seconds") from error
    if not 0 < seconds <= 600:
        raise InputError("must be above 0 and at most 600 seconds", field="timeout_seconds")
    return seconds
