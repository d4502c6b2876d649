"""``careplane app``: the apps of this site, from a new folder to a trial on a patient."""

import importlib
import json
from collections.abc import Mapping
from pathlib import Path

import click
import msgspec

from careplane import alignment
from careplane._shelf import folder, items, missing
from careplane.apps import check_app, new_app, read_app, schema, unknown_measures
from careplane.cli.app_text import list_lines, show_lines
from careplane.errors import NotFound
from careplane.governance import tier
from careplane.records.app import App
from careplane.records.portfolio import RegisterItem
from careplane.settings import Settings, read_settings
from careplane.store import open_store

WIRED = {
    "try": ("app_try", "command"),
    "simulate": ("app_simulate", "command"),
    "register": ("app_stage", "register"),
    "move": ("app_stage", "move"),
}
"""Commands that wire the whole platform: module and name of each."""


class AppGroup(click.Group):
    """The group; what wires the whole platform is imported only when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), *WIRED])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in WIRED:
            return super().get_command(ctx, cmd_name)
        module, name = WIRED[cmd_name]
        wired: click.Command = getattr(importlib.import_module(f"careplane.cli.{module}"), name)
        return wired


@click.group(cls=AppGroup)
def command() -> None:
    """The apps: new, check, list, show, try, simulate, register, move, schema.

    \b
    Example:
      careplane app new my_idea
      careplane app check apps/my_idea
    """


@command.command()
@click.argument("ident", metavar="ID")
@click.option("--dir", "parent", type=click.Path(path_type=Path), default=Path("apps"), help="Folder of the apps.")
def new(ident: str, parent: Path) -> None:
    """Write a new app folder that passes its check.

    \b
    Example:
      careplane app new my_idea
    """
    path = new_app(parent, ident)
    click.echo(f"Wrote {path}. Fill in app.yaml and prompt.md, then: careplane app check {path}")


@command.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PATH...")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def check(context: click.Context, paths: tuple[Path, ...], as_json: bool) -> None:
    """Name every problem of app folders, each with its file and line.

    A measure that is not on the shelf is told as a note: a plan leaves it out.

    \b
    Example:
      careplane app check apps/my_idea
    """
    for path in paths:
        if not path.is_dir():
            raise NotFound(f"There is no folder {path}.")
    problems = [problem for path in paths for problem in check_app(path)]
    notes = [note for path in paths for note in unknown_measures(path, items("measures"))]
    if as_json:
        rows = [
            {"file": one.file, "line": one.line, "field": one.field, "message": one.message, "note": one in notes}
            for one in (*problems, *notes)
        ]
        click.echo(json.dumps(rows, indent=2))
    else:
        for problem in problems:
            click.echo(str(problem))
        for note in notes:
            click.echo(f"note: {note}; a plan leaves it out. See: careplane measure list")
        if not problems:
            click.echo(f"{len(paths)} app folder{'s' if len(paths) > 1 else ''} checked: no problems.")
    context.exit(1 if problems else 0)


@command.command("schema")
def print_schema() -> None:
    """Print the JSON Schema of app.yaml, for editors.

    \b
    Example:
      careplane app schema > app.schema.json
    """
    click.echo(json.dumps(schema(), indent=2))


@command.command("list")
@click.option("--home", help="Folder of the installation.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_apps(home: str | None, as_json: bool) -> None:
    """List the apps with stage, tier and trigger.

    \b
    Example:
      careplane app list
    """
    settings = _settings(home)
    registered = _register(settings)
    rows = [_row(app, registered.get(app.id)) for app in _apps(settings).values()]
    click.echo(json.dumps(rows, indent=2) if as_json else "\n".join(list_lines(rows)))


@command.command()
@click.argument("ident", metavar="ID")
@click.option("--home", help="Folder of the installation.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(ident: str, home: str | None, as_json: bool) -> None:
    """Show one app: what it reads, writes, risks and is measured by.

    \b
    Example:
      careplane app show portal_reply
    """
    settings = _settings(home)
    app = _one(_apps(settings), ident)
    if as_json:
        click.echo(json.dumps({**msgspec.to_builtins(app.spec), "hash": app.hash, "runnable": app.runnable}, indent=2))
    else:
        click.echo("\n".join(show_lines(app, _row(app, _register(settings).get(app.id)))))


def _settings(home: str | None) -> Settings:
    return read_settings(home=home) if home else read_settings()


def _apps(settings: Settings) -> dict[str, App]:
    """All apps, those of the shelf and the site's own beside them, without opening the installation."""
    folders = {name: folder("apps", name) for name in items("apps")}
    own = Path(settings.text("apps_path"))
    folders |= {path.parent.name: path.parent for path in sorted(own.glob("*/app.yaml"))}
    return {name: read_app(path) for name, path in sorted(folders.items())}


def _register(settings: Settings) -> dict[str, RegisterItem]:
    """The register by id; empty where there is no installation yet."""
    if not settings.text("database_url") and not (settings.home / "careplane.db").exists():
        return {}
    store = open_store(settings.database_url, settings.home)
    try:
        return {item.id: item for item in alignment.find_items(store)}
    finally:
        store.close()


def _one(apps: Mapping[str, App], ident: str) -> App:
    if ident not in apps:
        raise NotFound(missing("app", ident, apps))
    return apps[ident]


def _row(app: App, item: RegisterItem | None) -> dict[str, object]:
    trigger = app.spec.trigger
    return {
        "id": app.id,
        "title": app.spec.title,
        "version": app.spec.version,
        "stage": item.stage if item else "not registered",
        "tier": tier(app.spec.tier).tier,
        "trigger": trigger.name,
        "runnable": app.runnable,
    }
