"""Server-rendered pages per persona, and the board pack.

``app(context)`` is the Starlette application of all pages; ``board_pack(context, out, summary=...)`` writes the
printable report. Every page works without JavaScript; the one script adds keyboard shortcuts and lights sources.
"""

from careplane.console.accounts import create_account, find_accounts, one_time_link
from careplane.console.application import app
from careplane.console.board_pack import board_pack
from careplane.console.context import ConsoleContext

__all__ = ["ConsoleContext", "app", "board_pack", "create_account", "find_accounts", "one_time_link"]
