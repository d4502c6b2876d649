"""``careplane worker``: workers without HTTP, who they are, and the events that failed."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import click
import msgspec

from careplane.errors import InputError, NotFound
from careplane.server.platform import open_platform
from careplane.server.working import work
from careplane.settings import Settings, read_settings
from careplane.store import Store, open_store
from careplane.workflow import inbox
from careplane.workflow.leases import Worker, find_workers

SHOWN = 100


@click.group()
def command() -> None:
    """Workers that process events and keep schedules, and what failed.

    \b
    Example:
      careplane worker run
      careplane worker status
    """


@command.command()
@click.option("--home", type=click.Path(file_okay=False), help="Folder of this installation's data.")
def run(home: str | None) -> None:
    """Work without HTTP until Ctrl-C or SIGTERM.

    'careplane serve' works too; more processes on the same home, or on other
    machines with the same PostgreSQL, share the work. What one had under way
    when it ended is taken over by another within 30 seconds.

    \b
    Example:
      careplane worker run --home /srv/careplane
    """
    work(open_platform(_settings(home)), echo=lambda line: click.echo(line, err=True))


@command.command()
@click.option("--home", type=click.Path(file_okay=False), help="Folder of this installation's data.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(home: str | None, as_json: bool) -> None:
    """List the workers with their leases, and how many events wait.

    \b
    Example:
      careplane worker status --json
    """
    store = _open(home)
    try:
        found, counts = find_workers(store), inbox.count_events(store)
    finally:
        store.close()
    if as_json:
        listed = [{**msgspec.to_builtins(one), "standing": one.standing} for one in found]
        click.echo(json.dumps({"workers": listed, "events": counts}, indent=2))
        return
    for one in found:
        click.echo(f"{one.executor:40} {one.standing:8} since {_minute(one.started)}  {_lease(one)}")
    if not found:
        click.echo("No worker is running. Start one with: careplane worker run")
    click.echo(
        f"Events: {counts['received']} on their way, {counts['waiting']} put off, {counts['dead']} dead, "
        f"{counts['done']} done."
    )
    if counts["dead"]:
        click.echo("See the dead ones with: careplane worker failed")


@command.command()
@click.option("--app", help="Only events of this app.")
@click.option("--home", type=click.Path(file_okay=False), help="Folder of this installation's data.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def failed(app: str | None, home: str | None, as_json: bool) -> None:
    """List events that failed: put off to be tried again, or dead.

    The ids are those of their runs; nothing of a patient is printed.

    \b
    Example:
      careplane worker failed --app portal_reply
    """
    store = _open(home)
    try:
        found = inbox.find_events(store, "dead", "waiting", app=app, limit=SHOWN)
    finally:
        store.close()
    if as_json:
        click.echo(json.dumps([_told(one) for one in found], indent=2))
        return
    for one in found:
        when = "" if one.state == "dead" else f"again at {_minute(one.due)}, "
        click.echo(f"{one.key}  {one.event.app:24} {one.state:8} {when}{one.failures} failures: {one.error or ''}")
    click.echo("No event failed." if not found else "Try them again with: careplane worker replay ID")


@command.command()
@click.argument("keys", metavar="ID...", nargs=-1)
@click.option("--all", "every", is_flag=True, help="All dead events.")
@click.option("--home", type=click.Path(file_okay=False), help="Folder of this installation's data.")
def replay(keys: Sequence[str], every: bool, home: str | None) -> None:
    """Try events again that are dead or put off, now and with all their tries.

    \b
    Example:
      careplane worker replay run-1f0c2a9be0d34e7788aa0912
      careplane worker replay --all
    """
    if bool(keys) == every:
        raise InputError("Give the ids of events, or --all.")
    store = _open(home)
    try:
        wanted = [one.key for one in inbox.find_events(store, "dead", limit=100_000)] if every else keys
        missing = [key for key in wanted if not _replayed(store, key)]
    finally:
        store.close()
    if len(wanted) > len(missing) or not wanted:
        click.echo(f"{len(wanted) - len(missing)} events will be tried within seconds, if a worker runs.")
    if missing:
        raise NotFound(f"Neither dead nor put off: {', '.join(missing)}. See: careplane worker failed")


def _replayed(store: Store, key: str) -> bool:
    with store.write() as connection:
        return inbox.replay(connection, key)


def _told(one: inbox.Kept) -> dict[str, Any]:
    """An event without the references of patients."""
    return {
        "id": one.key,
        "app": one.event.app,
        "trigger": one.event.kind,
        "state": one.state,
        "failures": one.failures,
        "received_at": one.received_at,
        "due": datetime.fromtimestamp(one.due, UTC).isoformat(timespec="seconds"),
        "error": one.error,
    }


def _minute(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M}Z"


def _lease(one: Worker) -> str:
    return f"lease {one.left:.0f} s" if one.left > 0 else "lease over"


def _settings(home: str | None) -> Settings:
    return read_settings(home=home) if home else read_settings()


def _open(home: str | None) -> Store:
    settings = _settings(home)
    return open_store(settings.database_url, settings.home)
