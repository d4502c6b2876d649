"""FHIR Bulk Data Access: an export of the EHR into a folder of NDJSON files, that goes on where it was cut off.

``open`` takes the settings of ``fhir_r4``; ``wait_seconds``, how long an export may be in preparation (a day); and
``max_file_gb``, how large one of its files may be (20).
"""

from collections.abc import Mapping

from careplane.connectors._endpoint_settings import open_endpoint
from careplane.connectors.fhir_bulk.connector import BulkConnector
from careplane.errors import InputError

__all__ = ["CAPABILITIES", "BulkConnector", "open"]

CAPABILITIES = frozenset({"export", "incremental", "resume", "cancel"})
LONGEST_WAIT = 7 * 86_400.0
LARGEST_GB = 10_000.0


def open(settings: Mapping[str, str]) -> BulkConnector:  # noqa: A001 - the name that the shelf fixes
    """The connector for one endpoint; nothing is sent yet.

    Raises:
        InputError: as for ``fhir_r4``; or ``wait_seconds`` is not a number of seconds up to a week, or ``max_file_gb``
            not one of gigabytes.
    """
    endpoint = open_endpoint(settings, also=("max_file_gb", "wait_seconds"))
    wait = _number(settings, "wait_seconds", "seconds", 86_400.0)
    if not 0 < wait <= LONGEST_WAIT:
        raise InputError("must be above 0 and at most a week", field="wait_seconds")
    largest = _number(settings, "max_file_gb", "gigabytes", 20.0)
    if not 0 < largest <= LARGEST_GB:
        raise InputError(f"must be above 0 and at most {LARGEST_GB:g}", field="max_file_gb")
    return BulkConnector(endpoint, wait, round(largest * 1e9))


def _number(settings: Mapping[str, str], name: str, unit: str, default: float) -> float:
    try:
        return float(settings.get(name) or default)
    except ValueError as error:
        raise InputError(f"must be a number of {unit}", field=name) from error
