"""``careplane measure``: the measures of the shelf on the loaded data."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import click
import msgspec
from rich.console import Console
from rich.table import Table

from careplane._shelf import missing
from careplane.cli.measure_figures import check, figure, show
from careplane.errors import NotFound
from careplane.evidence.engines.choosing import Choice
from careplane.evidence.measure_runs import FOLDER, MeasureRun, latest_runs, shown
from careplane.measures import Measure
from careplane.server.measuring import ENGINES, choice_of, run_now
from careplane.server.platform import open_platform
from careplane.settings import read_settings


@click.group()
def command() -> None:
    """Measures: what they are, run them on the loaded data, see what they say.

    \b
    Example:
      careplane measure run
      careplane measure list
      careplane measure figure note_closure --from 2026-03-01
    """


for one in (show, check, figure):
    command.add_command(one)


@command.command()
@click.argument("names", nargs=-1, metavar="[MEASURE]...")
@click.option("--engine", type=click.Choice(ENGINES), help="Where; by default the setting measures_engine.")
@click.option("--anew", is_flag=True, help="Forget what earlier runs kept and read everything.")
@click.option("--home", metavar="DIR", help="Home folder of the installation.")
@click.option("--json", "as_json", is_flag=True, help="Print the runs as JSON.")
def run(names: tuple[str, ...], engine: str | None, anew: bool, home: str | None, as_json: bool) -> int:
    """Run measures, all of them by default, and keep their rows and figures.

    Only resources that changed since the last run are read, and a measure
    whose data did not change is not computed again. The rows are in the home,
    measures/ID.parquet. A figure of few rows is withheld. Exit code 1 says
    that one could not be computed.

    \b
    Example:
      careplane measure run
      careplane measure run msg_turnaround note_closure --engine spark
    """
    settings = read_settings(home=home) if home else read_settings()
    choice = choice_of(settings, engine)
    platform = open_platform(settings)
    try:
        chosen = _chosen(platform.measures, names)
        console = Console(stderr=True)
        with console.status("running measures", spinner="line") as line:
            done = run_now(platform, chosen, choice, lambda one: line.update(f"{one.measure} done"), anew=anew)
        small = int(settings.number("small_cell"))
        done = [shown(one, chosen[one.measure].info, small) for one in done]
    finally:
        platform.close()
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(done), indent=2))
    else:
        _print(done, platform.measures)
        _print_told(done, choice, settings.home)
    return 1 if any(one.problem for one in done) else 0


@command.command("list")
@click.option("--home", metavar="DIR", help="Home folder of the installation.")
@click.option("--json", "as_json", is_flag=True, help="Print the shelf with the newest runs as JSON.")
def list_measures(home: str | None, as_json: bool) -> None:
    """List the measures of the shelf with what their newest run said.

    \b
    Example:
      careplane measure list --json
    """
    settings = read_settings(home=home) if home else read_settings()
    platform = open_platform(settings)
    try:
        runs, measures = latest_runs(platform.home), platform.measures
    finally:
        platform.close()
    small = int(settings.number("small_cell"))
    runs = {name: shown(run, measures[name].info, small) for name, run in runs.items() if name in measures}
    if as_json:
        both = [{"measure": one.info, "run": runs.get(name)} for name, one in measures.items()]
        click.echo(msgspec.json.format(msgspec.json.encode(both), indent=2))
        return
    _print([runs.get(name) or _never(name) for name in measures], measures)


def _never(name: str) -> MeasureRun:
    return msgspec.convert({"measure": name, "at": "0001-01-01T00:00:00Z", "engine": "", "problem": ""}, MeasureRun)


def _chosen(measures: Mapping[str, Measure], names: tuple[str, ...]) -> dict[str, Measure]:
    for name in names:
        if name not in measures:
            raise NotFound(missing("measure", name, measures))
    return {name: measures[name] for name in names or measures}


def _print(done: list[MeasureRun], measures: Mapping[str, Measure]) -> None:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("Measure", "Rows", "Valued", "Mean", "Unit", "Read", "Seconds"):
        side: Literal["left", "right"] = "left" if heading in ("Measure", "Unit") else "right"
        table.add_column(heading, justify=side, overflow="fold", no_wrap=heading in ("Measure", "Mean"))
    for one in done:
        unit = measures[one.measure].info.unit if one.measure in measures else ""
        figure = "not measured" if one.figure is None else f"{one.figure:,.4g}"
        figure = "withheld" if one.withheld else figure
        read = "unchanged" if one.unchanged else f"{one.resources_read:,}"
        counts = ("" if number is None else f"{number:,}" for number in (one.rows, one.measured))
        cells = (*counts, figure, unit, read if one.engine else "", f"{one.seconds:.1f}")
        table.add_row(one.measure, *cells)
    Console(width=80, highlight=False).print(table)


def _print_told(done: list[MeasureRun], choice: Choice, home: Path) -> None:
    for one in done:
        if one.problem:
            click.echo(f"careplane: {one.measure}: {one.problem}", err=True)
    seconds = sum(one.seconds for one in done)
    click.echo(f"\n{len(done)} measure(s) on {choice.name} in {seconds:.1f} s; rows in {home / FOLDER}.")
