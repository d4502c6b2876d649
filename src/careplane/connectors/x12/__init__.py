"""Claims in X12 files: remittances (835) and claims (837P, 837I) in a folder, as cost and revenue facts.

``open({"path": "<folder>"})``; ``settle_seconds`` (default 10) is how long a file must have been left alone before it
is taken as whole. Files end in ``.x12``, ``.edi``, ``.835``, ``.837`` or ``.era``. A file is good as a whole or nothing
of it is taken; what is wrong is named by segment. A denied claim is an event, ``claim.denied``.
"""

from collections.abc import Mapping
from pathlib import Path

from careplane.connectors._drop import settle_seconds
from careplane.connectors._http import only_known
from careplane.connectors.x12.folder import X12Folder
from careplane.errors import InputError

__all__ = ["CAPABILITIES", "X12Folder", "open"]

CAPABILITIES: frozenset[str] = frozenset({"claims"})

_SETTINGS = ("path", "settle_seconds")


def open(settings: Mapping[str, str]) -> X12Folder:  # noqa: A001 - the name that the shelf fixes
    """The reader for a folder.

    Raises:
        InputError: an unknown setting, or no folder.
    """
    only_known(settings, _SETTINGS)
    if not settings.get("path"):
        raise InputError("is needed", field="path")
    return X12Folder(Path(settings["path"]), settle_seconds(settings.get("settle_seconds", "10")))
