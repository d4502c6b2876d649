"""Where the ledger is that a command is about."""

from pathlib import Path

import click

from careplane.errors import NotFound
from careplane.ledger import Ledger, open_ledger
from careplane.settings import read_settings

home_option = click.option("--home", help="Folder of this installation.")


def ledger_folder(home: str | None) -> Path:
    """The folder of the ledger of an installation."""
    settings = read_settings(home=home) if home else read_settings()
    return settings.home / "ledger"


def opened(home: str | None) -> Ledger:
    """The ledger of an installation.

    Raises:
        NotFound: there is none.
    """
    folder = ledger_folder(home)
    if not folder.is_dir():
        raise NotFound(f"There is no ledger in {folder}.")
    return open_ledger(folder)
