"""``careplane stop``: the kill switch."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import click
import msgspec

from careplane._shelf import items, missing
from careplane.errors import InputError, NotFound
from careplane.gateway import list_keys
from careplane.governance import Scope, release, stop, switches
from careplane.ledger import open_ledger
from careplane.settings import Settings, read_settings
from careplane.store import Store, open_store

SCOPES = ("app", "site", "version")


@click.command()
@click.argument("scope", type=click.Choice(SCOPES), required=False)
@click.argument("target", required=False)
@click.option("--reason", help="Why it is stopped.")
@click.option("--by", help="Who asks, as a reference or account.")
@click.option("--release", "lift", is_flag=True, help="Let it run again; a second person must ask.")
@click.option("--list", "show", is_flag=True, help="List the stops that hold.")
@click.option("--home", help="Folder of the installation.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON (with --list).")
def command(
    scope: str | None,
    target: str | None,
    reason: str | None,
    by: str | None,
    lift: bool,
    show: bool,
    home: str | None,
    as_json: bool,
) -> None:
    """Stop an app, a site or a version at once; it stays stopped across restarts.

    \b
    Example:
      careplane stop app portal_reply --reason "wrong doses" --by p.lee
      careplane stop app portal_reply --release --by m.ortiz
      careplane stop --list
    """
    settings = read_settings(home=home) if home else read_settings()
    store = open_store(settings.database_url, settings.home)
    try:
        if show:
            _list(store, as_json)
            return
        if scope is None or target is None or not by:
            raise InputError("Give what to stop and who asks: careplane stop app ID --reason TEXT --by NAME")
        ledger = open_ledger(settings.home / "ledger")
        if lift:
            done = release(store, ledger, cast(Scope, scope), target, by, datetime.now(UTC))
            if done == "asked":
                click.echo(f"{by} asks for the release of the {scope} {target}; another person must give it.")
            else:
                click.echo(f"The {scope} {target} may run again.")
        else:
            _check_target(settings, store, scope, target)
            stop(store, ledger, cast(Scope, scope), target, by, reason or "", datetime.now(UTC))
            click.echo(f"The {scope} {target} is stopped.\nRelease it with --release and a second person's --by.")
    finally:
        store.close()


def _check_target(settings: Settings, store: Store, scope: str, target: str) -> None:
    """Refuse to stop an app that does not exist: a slip of the pen must not leave the one that was meant running.

    An app of a gateway's file is in no folder, but has a key.
    """
    app = target.partition("@")[0]
    known = {key.app for key in list_keys(store)}
    known |= {*items("apps"), *(path.parent.name for path in Path(settings.text("apps_path")).glob("*/app.yaml"))}
    if scope != "site" and app not in known:
        raise NotFound(f"Nothing was stopped. {missing('app', app, known)}")


def _list(store: Store, as_json: bool) -> None:
    held = switches(store)
    if as_json:
        click.echo(json.dumps([msgspec.to_builtins(one) for one in held], indent=2))
        return
    for one in held:
        click.echo(f"{one.at:%Y-%m-%d %H:%M} {one.scope} {one.target}, by {one.by}: {one.reason}")
    if not held:
        click.echo("Nothing is stopped.")
