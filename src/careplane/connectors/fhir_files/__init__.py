"""The loaded FHIR data of a home as an EHR: read and search over the lake, write-back to an outbox.

``open({"home": "<home>"})``. Loaded data has no EHR behind it, so what is created or updated is appended to
``<home>/outbox/<date>.ndjson`` (one resource per line, ready for the EHR's import) and is readable at once.
"""

from collections.abc import Mapping
from pathlib import Path

from careplane.connectors.fhir_files.connector import FilesConnector
from careplane.errors import InputError

__all__ = ["CAPABILITIES", "FilesConnector", "open"]

CAPABILITIES = frozenset({"read", "search", "paging", "create", "conditional_create", "update", "etag"})


def open(settings: Mapping[str, str]) -> FilesConnector:  # noqa: A001 - the name that the shelf fixes
    """The connector for a home.

    Raises:
        InputError: a setting other than ``home``, or none.
    """
    unknown = sorted(set(settings) - {"home"})
    if unknown or not settings.get("home"):
        raise InputError("takes exactly one setting: home", field=unknown[0] if unknown else "home")
    return FilesConnector(Path(settings["home"]))
