"""``careplane erp``: what an ERP drops into a folder."""

from collections import Counter
from pathlib import Path

import click
import msgspec

from careplane._shelf import load
from careplane.errors import CareplaneError
from careplane.records.erp import ErpBatch
from careplane.settings import read_settings
from careplane.store import open_store
from careplane.value.erp import find_files


@click.group()
def command() -> None:
    """The ERP: read an export, list the files that were taken.

    \b
    Example:
      careplane erp read exports/2026-03
    """


@command.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print every record as JSON.")
def read(folder: Path, as_json: bool) -> int:
    """Read the files of a folder and say what is in them; nothing is stored.

    Each file is good as a whole, or its faults are listed by line and field.
    Exit code 2 says that one was not good.

    \b
    Example:
      careplane erp read exports/2026-03 --json
    """
    settings = read_settings()
    options = {"path": str(folder), "settle_seconds": "0"}
    batches: list[ErpBatch] = []
    problems: list[CareplaneError] = []
    for reader in (
        load("connectors", "erp_files").open({**options, "timezone": settings.text("timezone")}),
        load("connectors", "x12").open(options),
    ):
        for file in reader.ready():
            try:
                batches.append(reader.read(file))
            except CareplaneError as error:
                problems.append(error)
    if as_json:
        told = {"batches": msgspec.to_builtins(batches), "problems": [str(one) for one in problems]}
        click.echo(msgspec.json.format(msgspec.json.encode(told), indent=2))
    else:
        _print(batches, problems)
    return 2 if problems else 0


@command.command()
@click.option("--home", help="Folder of the installation.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def files(home: str | None, as_json: bool) -> None:
    """List the files that the server took from the drop folder, or refused.

    \b
    Example:
      careplane erp files
    """
    settings = read_settings(home=home) if home else read_settings()
    store = open_store(settings.database_url, settings.home)
    try:
        found = find_files(store)
    finally:
        store.close()
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=2))
        return
    for one in found:
        state = f"refused\n{one.problem}" if one.problem else f"{one.facts} facts, {len(one.events)} events"
        click.echo(f"{one.at:%Y-%m-%d %H:%M}  {one.name}  {state}")
    if not found:
        click.echo("No file was looked at. Set erp_path to the drop folder and run: careplane serve")


def _print(batches: list[ErpBatch], problems: list[CareplaneError]) -> None:
    for batch in batches:
        kinds = Counter(type(fact).__name__ for fact in batch.facts)
        told = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
        events = Counter(event.on for event in batch.events)
        starts = ", ".join(f"{count} {name}" for name, count in sorted(events.items()))
        click.echo(f"{batch.name}: {told or 'nothing'}{f'; events: {starts}' if starts else ''}")
    for problem in problems:
        click.echo(f"refused: {problem}")
    if not batches and not problems:
        click.echo("No file that is read is in this folder.")
