"""``careplane smart``: the EHRs that may launch us (SMART App Launch), and what to register there."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

import click
import msgspec

from careplane._shelf import missing
from careplane.codecs.smart import app_scopes, launch_scopes
from careplane.codecs.smart_assertion import public_keys
from careplane.errors import InputError, NotFound
from careplane.governance.ehrs import find_ehrs, register_ehr, remove_ehr
from careplane.ledger import open_ledger
from careplane.records.launch import Credentials, Ehr
from careplane.server.client_keys import client_keys
from careplane.server.entitling import read_apps
from careplane.settings import Settings, read_settings
from careplane.store import Store, open_store

_HOME = click.option("--home", help="Folder of the installation.")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def command() -> None:
    """EHRs that may open Careplane from a chart (SMART App Launch 2.2).

    \b
    Example:
      careplane smart add main --client-id careplane \\
        --iss https://ehr.example.org/fhir
      careplane smart list
      careplane smart scopes previsit_summary
    """


@command.command()
@click.argument("name")
@click.option("--iss", required=True, help="FHIR base URL of the EHR, exactly as it launches.")
@click.option("--client-id", required=True, help="The id that the EHR registered us by.")
@click.option("--credentials", type=click.Choice(get_args(Credentials)), default="ES384", show_default=True,
              help="How we prove who we are; 'public': by PKCE alone.")  # fmt: skip
@click.option("--frame", "frames", multiple=True, help="Origin whose pages may show us in a frame; repeatable.")
@click.option("--tenant", help="Refuse launches that come without this tenant.")
@click.option("--same-chart", is_flag=True,
              help="Its ids are those of the chart we read, though its address is another.")  # fmt: skip
@click.option("--by", default="cli", show_default=True, help="Who registers it.")
@_HOME
@_JSON
def add(
    name: str,
    iss: str,
    client_id: str,
    credentials: Credentials,
    frames: tuple[str, ...],
    tenant: str | None,
    same_chart: bool,
    by: str,
    home: str | None,
    as_json: bool,
) -> None:
    """Let an EHR open Careplane, and say what to register there.

    \b
    Example:
      careplane smart add main --client-id careplane \\
        --iss https://ehr.example.org/fhir \\
        --frame https://ehr.example.org
    """
    settings = _settings(home)
    given = {"name": name, "issuer": iss, "client_id": client_id, "credentials": credentials, "frames": frames,
             "tenant": tenant, "same_chart": same_chart, "added_at": datetime.now(UTC), "added_by": by}  # fmt: skip
    try:
        ehr = msgspec.convert(given, Ehr)
    except msgspec.ValidationError as error:
        raise InputError("lower case, digits and hyphens, at most 32, beginning with a letter", field="name") from error
    with _store(settings) as store:
        kept = register_ehr(store, open_ledger(settings.home / "ledger"), ehr, settings.text("fhir_base_url"))
    told = {**msgspec.to_builtins(kept), **_addresses(settings, kept)}
    if as_json:
        click.echo(json.dumps(told, indent=2))
        return
    click.echo(f"{name} may launch Careplane. Register there, exactly:")
    click.echo(f"  launch URL    {told['launch_url']}\n  redirect URI  {told['redirect_uri']}")
    if credentials != "public":
        click.echo(f"  JWKS URL      {told['jwks_url']}  ({credentials})")
    click.echo("  scopes        careplane smart scopes")


@command.command(name="list")
@_HOME
@_JSON
def list_ehrs(home: str | None, as_json: bool) -> None:
    """List the EHRs that may open Careplane.

    \b
    Example:
      careplane smart list --json
    """
    settings = _settings(home)
    with _store(settings) as store:
        found = find_ehrs(store)
    if as_json:
        rows = [{**msgspec.to_builtins(ehr), **_addresses(settings, ehr)} for ehr in found]
        click.echo(json.dumps(rows, indent=2))
        return
    for ehr in found:
        frames = ", ".join(ehr.frames) or "no frames"
        click.echo(f"{ehr.name:<16} {ehr.credentials:<7} {ehr.issuer}\n{'':<16} as {ehr.client_id}; {frames}")
    if not found:
        click.echo("No EHR may launch. Register one: careplane smart add NAME --iss URL --client-id ID")


@command.command()
@click.argument("name")
@click.option("--by", default="cli", show_default=True, help="Who removes it.")
@_HOME
def remove(name: str, by: str, home: str | None) -> None:
    """Refuse an EHR's launches from now on; sessions that came from it end.

    \b
    Example:
      careplane smart remove main --by p.lee
    """
    settings = _settings(home)
    with _store(settings) as store:
        ended = remove_ehr(store, open_ledger(settings.home / "ledger"), name, by, datetime.now(UTC))
    click.echo(f"{name} may not launch any more; {ended} of its sessions ended.")


@command.command()
@click.argument("app", required=False)
@click.option("--system", is_flag=True, help="For a backend service, with the write-back.")
@_HOME
@_JSON
def scopes(app: str | None, system: bool, home: str | None, as_json: bool) -> None:
    """Print the scopes that APP needs (all apps that can run, without one).

    They are what its manifest declares to read, and no more.

    \b
    Example:
      careplane smart scopes previsit_summary
    """
    apps = read_apps(Path(_settings(home).text("apps_path")))
    if app is not None and app not in apps:
        raise NotFound(missing("app", app, apps))
    chosen = [apps[app].spec] if app is not None else [one.spec for one in apps.values() if one.runnable]
    if system:
        found = sorted({str(scope) for spec in chosen for scope in app_scopes(spec, "system")})
    else:
        found = str(launch_scopes(chosen)).split()
    click.echo(json.dumps(found) if as_json else "\n".join(found))


@command.command()
@_HOME
def jwks(home: str | None) -> None:
    """Print our public keys, for an EHR that cannot fetch them.

    \b
    Example:
      careplane smart jwks > keys.json
    """
    click.echo(json.dumps(public_keys(client_keys(_settings(home).home)), indent=2))


def _addresses(settings: Settings, ehr: Ehr) -> dict[str, str]:
    host, port = settings.text("host"), int(settings.number("port"))
    base = settings.text("public_url").rstrip("/") or f"http://{host}:{port}"
    return {
        "launch_url": f"{base}/smart/launch",
        "redirect_uri": f"{base}/smart/callback/{ehr.name}",
        "jwks_url": f"{base}/.well-known/jwks.json",
    }


@contextmanager
def _store(settings: Settings) -> Iterator[Store]:
    store = open_store(settings.database_url, settings.home)
    try:
        yield store
    finally:
        store.close()


def _settings(home: str | None) -> Settings:
    return read_settings(home=home) if home else read_settings()
