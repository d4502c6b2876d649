"""``careplane view``: tables out of FHIR resources, as a ViewDefinition of SQL on FHIR says."""

import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import click
import msgspec

from careplane.cli.fhir_files import resources
from careplane.cli.view_formats import WRITERS
from careplane.codecs.views import View, compile_view, problems_of
from careplane.errors import DataError, InputError
from careplane.records import JSON

_IN_MEMORY = 64 * 1024 * 1024


@click.group()
def command() -> None:
    """Views: tables out of FHIR resources, as SQL on FHIR v2 defines them.

    \b
    Example:
      careplane view check bp.json
      careplane view run bp.json export/*.ndjson --format csv > bp.csv
    """


@command.command()
@click.argument("view", type=click.Path(path_type=Path))
@click.argument("data", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--format", "form", type=click.Choice(sorted(WRITERS)), default="json", show_default=True, help="What is written."
)
@click.option("--output", metavar="FILE", type=click.Path(path_type=Path), help="Where; by default standard output.")
def run(view: Path, data: tuple[Path, ...], form: str, output: Path | None) -> None:
    """Write the rows of a ViewDefinition over files of resources.

    DATA are files of FHIR resources: NDJSON (plain or .gz), or JSON with one
    resource, a Bundle or a list. Resources of other types are passed over.
    Rows come in the order of the resources, columns in the order of the
    specification. All is written or nothing: a line that cannot be read ends
    the command with exit code 2 and names file and line.

    \b
    Example:
      careplane view run bp.json Observation.ndjson --format json
      careplane view run bp.json export/* --format parquet --output bp.parquet
    """
    compiled = _compiled(view)
    if form == "parquet" and output is None and sys.stdout.isatty():
        raise InputError("Parquet is not for a terminal; name a file", field="--output")
    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as kept:
        WRITERS[form](kept, compiled, _rows(compiled, data))  # type: ignore[arg-type] # it is a binary file
        kept.seek(0)
        _give(kept, output)  # type: ignore[arg-type] # as above


def _rows(view: View, paths: Iterable[Path]) -> Iterator[JSON]:
    for path in paths:
        for place, resource in resources(path):
            try:
                yield from view.rows(resource)
            except DataError as error:
                raise DataError(error.message, file=path, line=place) from None


def _give(kept: BinaryIO, output: Path | None) -> None:
    if output is None:
        shutil.copyfileobj(kept, sys.stdout.buffer)
        sys.stdout.buffer.flush()
        return
    try:
        with tempfile.NamedTemporaryFile(dir=output.parent, prefix=f".{output.name}.", delete=False) as draft:
            shutil.copyfileobj(kept, draft)
        Path(draft.name).replace(output)
    except OSError as error:
        raise InputError(f"cannot be written: {error.strerror}", file=str(output)) from error


@command.command()
@click.argument("view", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON.")
def check(view: Path, as_json: bool) -> int:
    """Say whether a ViewDefinition holds, and where it does not.

    Everything that is wrong is told at once, each with its place in the
    definition. The exit code is 2 when anything is.

    \b
    Example:
      careplane view check bp.json
      careplane view check bp.json --json
    """
    given = _read(view)
    found = problems_of(given)
    columns = () if found else compile_view(given).definition.columns
    if as_json:
        told = {
            "ok": not found,
            "problems": [{"where": problem.field, "what": problem.message} for problem in found],
            "columns": [{"name": name, "type": kind or None, "collection": many} for name, kind, many in columns],
        }
        click.echo(msgspec.json.format(msgspec.json.encode(told), indent=2))
    elif found:
        for problem in found:
            click.echo(f"careplane: {view}: {problem.field}: {problem.message}", err=True)
    else:
        click.echo(f"{view}: holds, {len(columns)} columns: {', '.join(name for name, _, _ in columns)}")
    return 2 if found else 0


def _compiled(path: Path) -> View:
    try:
        return compile_view(_read(path))
    except InputError as error:
        raise InputError(error.message, field=error.field, file=str(path)) from None


def _read(path: Path) -> object:
    found = [resource for _, resource in resources(path, any_object=True)]
    if len(found) != 1:
        raise InputError("must hold one ViewDefinition", file=str(path))
    return found[0]
