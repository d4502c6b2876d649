"""``careplane app simulate``: fire the triggers of apps against synthetic patients before they go live."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec

from careplane.errors import InputError
from careplane.sandbox.simulate import Simulated, open_world, simulate
from careplane.server.entitling import find_app, read_apps
from careplane.settings import read_settings


@click.command("simulate")
@click.argument("ident", metavar="[APP]", required=False)
@click.option("--all", "every", is_flag=True, help="Every app that runs.")
@click.option("--model", type=click.Choice(["scripted", "local"]), default="scripted", show_default=True,
              help="The model behind the drafts.")  # fmt: skip
@click.option("--drafts", is_flag=True, help="Print the drafts too.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(context: click.Context, ident: str | None, every: bool, model: str, drafts: bool, as_json: bool) -> None:
    """Fire an app's triggers through the real doors, on synthetic patients.

    A throw-away installation with the sandbox EHR is made for it (extra:
    sandbox); nothing of this one is touched. Exit code 1 if one gave no draft.

    \b
    Example:
      careplane app simulate prior_auth
      careplane app simulate --all --json
    """
    if bool(ident) == every:
        raise InputError("give one app, or --all")
    settings = read_settings()
    apps = read_apps(Path(settings.text("apps_path")))
    chosen = [find_app(apps, ident)] if ident else [app for app in apps.values() if app.runnable]
    with tempfile.TemporaryDirectory(prefix="careplane-simulate-") as folder:
        path = settings.text("apps_path")
        with open_world(Path(folder), apps_path=path, model=model, progress=_say) as world:
            found = []
            for one in simulate(world, chosen):
                found.append(one)
                if not as_json:
                    click.echo("\n".join(_lines(one, drafts=drafts)))
    if as_json:
        rows = [{**msgspec.to_builtins(one), "passed": one.passed} for one in found]
        click.echo(msgspec.json.format(msgspec.json.encode(rows)).decode())
    else:
        good = sum(one.passed for one in found)
        click.echo(f"\n{good} of {len(found)} triggers led to a draft. Everything here is synthetic.")
    context.exit(0 if all(one.passed for one in found) else 1)


def _say(text: str) -> None:
    click.echo(f"{text} …", err=True)


def _lines(one: Simulated, *, drafts: bool) -> Iterator[str]:
    mark = "ok  " if one.passed else "FAIL"
    yield f"{mark} {one.app}: {one.kind} {one.on if one.on != one.kind else ''}".rstrip()
    yield f"     door {one.door}, {one.seconds:.2f} s"
    if one.problem:
        yield f"     {one.problem}"
        return
    refusals = sum(not reason.allowed for reason in one.permit)
    yield f"     permit: {len(one.permit)} rules asked, {refusals} refused; runs: {one.runs}"
    yield f"     draft: {one.words} words from {one.sources} sources, {len(one.findings)} findings"
    for finding in one.findings:
        yield f"       {finding[:72]}"
    yield f"     a signature would write: {', '.join(one.writes) or 'nothing (text)'}"
    if drafts:
        yield from (f"     | {line}" for line in one.text.splitlines())
