"""``careplane check``: live checks of an installation."""

import asyncio
import json
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import click
import msgspec

from careplane.alignment.integration import keep_report
from careplane.errors import InputError
from careplane.records.app import App
from careplane.records.integration import IntegrationReport
from careplane.sandbox.simulate import World, open_world, simulate
from careplane.server.asgi import asgi_app
from careplane.server.integration_checks import check_app, running_apps
from careplane.server.platform import Platform, open_platform
from careplane.settings import read_settings
from careplane.workflow import load_run, review_run

MARKS = {"pass": "✓ pass        ", "fail": "✗ fail        ", "not_measured": "? not measured"}


@click.group()
def command() -> None:
    """Live checks of this installation.

    \b
    Example:
      careplane check integration --all
    """


@command.command()
@click.argument("ident", metavar="[APP]", required=False)
@click.option("--all", "every", is_flag=True, help="Every app in a stage that runs.")
@click.option("--sandbox", is_flag=True, help="Against the sandbox EHR, whatever is configured.")
@click.option("--home", help="Folder of the installation.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def integration(
    context: click.Context, ident: str | None, every: bool, sandbox: bool, home: str | None, as_json: bool
) -> None:
    """Run six checks per app: sign-on, in-workflow launch, governed data,
    write-back with provenance, telemetry, entitlement and kill switch.

    They run against the EHR of fhir_base_url, and what they found is kept with
    its date: register, gates and signals read it. Without an EHR they run in a
    throw-away installation with the sandbox EHR, say so, and nothing is kept.
    Exit code 1 if one fails.

    \b
    Example:
      careplane check integration portal_reply
      careplane check integration --all --json
    """
    if ident and every:
        raise InputError("give one app, or --all")
    settings = read_settings(home=home) if home else read_settings()
    if sandbox or not settings.text("fhir_base_url"):
        if not sandbox:
            click.echo("No EHR is configured (fhir_base_url): the sandbox EHR is used, and nothing is kept.", err=True)
        found = _in_sandbox(ident, settings.text("apps_path"))
    else:
        found = _live(open_platform(settings), ident)
    if as_json:
        click.echo(json.dumps(msgspec.to_builtins(found), indent=2))
    else:
        click.echo("\n".join(line for report in found for line in _lines(report)))
        if not found:
            click.echo("No app is in a stage that runs. Name one, or move one: careplane app move")
    context.exit(1 if any(report.names("fail") for report in found) else 0)


def _live(platform: Platform, ident: str | None) -> list[IntegrationReport]:
    """Check against what is configured, and keep what was found."""
    try:
        apps = [platform.app(ident)] if ident else list(running_apps(platform))
        found = asyncio.run(_check(platform, apps, None))
        for report in found:
            keep_report(platform.store, platform.ledger, report)
        return found
    finally:
        platform.close()


def _in_sandbox(ident: str | None, apps_path: str) -> list[IntegrationReport]:
    """Fire and sign one draft of each app in a world of its own, then check there."""
    with (
        tempfile.TemporaryDirectory(prefix="careplane-check-") as folder,
        open_world(Path(folder), apps_path=apps_path, progress=lambda text: click.echo(f"{text} …", err=True)) as world,
    ):
        platform = world.platform
        apps = [platform.app(ident)] if ident else [app for app in platform.apps.values() if app.runnable]
        for app in apps:
            click.echo(f"Firing {app.id} …", err=True)
            _fire_and_sign(world, app)
        return asyncio.run(_check(platform, apps, "sandbox EHR (synthetic patients)"))


def _fire_and_sign(world: World, app: App) -> None:
    for one in simulate(world, [app]):
        run = load_run(world.platform.store, one.run) if one.run else None
        if run is not None and run.draft is not None and app.spec.output.kind != "text":
            by = run.event.user or world.someone().id
            world.train(app, by)
            asyncio.run(_sign(world, run.id, by))


async def _sign(world: World, run: str, by: str) -> None:
    runtime = world.platform.runtime
    try:
        await review_run(runtime, run, "accept", by, 30.0, at=world.platform.clock())
    finally:
        await world.platform.fhir.aclose()


async def _check(platform: Platform, apps: Iterable[App], ehr: str | None) -> list[IntegrationReport]:
    door = asgi_app(platform)
    try:
        return [await check_app(platform, app, door, ehr=ehr) for app in apps]
    finally:
        await platform.fhir.aclose()


def _lines(report: IntegrationReport) -> Iterator[str]:
    yield f"{report.app}: {len(report.names('pass'))} of {len(report.checks)} pass, against {report.ehr}"
    for check in report.checks:
        yield f"  {MARKS[check.state]} {check.name.replace('_', ' ')} ({check.seconds:.2f} s)"
        yield from (f"      {line}" for line in _wrapped(check.evidence))
        if check.way_out:
            yield from (f"      → {line}" for line in _wrapped(check.way_out))
    yield ""


def _wrapped(text: str, width: int = 70) -> Iterator[str]:
    line = ""
    for word in text.split():
        if line and len(line) + len(word) >= width:
            yield line
            line = ""
        line = f"{line} {word}".strip()
    yield line
