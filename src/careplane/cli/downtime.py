"""``careplane downtime``: what is away, and drills of the fallback."""

import asyncio
import json
import time
from collections.abc import Sequence
from typing import Any, cast

import click
import msgspec

from careplane.alignment import find_item
from careplane.errors import InputError, NotFound
from careplane.governance import RUNNING_STAGES
from careplane.ledger import open_ledger
from careplane.records.app import App
from careplane.records.downtime import Drill, Drilled, Outage
from careplane.server.platform import Platform, open_platform
from careplane.settings import Settings, read_settings
from careplane.store import open_store
from careplane.workflow.downtime import waiting, waiting_count
from careplane.workflow.drill import DrillUnderWay, drills, end_drills, settle_drills
from careplane.workflow.outages import Outages
from careplane.workflow.pending import pending_write_backs

TICK_SECONDS = 0.5
PROGRESS_SECONDS = 15.0


@click.group()
def command() -> None:
    """Downtime of the EHR, the models or the network.

    \b
    Example:
      careplane downtime status
      careplane downtime drill --app portal_reply --minutes 10 --by p.lee
    """


@command.command()
@click.option("--app", "app_id", help="The app to drill.")
@click.option("--all", "every", is_flag=True, help="Every app that runs here.")
@click.option("--dependency", type=click.Choice(("ehr", "model", "network")), default="model", show_default=True)
@click.option("--minutes", type=float, required=True, help="How long; it ends by itself.")
@click.option("--by", required=True, help="Who drills, as a reference or account.")
@click.option("--home", help="Folder of the installation.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def drill(
    app_id: str | None, every: bool, dependency: str, minutes: float, by: str, home: str | None, as_json: bool
) -> None:
    """Take the EHR, the model or both away from an app, and see the fallback.

    Users see the banner; events of the app wait and run afterwards. The result
    is kept as evidence for gate G2. Ctrl-C ends it early.

    \b
    Example:
      careplane downtime drill --app portal_reply --minutes 10 --by p.lee
      careplane downtime drill --all --dependency network --minutes 5 --by p.lee
    """
    if bool(app_id) == every:
        raise InputError("Give one of --app ID and --all.")
    platform = open_platform(_settings(home))
    try:
        apps = _running(platform) if every else [platform.app(str(app_id))]
        done = asyncio.run(_drill(platform, apps, cast(Drilled, dependency), minutes, by))
    finally:
        platform.close()
    if as_json:
        click.echo(json.dumps(msgspec.to_builtins(done), indent=2))
    else:
        _tell(done)
    if not all(one.passed for one in done):
        raise SystemExit(1)


async def _drill(platform: Platform, apps: Sequence[App], dependency: Drilled, minutes: float, by: str) -> list[Drill]:
    under_way: list[DrillUnderWay] = []
    looked = []
    try:
        for app in apps:
            one = DrillUnderWay(platform.runtime, app, dependency, minutes, by)
            under_way.append(one)
            looked.append(await one.look())
        click.echo(f"The drill is on until {under_way[0].drill.until:%H:%M:%S %Z}; Ctrl-C ends it.", err=True)
        await _until_over(under_way)
    except (KeyboardInterrupt, asyncio.CancelledError):
        click.echo("Ended early.", err=True)
    finally:
        looked += [() for _ in under_way[len(looked) :]]
        done = [one.finish(checks) for one, checks in zip(under_way, looked, strict=True)]
    return done


async def _until_over(under_way: Sequence[DrillUnderWay]) -> None:
    told = time.monotonic()
    while any(one.on for one in under_way):
        queued = sum(one.count() for one in under_way)
        if time.monotonic() - told > PROGRESS_SECONDS:
            told = time.monotonic()
            click.echo(f"{queued} events wait.", err=True)
        await asyncio.sleep(TICK_SECONDS)


def _running(platform: Platform) -> list[App]:
    items = {name: find_item(platform.store, name) for name in platform.apps}
    running = [name for name, item in items.items() if item is not None and item.stage in RUNNING_STAGES]
    if not running:
        raise NotFound("No app runs here: none is in a stage from shadow to sustained.")
    return [platform.apps[name] for name in running if platform.apps[name].runnable]


def _tell(done: Sequence[Drill]) -> None:
    for one in done:
        click.echo(f"{one.app}: {'passed' if one.passed else 'did not pass'} ({one.dependency}, {one.queued} waited)")
        for check in one.checks:
            click.echo(f"  {'yes' if check.passed else 'NO '} {check.name.replace('_', ' ')}: {check.text}")


@command.command()
@click.option("--home", help="Folder of the installation.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(home: str | None, as_json: bool) -> None:
    """Show what is away since when, what waits, and the last drills.

    \b
    Example:
      careplane downtime status --json
    """
    settings = _settings(home)
    store = open_store(settings.database_url, settings.home)
    try:
        seen = Outages(store, open_ledger(settings.home / "ledger"))
        settle_drills(store, seen)
        told: dict[str, Any] = {
            "away": msgspec.to_builtins(seen.held()),
            "waiting_events": waiting_count(store),
            "next_try": next((one.next_at.isoformat() for one in waiting(store, limit=1)), None),
            "write_backs": len(pending_write_backs(store)),
            "drills": msgspec.to_builtins(drills(store, limit=10)),
        }
        held = seen.held()
    finally:
        store.close()
    if as_json:
        click.echo(json.dumps(told, indent=2))
        return
    for one in held:
        click.echo(_line(one))
    if not held:
        click.echo("Nothing is away.")
    click.echo(f"{told['waiting_events']} events wait; {told['write_backs']} signed texts wait for the record system.")
    for row in told["drills"]:
        click.echo(f"Drill of {row['app']} on {row['started'][:16]}: {'passed' if row['passed'] else 'did not pass'}")


@command.command()
@click.option("--app", "app_id", help="Only the drill of this app.")
@click.option("--home", help="Folder of the installation.")
def end(app_id: str | None, home: str | None) -> None:
    """End drills that are on. A real outage ends with the first call that works.

    \b
    Example:
      careplane downtime end --app portal_reply
    """
    settings = _settings(home)
    store = open_store(settings.database_url, settings.home)
    try:
        count = end_drills(store, Outages(store, open_ledger(settings.home / "ledger")), app_id)
    finally:
        store.close()
    click.echo("The drill has ended." if count else "No drill is on.")


def _line(one: Outage) -> str:
    what = f"{one.dependency} is away since {one.since:%Y-%m-%d %H:%M %Z}"
    return f"{what} (drill of {one.app}, until {one.until:%H:%M %Z})" if one.cause == "drill" else what


def _settings(home: str | None) -> Settings:
    return read_settings(home=home) if home else read_settings()
