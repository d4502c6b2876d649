"""An ERP export: CSV files in a folder, where an SFTP server or a job of the ERP drops them.

``open({"path": "<folder>"})``; ``timezone`` (IANA, default ``UTC``) is that of times without an offset, and
``settle_seconds`` (default 10) how long a file must have been left alone before it is taken as whole; a file with
``<name>.csv.done`` beside it is whole at once. Which files are read, and their columns:
:mod:`careplane.connectors.erp_files.tables`. The whole file is good or nothing of it is taken.
"""

from collections.abc import Mapping
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from careplane.connectors._drop import settle_seconds
from careplane.connectors._http import only_known
from careplane.connectors.erp_files.folder import ErpFolder
from careplane.errors import InputError

__all__ = ["CAPABILITIES", "ErpFolder", "open"]

CAPABILITIES: frozenset[str] = frozenset({"cost_lines", "erp_batches"})

_SETTINGS = ("path", "settle_seconds", "timezone")


def open(settings: Mapping[str, str]) -> ErpFolder:  # noqa: A001 - the name that the shelf fixes
    """The reader for a folder.

    Raises:
        InputError: an unknown setting, no folder, or a zone or time that is none.
    """
    only_known(settings, _SETTINGS)
    if not settings.get("path"):
        raise InputError("is needed", field="path")
    try:
        zone = ZoneInfo(settings.get("timezone", "UTC"))
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InputError("is not an IANA time zone, such as America/Chicago", field="timezone") from error
    return ErpFolder(Path(settings["path"]), zone, settle_seconds(settings.get("settle_seconds", "10")))
