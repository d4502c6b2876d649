"""``careplane load``: FHIR R4 bulk NDJSON into the home."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.table import Table

from careplane.cli.fhir_files import resources
from careplane.codecs.fhir_bulk import deleted_references
from careplane.errors import DataError, InputError
from careplane.settings import read_settings
from careplane.store import lake
from careplane.store.lake_removal import remove

SHOWN = 20
_COUNTS = ("new", "already", "updated", "older", "quarantined")
_WAY_OUT = "Everything else was loaded. Mend these lines and load the path again; nothing is loaded twice."


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--home", metavar="DIR", help="Home folder of the installation.")
@click.option("--deletions", is_flag=True, help="Take out what the *.deleted files of PATH name.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def command(path: Path, home: str | None, deletions: bool, as_json: bool) -> int:
    """Load FHIR R4 bulk NDJSON (plain or .gz): a file, or a folder of them.

    Nothing is loaded twice. A line that cannot be loaded is reported with its
    file and line; the rest loads. Exit code 1 says that something was left out.

    With --deletions nothing is loaded: what the EHR deleted, as a bulk export
    tells it (files *.deleted), leaves the loaded data, all of it or nothing.

    \b
    Example:
      careplane load exports/2026-03 --home .careplane
      careplane load exports/2026-03 --deletions
    """
    settings = read_settings()
    if deletions:
        named, gone = take_out(path, Path(home) if home else settings.home)
        told = f"{gone:,} resource(s) taken out of the loaded data; {named - gone:,} more were not in it."
        click.echo(msgspec.json.encode({"named": named, "taken_out": gone}).decode() if as_json else told)
        return 0
    report = read_into(path, Path(home) if home else settings.home)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(report), indent=2))
    else:
        print_report(report)
    return 1 if report.quarantined else 0


@contextmanager
def _ended_by_interrupt() -> Iterator[None]:
    """Let Ctrl-C end the process at once, as for any Unix tool: DuckDB can wait for ever for a thread that an exception
    in the midst of a query has cut off. The lake stays whole at any moment, and the next load goes on from there."""
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def read_into(path: Path, home: Path) -> lake.LoadReport:
    """Load a path into a home, with progress on a terminal; Ctrl-C ends at once."""
    with _ended_by_interrupt():
        return _load(path, home)


def take_out(path: Path, home: Path) -> tuple[int, int]:
    """Take what ``*.deleted`` files name out of the loaded data: how many are named, and how many were there.

    Raises:
        InputError: there is no such file.
        DataError: a line is no Bundle of deletions; nothing was taken out.
    """
    files = sorted(path.rglob("*.deleted")) if path.is_dir() else [path] if path.is_file() else []
    if not files:
        raise InputError("holds no *.deleted file" if path.exists() else "there is no such path", file=path)
    named: set[str] = set()
    for file in files:
        for place, bundle in resources(file, any_object=True):
            try:
                named.update(deleted_references(bundle))
            except DataError as error:
                raise DataError(error.message, file=file, line=place, field=error.field) from None
    with _ended_by_interrupt():
        return len(named), remove(home, sorted(named))


def _load(path: Path, home: Path) -> lake.LoadReport:
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("loading", total=None)

        def tell(step: lake.Progress) -> None:
            bar.update(task, completed=step.bytes_done, total=step.bytes_total, description=Path(step.file).name)

        return lake.load_path(path, home, progress=tell)


def print_report(report: lake.LoadReport) -> None:
    """The counts by type, and the first problems."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("Resource type")
    for heading in ("New", "Already there", "Updated", "Older", "Left out"):
        table.add_column(heading, justify="right")
    for count in report.types:
        table.add_row(count.type or "(not readable)", *(f"{getattr(count, name):,}" for name in _COUNTS))
    table.add_section()
    table.add_row("all", *(f"{sum(getattr(count, name) for count in report.types):,}" for name in _COUNTS))
    console = Console(width=80, highlight=False)
    console.print(table)
    _print_problems(report)


def _print_problems(report: lake.LoadReport) -> None:
    total = sum(report.problems_by_kind.values())
    if not total:
        click.echo(f"\n{report.files} file(s) loaded, no problems.")
        return
    kinds = ", ".join(f"{count:,} {kind.replace('_', ' ')}" for kind, count in sorted(report.problems_by_kind.items()))
    click.echo(f"\nProblems: {total:,} ({kinds})")
    for problem in report.problems[:SHOWN]:
        click.echo(f"  {_short(problem.where)}: {problem.kind.replace('_', ' ')}: {problem.text}")
    if total > SHOWN:
        click.echo(f"  ... and {total - SHOWN:,} more.")
    click.echo(f"All of them: {report.problems_file}")
    click.echo(f"{report.quarantined:,} left out. {_WAY_OUT}" if report.quarantined else "Nothing was left out.")


def _short(where: str) -> str:
    here = f"{Path.cwd()}/"
    return where.removeprefix(here)
