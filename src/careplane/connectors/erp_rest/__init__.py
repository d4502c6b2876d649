"""An ERP's REST interface: the same records as its export, page by page.

``open({"base_url": "https://erp.example.org/api", ...})`` with either ``token`` (bearer), or ``token_url``,
``client_id`` and ``client_secret`` (OAuth 2.0 client credentials, RFC 6749 section 4.4, with ``scope`` where it is
asked for); ``page_size`` (default 200), ``timezone`` for times without an offset, and ``timeout_seconds``. What the
interface has to be: :mod:`careplane.connectors.erp_rest.client`.
"""

from collections.abc import Mapping
from functools import partial
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import httpx

from careplane.connectors._http import Http, checked_seconds, checked_url, only_known
from careplane.connectors.erp_rest.client import ErpRest
from careplane.connectors.erp_rest.token import ClientCredentials, Fixed, Token
from careplane.errors import InputError

__all__ = ["CAPABILITIES", "ErpRest", "open"]

CAPABILITIES: frozenset[str] = frozenset({"erp_records", "erp_paging", "updated_since"})

_SETTINGS = (
    *("base_url", "client_id", "client_secret", "page_size", "scope", "timeout_seconds", "timezone", "token"),
    "token_url",
)


def open(settings: Mapping[str, str]) -> ErpRest:  # noqa: A001 - the name that the shelf fixes
    """The connector for one interface; nothing is sent yet.

    Raises:
        InputError: an unknown setting, one that is missing, or one that is not what it has to be.
    """
    only_known(settings, _SETTINGS)
    base_url = checked_url(settings.get("base_url", ""))
    timeout = httpx.Timeout(checked_seconds(settings.get("timeout_seconds", "30")), connect=10.0)
    try:
        zone = ZoneInfo(settings.get("timezone", "UTC"))
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InputError("is not an IANA time zone, such as America/Chicago", field="timezone") from error
    size = settings.get("page_size", "200")
    if not (size.isascii() and size.isdigit()) or not 1 <= int(size) <= 1000:
        raise InputError("must be from 1 to 1000", field="page_size")
    http = Http(partial(httpx.AsyncClient, base_url=f"{base_url}/", timeout=timeout))
    return ErpRest(http, _token(settings, timeout), zone, int(size))


def _token(settings: Mapping[str, str], timeout: httpx.Timeout) -> Token:
    if settings.get("token_url"):
        for name in ("client_id", "client_secret"):
            if not settings.get(name):
                raise InputError("is needed with token_url", field=name)
        url = checked_url(settings["token_url"], "token_url")
        http = Http(partial(httpx.AsyncClient, timeout=timeout))
        client = settings["client_id"], settings["client_secret"]
        return ClientCredentials(http, url, client, settings.get("scope", ""))
    return Fixed(settings.get("token", ""))
