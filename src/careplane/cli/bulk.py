"""``careplane bulk``: exports of the EHR by FHIR Bulk Data Access, into a folder or into the loaded data."""

import asyncio
import hashlib
import shutil
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec
from rich.console import Console

from careplane.cli.load import print_report, read_into
from careplane.codecs.fhir_bulk import ExportRequest, Level, check_request
from careplane.connectors.fhir_bulk import BulkConnector
from careplane.connectors.fhir_bulk.connector import Exported, Step
from careplane.connectors.fhir_bulk.state import FILE, ExportState
from careplane.errors import DataError, InputError, NotFound
from careplane.server.ehr import bulk_scopes, endpoint_options, open_item
from careplane.settings import Settings, read_settings

F = TypeVar("F", bound=Callable[..., Any])
R = TypeVar("R")

LAST = "last.json"
_MB = 1_000_000


def asking(command: F) -> F:
    """The options that say what to export."""
    options = (
        click.option("--group", metavar="ID", default="", help="Only members of this Group."),
        click.option("--patients", is_flag=True, help="Only what belongs to patients."),
        click.option("--type", "types", metavar="TYPE", multiple=True, help="A resource type; repeatable."),
        click.option("--since", metavar="TIME", default="", help="Only what changed after: an instant, or 'last'."),
        click.option("--filter", "filters", metavar="SEARCH", multiple=True, help="Such as Task?status=requested."),
        click.option("--json", "as_json", is_flag=True, help="Print the result as JSON."),
        click.option("--home", metavar="DIR", help="Home folder of the installation."),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.group()
def command() -> None:
    """Exports of the EHR (FHIR Bulk Data).

    \b
    Example:
      careplane bulk load --type Patient --type Observation
    """


@command.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--keep", is_flag=True, help="Leave the export at the EHR.")
@asking
def export(folder: Path, keep: bool, home: str | None, as_json: bool, **asked: Any) -> None:
    """Export into FOLDER as NDJSON, or go on there.

    It may be stopped at any time; the same command goes on. A file has its
    name only once it is whole.

    \b
    Example:
      careplane bulk export exports/2026-03 --type Patient
    """
    settings = _settings(home)
    done = _export(settings, _request(settings, **asked), folder, keep=keep)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(done), indent=2))
    else:
        _print(done)


@command.command()
@asking
def load(home: str | None, as_json: bool, **asked: Any) -> int:
    """Export and load, with nothing kept twice.

    '--since last' takes what changed since the same export was last loaded;
    the first time that is everything. What the EHR deleted stays loaded.

    \b
    Example:
      careplane bulk load --patients --since last
    """
    settings = _settings(home)
    request = _request(settings, **asked)
    folder = settings.home / "bulk" / _name(request)
    done = _export(settings, request, folder)
    report = read_into(folder, settings.home) if done.counts else None
    _remember(settings.home, request, done.at)
    shutil.rmtree(folder)
    if as_json:
        both = {"export": done, "load": report}
        click.echo(msgspec.json.format(msgspec.json.encode(both), indent=2))
    elif report is None:
        click.echo("Nothing changed since; nothing was loaded.")
    else:
        print_report(report)
        _print_beside(done)
    return 1 if report is not None and report.quarantined else 0


@command.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--home", metavar="DIR", help="Home folder of the installation.")
def cancel(folder: Path, home: str | None) -> None:
    """End the export of FOLDER at the EHR.

    \b
    Example:
      careplane bulk cancel exports/2026-03
    """
    settings, state = _settings(home), _state(folder)

    async def act(bulk: BulkConnector) -> bool:
        return await bulk.cancel(folder, state.request)

    with _connector(settings, state.request) as bulk:
        ended = asyncio.run(_closing(bulk, act))
    click.echo("Ended at the EHR." if ended else "There is nothing to end: the export is done or was ended before.")


def _settings(home: str | None) -> Settings:
    settings = read_settings()
    if home:
        settings = settings.replace(home=home)
    if not settings.text("fhir_base_url"):
        raise InputError("is not set; it names the EHR's FHIR endpoint", field="fhir_base_url")
    return settings


def _request(
    settings: Settings, group: str, patients: bool, types: tuple[str, ...], since: str, filters: tuple[str, ...]
) -> ExportRequest:
    if group and patients:
        raise InputError("either a group or all patients", field="--patients")
    level: Level = "group" if group else "patient" if patients else "system"
    request = ExportRequest(level=level, group=group, types=types, type_filters=filters)
    if since == "last":
        since = _remembered(settings.home).get(_name(request), "")
    return check_request(msgspec.structs.replace(request, since=since))


def _export(settings: Settings, request: ExportRequest, folder: Path, *, keep: bool = False) -> Exported:
    with _connector(settings, request) as bulk, _progress() as tell:

        async def act(bulk: BulkConnector) -> Exported:
            return await bulk.export(request, folder, tell, keep=keep)

        return asyncio.run(_closing(bulk, act))


@contextmanager
def _connector(settings: Settings, request: ExportRequest) -> Iterator[BulkConnector]:
    """The connector, and word of the way on for whoever stops it."""
    options = endpoint_options(settings, bulk_scopes(request.types))
    largest = f"{settings.number('fhir_max_file_gb'):g}"
    try:
        yield open_item("fhir_bulk", {**options, "max_file_gb": largest})
    except KeyboardInterrupt:
        click.echo("Stopped. The same command goes on from here.", err=True)
        raise


async def _closing(bulk: BulkConnector, act: Callable[[BulkConnector], Awaitable[R]]) -> R:
    try:
        return await act(bulk)
    finally:
        await bulk.aclose()


@contextmanager
def _progress() -> Iterator[Callable[[Step], None]]:
    """One line that changes, on a terminal only."""
    console = Console(stderr=True)
    with console.status("asking the EHR for an export") as line:

        def tell(step: Step) -> None:
            files = f"file {step.files_done + 1} of {step.files}, " if step.files else ""
            size = f", {step.bytes / _MB:,.1f} MB" if step.files else ""
            line.update(f"{files}{step.what}{size}")

        yield tell


def _print(done: Exported) -> None:
    width = max(map(len, done.counts), default=0)
    for kind, count in done.counts.items():
        click.echo(f"{kind:<{width}}  {count:>12,}")
    click.echo(f"{sum(done.counts.values()):,} resource(s) in {done.folder}, as they were at {done.at}.")
    _print_beside(done)


def _print_beside(done: Exported) -> None:
    if done.errors:
        click.echo(f"The EHR told {done.errors:,} problem(s) with the export (files *.outcomes).")
    if done.deleted:
        click.echo(f"The EHR told {done.deleted:,} bundle(s) of deletions (files *.deleted); loaded data keeps them.")


def _state(folder: Path) -> ExportState:
    try:
        return msgspec.json.decode((folder / FILE).read_bytes(), type=ExportState)
    except FileNotFoundError as error:
        raise NotFound(f"There is no export in {folder}.") from error
    except msgspec.DecodeError as error:
        raise DataError("the state of the export cannot be read", file=folder / FILE) from error


def _name(request: ExportRequest) -> str:
    """A name for what is asked, the same each time."""
    return hashlib.sha256(msgspec.json.encode(request)).hexdigest()[:16]


def _remembered(home: Path) -> dict[str, str]:
    """When each export was last loaded, by the name of what it asked without a time."""
    try:
        return msgspec.json.decode((home / "bulk" / LAST).read_bytes(), type=dict[str, str])
    except FileNotFoundError:
        return {}
    except msgspec.DecodeError as error:
        raise DataError("cannot be read; remove it to load everything again", file=home / "bulk" / LAST) from error


def _remember(home: Path, request: ExportRequest, at: str) -> None:
    key = _name(msgspec.structs.replace(request, since=""))
    draft = home / "bulk" / f"{LAST}.new"
    draft.write_bytes(msgspec.json.encode(_remembered(home) | {key: at}))
    draft.replace(home / "bulk" / LAST)
