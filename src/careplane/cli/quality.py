"""``careplane quality``: how good what the models write is, told by checks, by people and by a calibrated judge."""

import asyncio
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path

import click
import msgspec

from careplane import alignment
from careplane.apps import read_app
from careplane.apps.cases import read_cases
from careplane.cli.quality_text import (
    agreement_lines,
    calibration_lines,
    comparison_lines,
    evaluation_lines,
    rate_lines,
    wrapped,
)
from careplane.errors import InputError, Refused
from careplane.evidence import quality
from careplane.governance import tier
from careplane.records.app import App
from careplane.records.quality import Evaluation
from careplane.records.run import Event, Run
from careplane.server.platform import Platform, open_platform
from careplane.server.swapping import judge_model
from careplane.settings import read_settings
from careplane.workflow import find_runs

_HOME = click.option("--home", metavar="DIR", help="Folder of the installation.")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_MODEL = click.option("--model", type=click.Choice(["scripted", "local", "openai_compatible"]), help="Model to use.")


@contextmanager
def _opened(home: str | None, model: str | None = None) -> Iterator[Platform]:
    given = {name: value for name, value in (("home", home), ("model", model)) if value}
    platform = open_platform(read_settings().replace(**given))
    try:
        yield platform
    finally:
        platform.close()


@click.group()
def command() -> None:
    """Quality of what models write: evaluate, sample, judge, compare.

    \b
    Example:
      careplane quality evaluate portal_reply
      careplane quality show portal_reply
    """


@command.command()
@click.argument("app_id", metavar="APP")
@click.option("--cases", metavar="NAMES", help="Some of its cases, with commas; else all.")
@click.option("--folder", type=click.Path(path_type=Path, exists=True), help="Folder of a version not installed.")
@click.option("--runs", type=click.IntRange(1), metavar="N", help="N real runs, drawn by risk, as they were written.")
@click.option("--replay", type=click.IntRange(1), metavar="N", help="N real runs, written again.")
@click.option("--repeats", type=click.IntRange(1, 100), default=1, help="How often each case is written.")
@click.option("--seed", type=int, default=1, help="Seed of the draw.")
@click.option("--by", default="command line", help="Who asks.")
@_MODEL
@_HOME
@_JSON
def evaluate(
    app_id: str,
    cases: str | None,
    folder: Path | None,
    runs: int | None,
    replay: int | None,
    repeats: int,
    seed: int,
    by: str,
    model: str | None,
    home: str | None,
    as_json: bool,
) -> None:
    """Evaluate an app version on its cases or on real runs; nothing is written to a chart.

    \b
    Example:
      careplane quality evaluate portal_reply --repeats 5
      careplane quality evaluate portal_reply --folder next/portal_reply
      careplane quality evaluate portal_reply --runs 200
    """
    if sum(one is not None for one in (cases, runs, replay)) > 1:
        raise InputError("Choose one of --cases, --runs and --replay.")
    with _opened(home, model) as platform:
        app = read_app(folder) if folder is not None else platform.app(app_id)
        if app.id != app_id:
            raise InputError(f"{folder} holds {app.id}, not {app_id}.", field="--folder")
        if runs is not None:
            made = quality.evaluate_runs(platform.runtime, app, *_drawn(platform, app, runs, seed, of_version=True), by)
        elif replay is not None:
            draws, groups = _drawn(platform, app, replay, seed)
            material = [quality.of_run(one.run, groups, one) for one in draws]
            made = asyncio.run(_evaluated(platform, app, material, "replayed runs", by, repeats))
        else:
            chosen = [one.strip() for one in cases.split(",")] if cases else []
            material = quality.of_cases(read_cases(Path(app.folder)), chosen)
            made = asyncio.run(_evaluated(platform, app, material, "cases", by, repeats))
        quality.keep_evaluation(platform.store, made)
    _show(made, evaluation_lines(made), as_json)


async def _evaluated(
    platform: Platform, app: App, material: Sequence[quality.Material], origin: quality.Origin, by: str, repeats: int
) -> Evaluation:
    with _progress("Writing", len(material) * repeats) as advance:
        try:
            return await quality.evaluate(
                platform.runtime, app, material, origin, by, repeats=repeats, progress=advance
            )
        finally:
            await platform.fhir.aclose()


@contextmanager
def _progress(label: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar on standard error, where that is a terminal and there is something to wait for."""
    if not sys.stderr.isatty() or total < 5:
        yield lambda _: None
        return
    with click.progressbar(length=total, label=label, file=sys.stderr) as bar:
        yield bar.update


def _drawn(
    platform: Platform, app: App, size: int, seed: int, *, of_version: bool = False
) -> tuple[list[quality.Draw], quality.Groups]:
    groups = quality.patient_groups(platform.home)
    runs = _written(platform, app, of_version=of_version)
    return quality.draw(runs, groups, size, seed), groups


def _written(platform: Platform, app: App, *, of_version: bool) -> list[Run]:
    found = [run for run in find_runs(platform.store, app=app.id, limit=None) if run.draft is not None]
    return [run for run in found if run.app_hash == app.hash] if of_version else found


@command.command()
@click.argument("app_ids", nargs=-1, required=True, metavar="APP...")
@click.option("--readers", required=True, metavar="A,B", help="The two readers: accounts or people.")
@click.option("--adjudicator", required=True, metavar="C", help="Who settles what they disagree on.")
@click.option("--size", type=click.IntRange(2, 5000), default=40, help="Outputs to read, over all APPs.")
@click.option("--seed", type=int, default=1, help="Seed of the draw.")
@click.option("--by", default="command line", help="Who draws.")
@_HOME
@_JSON
def sample(
    app_ids: tuple[str, ...],
    readers: str,
    adjudicator: str,
    size: int,
    seed: int,
    by: str,
    home: str | None,
    as_json: bool,
) -> None:
    """Draw outputs by risk and give them to two readers; the console has the pages to read.

    \b
    Example:
      careplane quality sample portal_reply --readers ana,ben --adjudicator cy
    """
    two = tuple(one.strip() for one in readers.split(","))
    if len(two) != 2:
        raise InputError("Name two readers with a comma between them.", field="--readers")
    with _opened(home) as platform:
        apps = [platform.app(one) for one in dict.fromkeys(app_ids)]
        outputs = {app.id: len(_written(platform, app, of_version=True)) for app in apps}
        empty = [name for name, count in outputs.items() if not count]
        if empty:
            raise InputError(f"{empty[0]} has no output of its present version to read yet.")
        shares = quality.split(outputs, {app.id: tier(app.spec.tier).tier for app in apps}, size)
        drawn = [(app, _drawn(platform, app, shares[app.id], seed, of_version=True)[0]) for app in apps]
        made = [
            quality.assign(
                platform.store,
                platform.ledger,
                app,
                draws,
                (two[0], two[1]),
                adjudicator,
                seed,
                by,
                platform.clock(),
            )
            for app, draws in drawn
        ]
    lines = [
        f"{one.id}: {one.size} of {one.population} outputs of {one.app}, for {' and '.join(one.readers)}; "
        f"{one.adjudicator} settles. They read at /safety/quality in the console."
        for one in made
    ]
    _show(made, lines, as_json)


@command.command()
@click.argument("app_id", metavar="APP")
@_MODEL
@click.option("--limit", type=click.IntRange(1), help="Outputs to judge at most, beside those that people read.")
@_HOME
@_JSON
def judge(app_id: str, model: str | None, limit: int | None, home: str | None, as_json: bool) -> None:
    """Let the judge model read the outputs, hold it against people's readings, and say what follows.

    A judge that was not held against people, or agrees too little with them, is refused.

    \b
    Example:
      careplane quality judge portal_reply
    """
    with _opened(home, model) as platform:
        app = platform.app(app_id)
        now = platform.clock()
        name = quality.judge_name(judge_model(platform.gateway, app))
        asyncio.run(_judged(platform, app, name, limit, now))
        settled = quality.find_adjudications(platform.store, app.id, app.hash)
        verdicts = quality.find_verdicts(platform.store, app.id, name)
        found = quality.calibrate(app, name, settled, verdicts, now)
        quality.keep_calibration(platform.store, found)
        calibrations = quality.find_calibrations(platform.store, app.id)
        try:
            rates = quality.judged_rates(app, name, calibrations, settled, verdicts, now).rates
        except Refused:
            rates = ()
    lines = calibration_lines(found) + (["", "Corrected by people's readings:", *rate_lines(rates)] if rates else [])
    _show({"calibration": found, "rates": rates}, lines, as_json)


async def _judged(platform: Platform, app: App, name: str, limit: int | None, now: datetime) -> None:
    """Ask the judge about outputs that it has not read yet, those that people settled first."""
    known = quality.find_verdicts(platform.store, app.id, name)
    settled = {one.output for one in quality.find_adjudications(platform.store, app.id, app.hash)}
    every = [run for run in _written(platform, app, of_version=True) if run.id not in known]
    ours = [run for run in every if run.id in settled]
    others = sorted((run for run in every if run.id not in settled), key=lambda run: run.id)
    runs = [*ours, *(others if limit is None else others[:limit])]

    async def chart(event: Event, run: Run) -> tuple[dict[str, object], ...]:
        seen = [one.data for one in run.seen if one.data is not None]
        return await quality.chart_of(platform.runtime, event, seen)

    try:
        with _progress("Judging", len(runs)) as advance:

            def keep(verdict: quality.Verdict) -> None:
                quality.keep_verdict(platform.store, verdict)
                advance(1)

            await quality.judge_all(platform.runtime.complete, app, runs, chart, name.partition("#")[0], now, keep)
    finally:
        await platform.fhir.aclose()


@command.command()
@click.argument("app_id", metavar="APP")
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@_HOME
@_JSON
def compare(app_id: str, a: str, b: str, home: str | None, as_json: bool) -> None:
    """Compare candidate B with A on the same cases: an id, a version, or VERSION@MODEL of evaluations.

    The exit code is 1 where a swap would be refused.

    \b
    Example:
      careplane quality compare portal_reply 1.0.0 1.1.0
      careplane quality compare portal_reply 1.0.0@scripted-1 1.0.0@gpt-x
    """
    with _opened(home) as platform:
        first, second = (quality.find_evaluation(platform.store, app_id, name) for name in (a, b))
        rule = platform.app(app_id).spec.quality
        made = quality.compare(first, second, rule, platform.clock())
        quality.keep_comparison(platform.store, made)
        platform.ledger.append(
            "quality.compared",
            at=made.at,
            app=app_id,
            facts={"comparison": made.id, "a": first.id, "b": second.id, "verdict": made.verdict},
        )
    _show(made, comparison_lines(made), as_json)
    if made.verdict != "kept":
        click.get_current_context().exit(1)


@command.command()
@click.argument("app_id", metavar="APP")
@click.option("--by", required=True, help="Who signs.")
@click.option("--reason", required=True, help="Why the swap may be made all the same.")
@click.option("--until", required=True, type=click.DateTime(["%Y-%m-%d"]), help="The last day it holds.")
@_HOME
def waive(app_id: str, by: str, reason: str, until: datetime, home: str | None) -> None:
    """Sign a waiver, so that a swap may be made that comparison speaks against.

    \b
    Example:
      careplane quality waive portal_reply --by "CMIO" \\
        --reason "Fixes a wrong dose; 80 more cases by May" --until 2027-05-01
    """
    last: date = until.date()
    with _opened(home) as platform:
        made = alignment.waive(
            platform.store, platform.ledger, app_id, "version_swap", by, reason, last, platform.clock()
        )
    click.echo(f"{made.by} waived the swap check of {made.item} until {made.expires_on}.")


@command.command()
@click.argument("app_id", metavar="APP")
@_HOME
@_JSON
def show(app_id: str, home: str | None, as_json: bool) -> None:
    """Show what is known of an app's quality: checks, readers, agreement, judge, comparisons.

    \b
    Example:
      careplane quality show portal_reply
    """
    with _opened(home) as platform:
        app = platform.app(app_id)
        seen = quality.summary(platform.store, app, quality.patient_groups(platform.home))
    if as_json:
        _show(seen, [], as_json=True)
        return
    lines = [seen.sentence]
    if seen.evaluations:
        lines += ["", *evaluation_lines(seen.evaluations[0])]
    if seen.adjudicated:
        lines += ["", f"Settled by people ({seen.read} outputs):", *rate_lines(seen.adjudicated)]
        lines += ["", "Agreement of the readers:", *agreement_lines(seen.agreements)]
    if seen.calibrations:
        lines += ["", *calibration_lines(seen.calibrations[0])]
    if seen.comparisons:
        lines += ["", *comparison_lines(seen.comparisons[0])]
    lines += ["", "Not measured:", *(f"  {one}" for one in seen.not_measured)]
    _show(seen, lines, as_json=False)


def _show(value: object, lines: Sequence[str], as_json: bool) -> None:
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2))
    else:
        click.echo("\n".join(wrapped(lines)))
