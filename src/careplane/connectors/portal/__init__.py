"""The patient portal: a FHIR Communication in the record system, which the portal shows.

Where the EHR is open already, give its connector to :class:`PortalSender`. On its own,
``open({"base_url": "https://...", "token": "..."})`` takes the address of a portal's
FHIR R4 endpoint and writes to it directly.
"""

from collections.abc import Mapping
from functools import partial

import httpx

from careplane.connectors._http import Http, checked_seconds, checked_url, only_known
from careplane.connectors.portal.endpoint import PortalEndpoint
from careplane.connectors.portal.sender import PortalSender

__all__ = ["CAPABILITIES", "PortalSender", "open"]

CAPABILITIES: frozenset[str] = frozenset({"send", "idempotent"})

_SETTINGS = ("base_url", "timeout_seconds", "token")


def open(settings: Mapping[str, str]) -> PortalSender:  # noqa: A001 - the name that the shelf fixes
    """The sender for one FHIR endpoint; nothing is sent yet.

    Raises:
        InputError: an unknown setting, or a base URL that is none.
    """
    only_known(settings, _SETTINGS)
    headers = {"Accept": "application/fhir+json", "Content-Type": "application/fhir+json"}
    if settings.get("token"):
        headers["Authorization"] = f"Bearer {settings['token']}"
    timeout = httpx.Timeout(checked_seconds(settings.get("timeout_seconds", "30")), connect=10.0)
    client = partial(
        httpx.AsyncClient, base_url=checked_url(settings.get("base_url", "")), headers=headers, timeout=timeout
    )
    return PortalSender(PortalEndpoint(Http(client)))
