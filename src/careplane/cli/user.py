"""``careplane user``: the accounts of the console. A new account has no password; it is opened by a one-time link."""

import json
from datetime import UTC, datetime
from typing import get_args

import click
import msgspec

from careplane.console import accounts
from careplane.records.people import Account, Role
from careplane.settings import Settings, read_settings
from careplane.store import Store, open_store

_ROLES = click.Choice(get_args(Role))


@click.group()
def command() -> None:
    """Console accounts.

    \b
    Example:
      careplane user add kim --role clinician \\
        --person Practitioner/p001
      careplane user link kim
    """


@command.command()
@click.argument("name")
@click.option(
    "--role",
    "roles",
    type=_ROLES,
    metavar="ROLE",
    multiple=True,
    required=True,
    help=f"What the account is, repeatable: {', '.join(get_args(Role))}.",
)
@click.option("--full-name", help="Name shown on the pages; NAME by default.")
@click.option("--person", help="FHIR reference of the person, such as Practitioner/p001.")
@click.option("--home", type=click.Path(file_okay=False), help="Folder of this installation's data.")
def add(name: str, roles: tuple[Role, ...], full_name: str | None, person: str | None, home: str | None) -> None:
    """Make an account and print its first one-time link.

    \b
    Example:
      careplane user add kim --role clinician \\
        --person Practitioner/p001
    """
    settings = _settings(home)
    store = open_store(settings.database_url, settings.home)
    accounts.create_account(store, name, full_name or name, roles, datetime.now(UTC), person)
    _print_link(settings, store, name)


@command.command()
@click.argument("name")
@click.option("--home", type=click.Path(file_okay=False), help="Folder of this installation's data.")
def link(name: str, home: str | None) -> None:
    """Print a new one-time link; it works once, within 30 minutes.

    \b
    Example:
      careplane user link kim
    """
    settings = _settings(home)
    _print_link(settings, open_store(settings.database_url, settings.home), name)


@command.command("list")
@click.option("--home", type=click.Path(file_okay=False), help="Folder of this installation's data.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_accounts(home: str | None, as_json: bool) -> None:
    """List the accounts.

    \b
    Example:
      careplane user list --json
    """
    settings = _settings(home)
    found = accounts.find_accounts(open_store(settings.database_url, settings.home))
    if as_json:
        click.echo(json.dumps([_shown(account) for account in found], indent=2))
        return
    for account in found:
        state = "disabled" if account.disabled else "password" if account.password_hash else "link only"
        click.echo(f"{account.id:<16} {state:<10} {', '.join(account.roles):<30} {account.name}")
    if not found:
        click.echo("There are no accounts. Make one: careplane user add NAME --role admin")


@command.command()
@click.argument("name")
@click.option(
    "--role", "roles", type=_ROLES, metavar="ROLE", multiple=True, required=True, help="Role to add; repeatable."
)
@click.option("--home", type=click.Path(file_okay=False), help="Folder of this installation's data.")
def grant(name: str, roles: tuple[Role, ...], home: str | None) -> None:
    """Add roles to an account.

    \b
    Example:
      careplane user grant kim --role committee
    """
    settings = _settings(home)
    store = open_store(settings.database_url, settings.home)
    account = accounts.load_account(store, name)
    together = tuple(dict.fromkeys((*account.roles, *roles)))
    accounts.save_account(store, msgspec.structs.replace(account, roles=together))
    click.echo(f"{name} has the roles: {', '.join(together)}")


@command.command()
@click.argument("name")
@click.option("--home", type=click.Path(file_okay=False), help="Folder of this installation's data.")
def disable(name: str, home: str | None) -> None:
    """Disable an account; its sessions and links end at once.

    \b
    Example:
      careplane user disable kim
    """
    settings = _settings(home)
    store = open_store(settings.database_url, settings.home)
    accounts.save_account(store, msgspec.structs.replace(accounts.load_account(store, name), disabled=True))
    click.echo(f"{name} is disabled; all its sessions ended.")


def _settings(home: str | None) -> Settings:
    return read_settings(home=home) if home else read_settings()


def _print_link(settings: Settings, store: Store, name: str) -> None:
    path = accounts.one_time_link(store, name, datetime.now(UTC))
    address = f"http://{settings.text('host')}:{int(settings.number('port'))}"
    click.echo(f"{address}{path}")
    click.echo(f"It signs {name} in once, within {accounts.LINK_MINUTES} minutes.", err=True)


def _shown(account: Account) -> dict[str, object]:
    return {
        "id": account.id,
        "name": account.name,
        "roles": list(account.roles),
        "person": account.person,
        "password": account.password_hash is not None,
        "disabled": account.disabled,
    }
