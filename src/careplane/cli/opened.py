"""What commands on an installation share: opening it, its options, and JSON on standard output."""

from collections.abc import Iterator
from contextlib import contextmanager

import click
import msgspec

from careplane.server.platform import Platform, open_platform
from careplane.settings import read_settings

HOME = click.option("--home", metavar="DIR", help="Home folder of the installation.")
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@contextmanager
def opened(home: str | None) -> Iterator[Platform]:
    """The installation, closed afterwards."""
    platform = open_platform(read_settings(home=home) if home else read_settings())
    try:
        yield platform
    finally:
        platform.close()


def print_json(value: object) -> None:
    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())
