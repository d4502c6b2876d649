"""FHIR Bulk Data Access: an export of the EHR into a folder of NDJSON files, that goes on where it was cut off.

``open`` takes the settings of ``fhir_r4``, and ``wait_seconds``, how long an export may be in preparation (a day).
"""

from collections.abc import Mapping

from careplane.connectors._endpoint_settings import open_endpoint
from careplane.connectors.fhir_bulk.connector import BulkConnector
from careplane.errors import InputError

__all__ = ["CAPABILITIES", "BulkConnector", "open"]

CAPABILITIES = frozenset({"export", "incremental", "resume", "cancel"})
LONGEST_WAIT = 7 * 86_400.0


def open(settings: Mapping[str, str]) -> BulkConnector:  # noqa: A001 - the name that the shelf fixes
    """The connector for one endpoint; nothing is sent yet.

    Raises:
        InputError: as for ``fhir_r4``; or ``wait_seconds`` is not a number of seconds up to a week.
    """
    endpoint = open_endpoint(settings, also=("wait_seconds",))
    try:
        wait = float(settings.get("wait_seconds") or 86_400.0)
    except ValueError as error:
        raise InputError("must be a number of seconds", field="wait_seconds") from error
    if not 0 < wait <= LONGEST_WAIT:
        raise InputError("must be above 0 and at most a week", field="wait_seconds")
    return BulkConnector(endpoint, wait)
