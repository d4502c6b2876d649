"""Costs from an ERP export: ``costs.csv`` in a folder.

``open({"path": "<folder>"})``. The header is exactly
``line_id,posted_on,cost_centre,vendor,category,item,description,amount_usd``; dates are ``YYYY-MM-DD``, amounts are USD
with a dot. The whole file is good or nothing of it is taken.
"""

from collections.abc import Mapping
from pathlib import Path

from careplane.connectors.erp_files.reader import CsvCosts
from careplane.errors import InputError

__all__ = ["CAPABILITIES", "CsvCosts", "open"]

CAPABILITIES = frozenset({"cost_lines"})


def open(settings: Mapping[str, str]) -> CsvCosts:  # noqa: A001 - the name that the shelf fixes
    """The reader for a folder.

    Raises:
        InputError: a setting other than ``path``, or none.
    """
    unknown = sorted(set(settings) - {"path"})
    if unknown or not settings.get("path"):
        raise InputError("takes exactly one setting: path", field=unknown[0] if unknown else "path")
    return CsvCosts(Path(settings["path"]) / "costs.csv")
