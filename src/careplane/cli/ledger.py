"""``careplane ledger``: verify the audit chain, show records; its other commands stand in files beside this one."""

import contextlib
import json
import sys
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import msgspec

from careplane.cli.ledger_export import accounting, export
from careplane.cli.ledger_folder import home_option, ledger_folder, opened
from careplane.cli.ledger_keep import hold, retain
from careplane.cli.ledger_proofs import anchor, check_proof, compress, prove, public_key
from careplane.errors import LedgerBroken
from careplane.ledger import Head, LedgerRecord, torn_files
from careplane.ledger import verify as verify_chain
from careplane.ledger.proofs import read_heads
from careplane.ledger.signing import read_public_key


@click.group()
def command() -> None:
    """The audit ledger: append-only, hash-chained, signed.

    \b
    Example:
      careplane ledger verify
      careplane ledger show --last 5
    """


for _inner in (accounting, anchor, check_proof, compress, export, hold, prove, public_key, retain):
    command.add_command(_inner)


@command.command()
@home_option
@click.option(
    "--anchor", "anchors", multiple=True, type=click.Path(path_type=Path), help="File of tree heads kept outside."
)
@click.option("--public-key", type=click.Path(path_type=Path), help="Key that signed them (PEM), instead of our own.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def verify(home: str | None, anchors: tuple[Path, ...], public_key: Path | None, as_json: bool) -> None:
    """Walk the whole chain; exit 1 and say where if it does not hold.

    With --anchor, a ledger that was rewritten by somebody with its key, cut, or
    put back from an old copy is noticed too.

    \b
    Example:
      careplane ledger verify --json
      careplane ledger verify --anchor /mnt/worm/careplane.anchors
    """
    folder = ledger_folder(home)
    heads = [head for path in anchors for head in read_heads(path)]
    key = read_public_key(public_key) if public_key else None
    try:
        with _progress(shown=not as_json and sys.stderr.isatty()) as told:
            head = verify_chain(folder, heads, key, told)
    except LedgerBroken as error:
        if not as_json:
            raise
        place = {"seq": error.seq, "file": error.file, "line": error.line, "what": error.message}
        click.echo(json.dumps({"verified": False, **place}))
        raise click.exceptions.Exit(1) from error
    _print_verified(folder, head, len(heads), as_json)


@contextlib.contextmanager
def _progress(*, shown: bool) -> Iterator[Callable[[int, int], None]]:
    """A bar on the terminal, on standard error."""
    if not shown:
        yield lambda _more, _records: None
        return
    with click.progressbar(length=1, label="Verifying", file=sys.stderr) as bar:

        def told(more: int, records: int) -> None:
            bar.length = max(records, 1)
            bar.update(more)

        yield told


def _print_verified(folder: Path, head: Head, anchors: int, as_json: bool) -> None:
    torn = [path.name for path in torn_files(folder)]
    if as_json:
        told = {"verified": True, "records": head.seq, "head": head.hash, "anchors": anchors, "torn": torn}
        click.echo(json.dumps(told))
        return
    click.echo(f"The ledger verifies: {head.seq} records.\nHead  {head.hash}")
    if anchors:
        click.echo(f"It begins with what was anchored ({anchors} tree {'head' if anchors == 1 else 'heads'}).")
    for name in torn:
        click.echo(f"Kept aside after a crash, never acknowledged: {name}")


@command.command()
@home_option
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
    for record in deque(opened(home).records(run=run, kind=kind), maxlen=last):
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
