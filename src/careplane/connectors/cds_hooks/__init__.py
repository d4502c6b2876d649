"""The data of one CDS Hooks call: what the EHR sent along, and what is missing fetched with the token of the call.

``open({"fhir_base_url": "https://ehr.example.org/fhir/r4", "timeout_seconds": "5"})``; ``fhir_base_url`` is the only
place where a token is ever sent. A token lives in the memory of its call: it is never stored, logged or shown.
"""

from collections.abc import Mapping

import httpx

from careplane.connectors.cds_hooks.data import HookData
from careplane.connectors.cds_hooks.fetching import Fetcher, HookConnector
from careplane.errors import InputError

__all__ = ["CAPABILITIES", "Fetcher", "HookConnector", "HookData", "open"]

CAPABILITIES = frozenset({"prefetch", "prefetch_pages", "missing_prefetch", "own_patient_only", "scoped_token"})

_SETTINGS = ("fhir_base_url", "timeout_seconds")


def open(settings: Mapping[str, str]) -> HookConnector:  # noqa: A001 - the name that the shelf fixes
    """The connector for the calls of one EHR; nothing is sent yet.

    Raises:
        InputError: an unknown setting, a base URL that is not http(s), or a time-out that is not a number of seconds.
    """
    unknown = sorted(set(settings) - set(_SETTINGS))
    if unknown:
        raise InputError(f"unknown setting; known: {', '.join(_SETTINGS)}", field=unknown[0])
    return HookConnector(_base_url(settings.get("fhir_base_url", "")), _seconds(settings.get("timeout_seconds") or "5"))


def _base_url(text: str) -> str:
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL as error:
        raise InputError("is not a URL", field="fhir_base_url") from error
    if url.scheme not in ("http", "https") or not url.host or url.userinfo or url.query or url.fragment:
        raise InputError("must be an http:// or https:// URL without credentials or query", field="fhir_base_url")
    return text.rstrip("/")


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError as error:
        raise InputError("must be a number of seconds", field="timeout_seconds") from error
    if not 0 < seconds <= 60:
        raise InputError("must be above 0 and at most 60 seconds", field="timeout_seconds")
    return seconds
