"""``careplane settings``: every setting, its value and where it came from."""

import json

import click

from careplane.settings import ROWS, Row, Settings, read_settings


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(as_json: bool) -> None:
    """Show every setting, its value and where it came from; secrets are never printed.

    \b
    Example:
      CAREPLANE_PORT=9000 careplane settings
    """
    settings = read_settings()
    if as_json:
        click.echo(json.dumps([_object(row, settings) for row in ROWS], indent=2))
        return
    for row in ROWS:
        click.echo(f"{row.name} = {settings.shown(row.name) or '(empty)'}  [{settings.origin(row.name)}]")
        click.echo(click.wrap_text(row.help, width=80, initial_indent="    ", subsequent_indent="    "))


def _object(row: Row, settings: Settings) -> dict[str, object]:
    return {
        "name": row.name,
        "value": settings.shown(row.name),
        "origin": settings.origin(row.name),
        "default": "" if row.secret else row.default,
        "environment": f"CAREPLANE_{row.name.upper()}",
        "help": row.help,
    }
