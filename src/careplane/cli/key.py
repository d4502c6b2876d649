"""``careplane key``: the keys by which an app's own software calls the gateway."""

import json
from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec

from careplane._shelf import items, missing
from careplane.errors import NotFound
from careplane.gateway import issue_key, list_keys, revoke_key
from careplane.settings import Settings, read_settings
from careplane.store import Store, open_store


@click.group()
def command() -> None:
    """Issue, list and revoke the gateway keys of apps.

    \b
    Example:
      careplane key issue portal_reply
      careplane key list
      careplane key revoke key-1a2b3c4d
    """


@command.command()
@click.argument("app")
@click.option("--site", help="Tie the key to this site, for its budgets and stops.")
@click.option("--home", help="Folder of the installation.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def issue(app: str, site: str | None, home: str | None, as_json: bool) -> None:
    """Make a key for APP. It is shown once and cannot be shown again.

    With --site all that is asked with the key counts on that site, and a
    request that names another one is refused.

    \b
    Example:
      careplane key issue portal_reply --site north
    """
    settings = _settings(home)
    known = _apps(settings)
    if app not in known:
        raise NotFound(missing("app", app, known))
    store = open_store(settings.database_url, settings.home)
    try:
        key = issue_key(store, app, datetime.now(UTC), site)
    finally:
        store.close()
    click.echo(json.dumps({"app": app, "site": site, "key": key}) if as_json else key)
    click.echo("Keep this key now: it is not stored and cannot be shown again.", err=True)


@command.command(name="list")
@click.option("--app", help="Only the keys of this app.")
@click.option("--home", help="Folder of the installation.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_(app: str | None, home: str | None, as_json: bool) -> None:
    """List the keys: their ids, never the keys themselves.

    \b
    Example:
      careplane key list --app portal_reply
    """
    store = _open(home)
    try:
        keys = list_keys(store, app)
    finally:
        store.close()
    if as_json:
        click.echo(json.dumps(msgspec.to_builtins(keys), indent=2))
        return
    for key in keys:
        state = f"revoked {key.revoked_at[:16]}" if key.revoked_at else "valid"
        site = f"  site {key.site}" if key.site else ""
        click.echo(f"{key.id:14}{key.app:28}issued {key.created_at[:16]}  {state}{site}")
    if not keys:
        click.echo("No keys. Make one with: careplane key issue APP")


@command.command()
@click.argument("ident", metavar="ID")
@click.option("--home", help="Folder of the installation.")
def revoke(ident: str, home: str | None) -> None:
    """Revoke the key ID: the next request with it is refused.

    \b
    Example:
      careplane key revoke key-1a2b3c4d
    """
    store = _open(home)
    try:
        revoke_key(store, ident, datetime.now(UTC))
    finally:
        store.close()
    click.echo(f"The key {ident} is revoked.")


def _settings(home: str | None) -> Settings:
    return read_settings(home=home) if home else read_settings()


def _open(home: str | None) -> Store:
    settings = _settings(home)
    return open_store(settings.database_url, settings.home)


def _apps(settings: Settings) -> set[str]:
    site = Path(settings.text("apps_path"))
    return set(items("apps")) | {path.parent.name for path in site.glob("*/app.yaml")}
