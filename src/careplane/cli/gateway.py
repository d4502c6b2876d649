"""``careplane gateway``: the data plane alone."""

from pathlib import Path

import click

from careplane.server.data_plane import open_plane, run_plane
from careplane.settings import read_settings


@click.command()
@click.option("--config", required=True, type=click.Path(dir_okay=False, path_type=Path), help="The gateway's file.")
@click.option("--home", help="Folder of the installation; the file's own 'home' wins.")
@click.option("--json", "as_json", is_flag=True, help="Print the address and new keys as one line of JSON.")
def command(config: Path, home: str | None, as_json: bool) -> None:
    """Serve the gateway's APIs and nothing else, as many processes as wanted.

    Prints its address on the first line, then a key for each app of the file
    that has none. The file is described in docs/reference/gateway-file.md.

    \b
    Example:
      careplane gateway --config gateway.toml
    """
    settings = read_settings(home=home) if home else read_settings()
    run_plane(open_plane(config, settings), click.echo, as_json=as_json)
