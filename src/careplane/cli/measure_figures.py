"""``careplane measure show | check | figure``: what a measure is, whether it is whole, and its figure of some days."""

import textwrap
from collections.abc import Iterator
from datetime import UTC, datetime

import click
import msgspec
import numpy as np

from careplane._shelf import items, load, missing
from careplane.errors import InputError, NotFound
from careplane.evidence.figures import Figures, figures
from careplane.evidence.rows import extract
from careplane.evidence.run_tables import read_record
from careplane.measures import Measure, problems, rows_sql, schemas_of
from careplane.records.evidence import MeasureInfo
from careplane.server.platform import open_platform
from careplane.settings import read_settings

_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_DAY = click.DateTime(formats=["%Y-%m-%d"])
WIDTH = 79


@click.command("show")
@click.argument("ident", metavar="ID")
@click.option("--sql", is_flag=True, help="Print the DuckDB query of its expression.")
@_JSON
def show(ident: str, sql: bool, as_json: bool) -> None:
    """Show the whole definition of a measure.

    \b
    Example:
      careplane measure show note_closure
      careplane measure show note_closure --json
    """
    measure = _measure(ident)
    if sql:
        click.echo(rows_sql(measure, schemas_of(measure)))
    elif as_json:
        more = {"views": measure.views, "reads": measure.reads, "missing": measure.missing}
        told = msgspec.to_builtins(measure.info) | more | {"follow_up_days": measure.follow_up_days}
        _print_json(told)
    else:
        click.echo("\n".join(_definition(measure)))


@click.command("check")
@click.argument("idents", metavar="[ID]...", nargs=-1)
@click.pass_context
def check(context: click.Context, idents: tuple[str, ...]) -> None:
    """Hold measures to the contract of the shelf; all of them by default.

    Exit code 1 when something is missing or would not run alike on DuckDB,
    Spark and PostgreSQL.

    \b
    Example:
      careplane measure check note_closure
    """
    found = {ident: problems(_measure(ident)) for ident in idents or items("measures")}
    for ident, told in found.items():
        for one in told:
            click.echo(f"{ident}: {one}")
    wrong = sum(map(bool, found.values()))
    if not wrong:
        click.echo(f"{len(found)} measure{'s' if len(found) > 1 else ''} checked: no problems.")
    context.exit(1 if wrong else 0)


@click.command("figure")
@click.argument("ident", metavar="ID")
@click.option("--from", "since", type=_DAY, help="First day, in UTC.")
@click.option("--to", "until", type=_DAY, help="The day after the last, in UTC.")
@click.option("--app", help="Only runs of this app, for measures of the run record.")
@click.option("--home", metavar="DIR", help="Home folder of the installation.")
@_JSON
def figure(
    ident: str, since: datetime | None, until: datetime | None, app: str | None, home: str | None, as_json: bool
) -> None:
    """The figure of a measure on the loaded data and the run record.

    Units with few rows are withheld, and others with them, so that no small
    one can be derived.

    \b
    Example:
      careplane measure figure note_closure --from 2026-03-01 --to 2026-04-01
    """
    measure = _measure(ident)
    if since and until and since >= until:
        raise InputError(f"{until:%Y-%m-%d} does not come after --from {since:%Y-%m-%d}", field="--to")
    settings = read_settings(home=home) if home else read_settings()
    platform = open_platform(settings)
    try:
        if app is not None:
            platform.app(app)
        rows = extract(platform.home, {ident: measure}, read_record(platform.store, app)).rows[ident]
    finally:
        platform.close()
    first, last = (at.replace(tzinfo=UTC).timestamp() if at else None for at in (since, until))
    inside = np.ones(len(rows), dtype=bool)
    inside &= rows.at >= first if first is not None else True
    inside &= rows.at < last if last is not None else True
    found = figures(measure.info, rows, inside, int(settings.number("small_cell")))
    if as_json:
        _print_json(found)
    else:
        click.echo("\n".join(_figures(measure, found)))


def _measure(ident: str) -> Measure:
    if ident not in items("measures"):
        raise NotFound(missing("measure", ident, items("measures")))
    measure: Measure = load("measures", ident).MEASURE
    return measure


def _definition(measure: Measure) -> Iterator[str]:
    info = measure.info
    number = f", {info.catalogue} of the catalogue" if info.catalogue else ""
    yield f"{info.title} ({info.id}{number})"
    yield ""
    yield from _field("Definition", info.definition)
    yield from _field("Numerator", info.numerator)
    yield from _field("Denominator", info.denominator)
    yield from _field("One row", info.row)
    yield from _field("Unit", f"{info.unit}; {info.better}")
    if info.judged:
        yield from _field("Worthwhile", f"from {info.mcid:g} {info.unit}: {info.mcid_source}")
    yield from _field("Missing", f"a row that {measure.missing}; followed up for {measure.follow_up_days} days")
    yield from _field("Small cell", f"groups with fewer than {info.small_cell} rows are withheld")
    yield from _field("Aim", f"{info.aim}; computed every {info.cadence_days} days")
    yield from _field("Source", info.source)
    yield from _field("Views", ", ".join(f"{name} ({view['resource']})" for name, view in measure.views.items()))
    yield from _field("Run record", ", ".join(measure.reads))
    yield from _field("Licence", _licence(info))
    yield from _field("Citation", info.citation)


def _licence(info: MeasureInfo) -> str:
    return (
        f"{info.licence}. Answers are imported; its items are never shown here." if info.import_only else info.licence
    )


def _figures(measure: Measure, found: Figures) -> Iterator[str]:
    info = measure.info
    yield f"{info.title} ({info.id})"
    if found.withheld:
        yield from _field("Withheld", found.withheld)
        return
    if not found.rows:
        yield from _field("Nothing", "no rows in this time; see what is loaded, and: careplane measure show " + info.id)
        return
    told = "no value" if found.figure is None else f"{found.figure:.4g} {info.unit}; {info.better}"
    yield from _field("Figure", told)
    yield from _field("Rows", f"{found.n:,} of {found.rows:,} {info.row}s; {found.missing:,} {measure.missing}")
    if found.response_rate is not None:
        yield from _field("Answered", f"{100 * found.response_rate:.1f} % of those who were asked")
    for one in found.units:
        figure = one.withheld if one.figure is None else f"{one.figure:.4g} (n {one.n:,})"
        yield f"  {one.unit:<30.30} {figure}"


def _field(name: str, text: str) -> Iterator[str]:
    if text:
        yield from textwrap.wrap(text, WIDTH, initial_indent=f"{name:<12}", subsequent_indent=" " * 12)


def _print_json(value: object) -> None:
    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2))
