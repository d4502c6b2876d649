"""``careplane subscription``: what the EHR was asked to tell, and how far it was heard."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

import click

from careplane.errors import CareplaneError
from careplane.server.entitling import read_apps
from careplane.server.subscribing import open_subscriptions
from careplane.settings import Settings, read_settings
from careplane.store import open_store
from careplane.workflow.subscriptions import Subscribed, find_subscribed

NOT_ASKED = "not asked"


@click.group()
def command() -> None:
    """Subscriptions at the EHR.

    \b
    Example:
      careplane subscription list
    """


@command.command(name="list")
@click.option("--ask", is_flag=True, help="Ask the EHR for the status of each.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--home", metavar="DIR", help="Home folder of the installation.")
def list_(ask: bool, as_json: bool, home: str | None) -> None:
    """List what the EHR tells, and how far it was heard.

    \b
    Example:
      careplane subscription list --ask
    """
    settings = read_settings(home=home) if home else read_settings()
    store = open_store(settings.database_url, settings.home)
    held = find_subscribed(store)
    store.close()
    told = asyncio.run(_asked(settings, held)) if ask and held else {}
    rows = [
        {
            "type": one.type,
            "form": "backport" if one.topic else "rest-hook",
            "remote": one.remote,
            "status": told.get(one.id, NOT_ASKED),
            "events": one.seen if one.topic else None,
            "heard_until": one.since,
        }
        for one in held
    ]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    for row in rows:
        click.echo(f"{row['type']}  ({row['form']}, {row['remote'] or 'being made'})")
        counted = "" if row["events"] is None else f", {row['events']:,} event(s)"
        click.echo(f"  status: {row['status']}; heard until {row['heard_until'] or 'now'}{counted}")
    if not rows:
        click.echo("Nothing is subscribed. Set fhir_base_url and public_url; careplane serve then subscribes.")


async def _asked(settings: Settings, held: Sequence[Subscribed]) -> dict[str, str]:
    """The status of each at the EHR, or why it could not be told."""
    ehr = open_subscriptions(settings, read_apps(Path(settings.text("apps_path"))).values())
    found: dict[str, str] = {}
    for one in held:
        try:
            there = await ehr.held(one.remote) if one.remote else None
            found[one.id] = str(there.get("status")) if there else "gone; it is made again within a minute"
        except CareplaneError as error:
            found[one.id] = str(error)
    await ehr.aclose()
    return found
