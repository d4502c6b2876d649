"""Server-rendered pages per persona, and the board pack.

``app(context)`` is the Starlette application of all pages; ``board_pack(context, out, summary=...)`` writes the
printable report. Every page works without JavaScript; the one script adds keyboard shortcuts and lights sources.
"""

import importlib
from typing import TYPE_CHECKING

from careplane.console.accounts import create_account, find_accounts, one_time_link
from careplane.console.context import ConsoleContext

if TYPE_CHECKING:
    from careplane.console.application import app
    from careplane.console.pack import board_pack

__all__ = ["ConsoleContext", "app", "board_pack", "create_account", "find_accounts", "one_time_link"]

_ON_DEMAND = {"app": "careplane.console.application", "board_pack": "careplane.console.pack"}


def __getattr__(name: str) -> object:
    """Pages and charts are loaded when they are asked for: they take seconds, and managing accounts needs none."""
    if name in _ON_DEMAND:
        return getattr(importlib.import_module(_ON_DEMAND[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
