"""``careplane serve``: the console, the gateway and the door for events, on loopback unless told otherwise."""

from typing import Any

import click

from careplane.server.platform import open_platform
from careplane.server.serving import serve
from careplane.settings import read_settings


@click.command()
@click.option("--home", type=click.Path(file_okay=False), help="Folder of this installation's data.")
@click.option("--host", help="Address to bind; loopback by default.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port; 0 takes a free one.")
def command(home: str | None, host: str | None, port: int | None) -> None:
    """Serve the console and the gateway until Ctrl-C.

    The first time, a one-time sign-in link for the administrator is printed; there is no default password.
    More of these on the same home, each with a port of its own, share the work; so do workers without HTTP
    ('careplane worker run').

    \b
    Example:
      careplane serve --port 8470
    """
    given: dict[str, Any] = {"home": home, "host": host, "port": port}
    settings = read_settings(**{name: value for name, value in given.items() if value is not None})
    serve(open_platform(settings), echo=lambda line: click.echo(line, err=True))
