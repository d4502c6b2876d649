"""``careplane hl7v2 inbox``: what came over MLLP, what became of it, and letting it be worked on again."""

import sys
import textwrap
from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec

from careplane.cli.ledger_folder import home_option, ledger_folder
from careplane.codecs.hl7v2 import header_of
from careplane.errors import InputError, NotFound
from careplane.ledger import open_ledger
from careplane.server.hl7v2_intake import encoded, read
from careplane.settings import read_settings
from careplane.store.hl7v2_inbox import FILE, Entry, Hl7v2Inbox, open_inbox

WIDTH = 80
_TAKEN = "left alone: a message with its control id was accepted; name it, if this is another one"


@click.group(invoke_without_command=True)
@home_option
@click.option("--failed", is_flag=True, help="Only those that were refused or failed.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000), help="How many.")
@click.option("--json", "as_lines", is_flag=True, help="Print each entry as a line of JSON.")
@click.pass_context
def inbox(context: click.Context, home: str | None, failed: bool, limit: int, as_lines: bool) -> None:
    """What came: list, show, replay. The newest first; no content is listed.

    \b
    Example:
      careplane hl7v2 inbox --failed
      careplane hl7v2 inbox show 17
      careplane hl7v2 inbox replay 17 --charset 8859/1
    """
    if context.invoked_subcommand is not None:
        context.obj = home
        return
    opened = _opened(home)
    try:
        entries, counts = opened.newest(failed=failed, limit=limit), opened.counts()
    finally:
        opened.close()
    if as_lines:
        for entry in entries:
            click.echo(msgspec.json.encode(entry).decode())
        return
    _print(entries)
    told = ", ".join(f"{count:,} {state}" for state, count in counts.items()) or "no messages yet"
    click.echo(f"{told}.")


@inbox.command()
@click.argument("message", type=int)
@home_option
@click.option("--raw", is_flag=True, help="The bytes as they came, on standard output.")
@click.pass_obj
def show(outer: str | None, message: int, home: str | None, raw: bool) -> None:
    """Show a MESSAGE: its entry, and its content as JSON. It is put on record that it was seen.

    \b
    Example:
      careplane hl7v2 inbox show 17
      careplane hl7v2 inbox show 17 --raw > message.hl7
    """
    opened = _opened(home or outer)
    try:
        entry = opened.entry(message)
        bytes_of, parsed = opened.content(message)
    finally:
        opened.close()
    ledger = open_ledger(_folder(home or outer) / "ledger")
    ledger.append("hl7v2.shown", at=datetime.now(UTC), facts={"message": message})
    if raw:
        sys.stdout.buffer.write(bytes_of)
        return
    content = msgspec.json.decode(parsed) if parsed else bytes_of.decode("latin-1")
    whole = {"entry": entry, "message" if parsed else "unread": content}
    click.echo(msgspec.json.format(msgspec.json.encode(whole), indent=2).decode())


@inbox.command()
@click.argument("messages", type=int, nargs=-1)
@home_option
@click.option("--failed", is_flag=True, help="All that were refused or failed.")
@click.option("--charset", help="Character set to read them in (HL7 table 0211), whatever MSH-18 says.")
@click.pass_obj
def replay(outer: str | None, messages: tuple[int, ...], home: str | None, failed: bool, charset: str | None) -> int:
    """Let MESSAGES be worked on again, by the server that runs or at its next start.

    A message that was refused is taken as if it had been accepted; its sender
    is not told. What still cannot be read stays as it is, and the exit code is 2.
    With --failed a message is left alone whose control id was accepted since.

    \b
    Example:
      careplane hl7v2 inbox replay 17 18
      careplane hl7v2 inbox replay 17 --charset 8859/1
      careplane hl7v2 inbox replay --failed
    """
    if not messages and not failed:
        raise InputError("name the messages, or give --failed", field="MESSAGES")
    settings = read_settings()
    opened = _opened(home or outer)
    bad = 0
    try:
        for ident in messages or [entry.id for entry in opened.newest(failed=True, limit=10_000)]:
            try:
                raw, _ = opened.content(ident)
                message = read(raw, charset, settings.text("mllp_charset"))
            except (InputError, NotFound) as error:
                bad += 1
                click.echo(f"careplane: message {ident}: {error}", err=True)
                continue
            given = charset or (settings.text("mllp_charset") if not _declares(raw) else "")
            parsed = encoded(message)
            waits = opened.replay(ident, kind=message.kind, parsed=parsed, charset=given, only_free=not messages)
            click.echo(f"message {ident}: {message.kind} waits for its turn" if waits else f"message {ident}: {_TAKEN}")
    finally:
        opened.close()
    return 2 if bad else 0


def _declares(raw: bytes) -> bool:
    """Whether a message names its character set itself."""
    header = header_of(raw)
    return header is not None and bool(header.text(18))


def _print(entries: list[Entry]) -> None:
    """Two lines at most for each: what it is, and why it was not taken."""
    click.echo(f"{'No.':>6}  {'Came (UTC)':<19}  {'State':<8}  {'Type':<8}  Control id, sender")
    for one in entries:
        came = one.received_at[:19].replace("T", " ")
        whose = ", ".join(filter(None, (one.control, one.sender)))
        times = f" ({one.deliveries} times)" if one.deliveries > 1 else ""
        line = f"{one.id:>6}  {came}  {one.state:<8}  {one.kind:<8}  {whose}{times}"
        click.echo(line if len(line) <= WIDTH else f"{line[: WIDTH - 3]}...")
        if one.reason:
            click.echo(textwrap.fill(one.reason, WIDTH, initial_indent=" " * 8, subsequent_indent=" " * 8))


def _folder(home: str | None) -> Path:
    return ledger_folder(home).parent


def _opened(home: str | None) -> Hl7v2Inbox:
    folder = _folder(home)
    if not (folder / FILE).exists():
        raise NotFound(f"No message has come to {folder}: set mllp_port, and start: careplane serve")
    return open_inbox(folder)
