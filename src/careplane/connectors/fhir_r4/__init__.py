"""An EHR's FHIR R4 endpoint over HTTP.

``open({"base_url": "https://ehr.example.org/fhir/r4", "timeout_seconds": "30"})``, with ``token``, or with
``client_id``, ``key`` and ``scopes`` for SMART backend services; only ``base_url`` is required. TLS certificates are
always verified, redirects are never followed, and the token goes to that origin only.
"""

from collections.abc import Mapping

from careplane.connectors._endpoint_settings import open_endpoint
from careplane.connectors.fhir_r4.connector import R4Connector

__all__ = ["CAPABILITIES", "R4Connector", "open"]

CAPABILITIES = frozenset(
    {
        *("read", "search", "paging", "create", "conditional_create"),
        *("update", "etag", "conditional_update", "transaction", "token"),
    }
)


def open(settings: Mapping[str, str]) -> R4Connector:  # noqa: A001 - the name that the shelf fixes
    """The connector for one endpoint; nothing is sent yet.

    Raises:
        InputError: an unknown setting, a base URL that is not http(s), a time-out that is not a number of seconds, or
            a credential that is not whole.
    """
    return R4Connector(open_endpoint(settings))
