"""Subscriptions at an EHR's FHIR endpoint: made, watched, asked for what was missed, and ended.

``open`` takes the settings of ``fhir_r4``. What the EHR then sends comes in by :mod:`careplane.server.subscriptions`.
"""

from collections.abc import Mapping

from careplane.connectors._endpoint_settings import open_endpoint
from careplane.connectors.fhir_subscription.connector import SubscriptionConnector
from careplane.errors import InputError

__all__ = ["CAPABILITIES", "SubscriptionConnector", "open"]

CAPABILITIES = frozenset({"subscribe", "status", "events"})


def open(settings: Mapping[str, str]) -> SubscriptionConnector:  # noqa: A001 - the name that the shelf fixes
    """The connector for one endpoint; nothing is sent yet.

    Raises:
        InputError: as for ``fhir_r4``.
    """
    if not settings.get("base_url"):
        raise InputError("is needed", field="base_url")
    return SubscriptionConnector(open_endpoint(settings))
