"""``careplane budget``: what apps and sites have spent on models, and what their budgets allow."""

import json

import click
import msgspec

from careplane.gateway.limits import LimitStatus, limits_status
from careplane.gateway.spending import Spent, spending
from careplane.settings import read_settings
from careplane.store import open_store


@click.group()
def command() -> None:
    """Budgets of models: what was spent and what is allowed.

    \b
    Example:
      careplane budget show
      careplane budget show app:portal_reply --json
    """


@command.command()
@click.argument("subject", required=False)
@click.option("--home", help="Folder of the installation.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(subject: str | None, home: str | None, as_json: bool) -> None:
    """Show money spent per day and month, and the limits in use.

    SUBJECT is app:NAME, site:NAME or key:ID; all of them without it. Limits are
    shown as the gateway last applied them.

    \b
    Example:
      careplane budget show
      careplane budget show app:portal_reply
    """
    settings = read_settings(home=home) if home else read_settings()
    store = open_store(settings.database_url, settings.home)
    try:
        spent = spending(store, subject)
        limits = [limit for limit in limits_status(store) if subject in (None, limit.subject)]
    finally:
        store.close()
    if as_json:
        click.echo(json.dumps(msgspec.to_builtins({"spent": spent, "limits": limits}), indent=2))
        return
    for row in spent:
        click.echo(_spent(row))
    for limit in limits:
        click.echo(_limit(limit))
    if not spent and not limits:
        click.echo("Nothing was spent or limited yet. Budgets are set in the gateway's file.")


def _spent(row: Spent) -> str:
    of = "no limit" if row.limit_usd is None else f"of {row.limit_usd:,.2f}"
    reserved = f", {row.reserved_usd:,.4f} reserved" if row.reserved_usd else ""
    stopped = ", requests were refused" if row.stopped else ""
    return f"{row.subject:28} {row.period:16} {row.spent_usd:12,.4f} USD {of}{reserved}{stopped}"


def _limit(row: LimitStatus) -> str:
    what = "at once" if row.metric == "concurrent" else f"{row.metric}/min"
    return f"{row.subject:28} {what:16} {row.used:12,} of {row.limit:,}"
