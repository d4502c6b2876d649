"""``careplane monitor``: the three layers of each app, breaches, harm flags, and the safety watch."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, cast, get_args

import click
import msgspec

from careplane.evidence.monitoring import (
    acknowledge,
    current_watch,
    find_breaches,
    find_readings,
    find_watches,
    flag_harm,
    metric_of,
    rebase,
    runs_to_notice,
    sentence,
)
from careplane.records.monitoring import LAYERS, Breach, HarmLevel, Reading, SafetyWatch
from careplane.server.integration_checks import running_apps
from careplane.server.monitoring import read_layers, watch_safety
from careplane.server.platform import Platform, open_platform
from careplane.settings import read_settings

HOME = click.option("--home", help="Folder of the installation.")
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
BY = click.option("--by", required=True, help="Who, as a reference or account.")


@click.group()
def command() -> None:
    """Monitoring: integrity, performance and impact of each app, and its safety.

    \b
    Example:
      careplane monitor run
      careplane monitor list
      careplane monitor show portal_reply
    """


@command.command()
@click.option("--app", "app_id", help="Only this app.")
@HOME
@JSON
def run(app_id: str | None, home: str | None, as_json: bool) -> None:
    """Read all metrics now; careplane serve does so by itself once an hour.

    \b
    Example:
      careplane monitor run --app portal_reply
    """
    with _opened(home) as platform:
        apps = [platform.app(app_id)] if app_id else list(running_apps(platform))
        told: list[dict[str, Any]] = []
        for app in apps:
            watch = watch_safety(platform, app)
            readings = read_layers(platform, app)
            told.append({"app": app.id, "watch": msgspec.to_builtins(watch), "metrics": len(readings)})
            if not as_json:
                broken = sum(one.state == "breach" for one in readings)
                click.echo(f"{app.id}: {len(readings)} metrics read, {broken} in breach. {sentence(watch)}")
    if as_json:
        click.echo(json.dumps(told, indent=2))
    elif not told:
        click.echo("No app runs here: none is in a stage from shadow to sustained.")


@command.command("list")
@HOME
@JSON
def show_all(home: str | None, as_json: bool) -> None:
    """List apps by layer, and the breaches that are open.

    \b
    Example:
      careplane monitor list --json
    """
    with _opened(home) as platform:
        readings, breaches = find_readings(platform.store), find_breaches(platform.store, only_open=True)
        watches = {one.app: one for one in reversed(find_watches(platform.store))}
    if as_json:
        board = {app: _worst(readings, app) for app in dict.fromkeys(one.app for one in readings)}
        found = {
            "apps": board,
            "watches": [msgspec.to_builtins(one) for one in watches.values()],
            "breaches": msgspec.to_builtins(breaches),
        }
        click.echo(json.dumps(found, indent=2))
        return
    for app in dict.fromkeys(one.app for one in readings):
        states = ", ".join(f"{layer} {state.replace('_', ' ')}" for layer, state in _worst(readings, app).items())
        click.echo(f"{app}: {states}; safety {_safety(watches.get(app))}")
    for breach in breaches:
        click.echo(_line(breach))
    if not readings:
        click.echo("Nothing was read yet: careplane monitor run")


@command.command()
@click.argument("app_id", metavar="APP")
@HOME
@JSON
def show(app_id: str, home: str | None, as_json: bool) -> None:
    """Show every metric of one app, its breaches and its safety watch.

    \b
    Example:
      careplane monitor show portal_reply --json
    """
    with _opened(home) as platform:
        app = platform.app(app_id)
        readings = find_readings(platform.store, app.id)
        breaches, watch = find_breaches(platform.store, app.id), current_watch(platform.store, app.id)
    if as_json:
        found = {
            "app": app.id,
            "watch": msgspec.to_builtins(watch),
            "readings": msgspec.to_builtins(readings),
            "breaches": msgspec.to_builtins(breaches),
        }
        click.echo(json.dumps(found, indent=2))
        return
    for layer in LAYERS:
        click.echo(layer.capitalize())
        for one in (one for one in readings if one.layer == layer):
            click.echo(f"  {one.state.replace('_', ' ')}: {one.title}. {one.text}")
    for breach in breaches:
        click.echo(_line(breach))
    if watch is not None:
        click.echo(f"Safety watch {watch.number}: {sentence(watch)}")
        for times in (2, 5):
            rate = min(times * watch.rule.max_rate, 1.0)
            number = runs_to_notice(watch.rule.max_rate, watch.rule.alpha, rate)
            click.echo(f"  At {rate:.2%} it would cross after about {number:,} runs.")


@command.command()
@click.argument("breach")
@BY
@click.option("--note", required=True, help="What is being done.")
@HOME
def ack(breach: str, by: str, note: str, home: str | None) -> None:
    """Acknowledge a breach: somebody has seen it, and this is being done.

    \b
    Example:
      careplane monitor ack b-0123456789abcdef --by p.lee --note "rolled back"
    """
    with _opened(home) as platform:
        seen = acknowledge(platform.store, platform.ledger, breach, by, note, platform.clock())
    click.echo(f"{seen.acknowledged_by} acknowledged {seen.id}.")


@command.command()
@click.argument("run_id", metavar="RUN")
@click.option("--level", type=click.Choice(get_args(HarmLevel)), required=True, help="How much harm (AHRQ).")
@BY
@click.option("--note", default="", help="What happened; no names.")
@HOME
def flag(run_id: str, level: str, by: str, note: str, home: str | None) -> None:
    """Flag that a run did harm or could have; the safety watch counts it.

    \b
    Example:
      careplane monitor flag run-0123 --level mild --by p.lee
    """
    with _opened(home) as platform:
        kept = flag_harm(platform.store, platform.ledger, run_id, cast(HarmLevel, level), by, platform.clock(), note)
    click.echo(f"Flagged: {kept.level.replace('_', ' ')} harm in {kept.run}.")


@command.command("rebase")
@click.argument("app_id", metavar="APP")
@click.argument("metric")
@click.option("--from", "start", type=click.DateTime(["%Y-%m-%d"]), required=True, help="First day.")
@click.option("--reason", required=True, help="What was changed on purpose.")
@BY
@HOME
def begin_baseline(app_id: str, metric: str, start: datetime, reason: str, by: str, home: str | None) -> None:
    """Begin a new baseline: the process was changed, so its limits are to be new.

    \b
    Example:
      careplane monitor rebase portal_reply latency --from 2026-03-02 \\
        --reason "moved to another model" --by p.lee
    """
    with _opened(home) as platform:
        app = platform.app(app_id)
        info = metric_of(app, metric, platform.measures)
        made = rebase(platform.store, platform.ledger, app.id, info.id, start.date(), reason, by, platform.clock())
    click.echo(f"Limits of {made.metric} are new from {made.start}: {made.reason}")


def _worst(readings: list[Reading], app: str) -> dict[str, str]:
    """The gravest state of each layer."""
    mine = [one for one in readings if one.app == app]
    return {layer: min((one.state for one in mine if one.layer == layer), key=_RANK.index) for layer in LAYERS}


_RANK = ("breach", "concern", "changed", "improving", "steady", "learning", "not_measured")


def _safety(watch: SafetyWatch | None) -> str:
    return "not watched yet" if watch is None else "CROSSED" if watch.crossed_at else f"{watch.events} of {watch.runs}"


def _line(breach: Breach) -> str:
    seen = f"acknowledged by {breach.acknowledged_by}: {breach.note}" if breach.acknowledged_by else "not acknowledged"
    state = f"due {breach.due_on}, {seen}" if breach.open else f"closed, {breach.closed_why}"
    return f"{breach.id} {breach.app} {breach.metric}: {breach.reason} Owner {breach.owner}; {state}."


@contextmanager
def _opened(home: str | None) -> Iterator[Platform]:
    platform = open_platform(read_settings(home=home) if home else read_settings())
    try:
        yield platform
    finally:
        platform.close()
