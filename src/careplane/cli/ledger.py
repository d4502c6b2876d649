"""``careplane ledger``: verify the audit chain, show records."""

import json
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec

from careplane.errors import LedgerBroken, NotFound
from careplane.ledger import Head, LedgerRecord, open_ledger, torn_files
from careplane.ledger import verify as verify_chain
from careplane.settings import read_settings


@click.group()
def command() -> None:
    """The audit ledger: append-only, hash-chained, sealed.

    \b
    Example:
      careplane ledger verify
      careplane ledger show --last 5
    """


@command.command()
@click.option("--home", help="Folder of this installation.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def verify(home: str | None, as_json: bool) -> None:
    """Walk the whole chain; exit 1 and say where if it does not hold.

    \b
    Example:
      careplane ledger verify --json
    """
    folder = _folder(home)
    try:
        head = verify_chain(folder)
    except LedgerBroken as error:
        if not as_json:
            raise
        place = {"seq": error.seq, "file": error.file, "line": error.line, "what": error.message}
        click.echo(json.dumps({"verified": False, **place}))
        raise click.exceptions.Exit(1) from error
    _print_verified(folder, head, as_json)


def _print_verified(folder: Path, head: Head, as_json: bool) -> None:
    torn = [path.name for path in torn_files(folder)]
    if as_json:
        click.echo(json.dumps({"verified": True, "records": head.seq, "head": head.hash, "torn": torn}))
        return
    click.echo(f"The ledger verifies: {head.seq} records.\nHead  {head.hash}")
    for name in torn:
        click.echo(f"Kept aside after a crash, never acknowledged: {name}")


@command.command()
@click.option("--home", help="Folder of this installation.")
@click.option("--run", help="Only records of this run.")
@click.option("--kind", help="Only records of this kind, such as model.called.")
@click.option("--last", type=click.IntRange(min=1), default=20, show_default=True, help="How many, newest last.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines.")
def show(home: str | None, run: str | None, kind: str | None, last: int, as_json: bool) -> None:
    """Show records, oldest first.

    \b
    Example:
      careplane ledger show --kind model.called --last 3
    """
    folder = _folder(home)
    if not folder.is_dir():
        raise NotFound(f"There is no ledger in {folder}.")
    for record in deque(open_ledger(folder).records(run=run, kind=kind), maxlen=last):
        if as_json:
            click.echo(msgspec.json.encode(record).decode())
        else:
            click.echo("\n".join(_lines(record)))


def _lines(record: LedgerRecord) -> Iterator[str]:
    yield f"{record.seq:>7}  {record.at:%Y-%m-%d %H:%M:%S}Z  {record.kind}"
    about = {"run": record.run, "app": record.app, "actor": record.actor, **record.facts}
    text = "  ".join(f"{name}={value}" for name, value in about.items() if value is not None)
    if text:
        yield click.wrap_text(text, width=80, initial_indent=" " * 9, subsequent_indent=" " * 9)


def _folder(home: str | None) -> Path:
    settings = read_settings(home=home) if home else read_settings()
    return settings.home / "ledger"
