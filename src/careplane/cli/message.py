"""``careplane message``: messages to patients."""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast, get_args

import click
import msgspec

from careplane.console.paper import write_pdf
from careplane.errors import InputError
from careplane.records.message import Channel, Message
from careplane.server.platform import Platform, open_platform
from careplane.settings import read_settings
from careplane.workflow import load_run
from careplane.workflow.messaging import Planned, choose, find_message, find_messages, letter
from careplane.workflow.messaging.choices import Choice

_HOME = click.option("--home", help="Folder of the installation.")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_BY = click.option("--by", required=True, help="Who asks, as a reference.")


@click.group()
def command() -> None:
    """Messages to patients: list, preview, send again, take back, print.

    \b
    Example:
      careplane message list
      careplane message preview run-1a2b
      careplane message retry run-1a2b --by Practitioner/p001
    """


@command.command("list")
@_HOME
@_JSON
def list_messages(home: str | None, as_json: bool) -> None:
    """List messages: what waits, what left, what failed and why.

    \b
    Example:
      careplane message list --json
    """
    with _opened(home) as platform:
        found = find_messages(platform.store)
        if as_json:
            click.echo(json.dumps([_shown(one) for one in found], indent=2))
            return
        for one in found:
            where = f"{one.channel or '-'}{' (notice)' if one.notice else ''}"
            click.echo(f"{one.run}  {one.state:9}  {where:15}  {one.due_at:%Y-%m-%d %H:%M}  {one.reason}".rstrip())
        if not found:
            click.echo("There are no messages.")


@command.command()
@click.argument("run")
@click.option("--signer", help="Who would sign; by default the run's reviewer.")
@_HOME
@_JSON
def preview(run: str, signer: str | None, home: str | None, as_json: bool) -> None:
    """Show what would leave if a run's text were signed now; nothing is sent.

    \b
    Example:
      careplane message preview run-1a2b --signer Practitioner/p001
    """
    with _opened(home) as platform:
        held = load_run(platform.store, run)
        text = held.signed_text or (held.draft.text if held.draft else None)
        if text is None:
            raise InputError("has neither a draft nor a signed text", field=run)
        who = signer or (held.review.by if held.review else held.event.user) or ""
        planned = asyncio.run(platform.messages.plan(held, text, who))
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(planned), indent=2))
    else:
        _print(planned)


@command.command()
@click.argument("run")
@_BY
@_HOME
def retry(run: str, by: str, home: str | None) -> None:
    """Let a message that failed, or whose fate nobody knows, leave again.

    \b
    Example:
      careplane message retry run-1a2b --by Practitioner/p001
    """
    with _opened(home) as platform:
        platform.messages.retry(run, by)
    click.echo("It leaves when the server takes its next turn: careplane message list")


@command.command()
@click.argument("run")
@_BY
@_HOME
def cancel(run: str, by: str, home: str | None) -> None:
    """Take a message back before it leaves.

    \b
    Example:
      careplane message cancel run-1a2b --by Practitioner/p001
    """
    with _opened(home) as platform:
        platform.messages.cancel(run, by)
    click.echo("Taken back; it does not leave.")


@command.command("letter")
@click.argument("run")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="File: .html, or .pdf (extra 'pdf').")
@_BY
@_HOME
def print_letter(run: str, out: Path, by: str, home: str | None) -> None:
    """Write a message as a letter to print, and note that it was printed.

    \b
    Example:
      careplane message letter run-1a2b --out letter.pdf --by Practitioner/p001
    """
    with _opened(home) as platform:
        message = find_message(platform.store, run)
        if message is None or not message.whole:
            raise InputError("has no message that was planned; see: careplane message list", field=run)
        held = load_run(platform.store, run)
        contact = asyncio.run(platform.messages.planner.contact(held, platform.clock()))
        html = letter(message, contact, platform.settings.text("site_name"))
        if out.suffix.lower() == ".pdf":
            write_pdf(html, out)
        else:
            out.write_text(html, encoding="utf-8")
        if message.channel == "print":
            platform.messages.printed(run, by)
    click.echo(f"Written: {out}")


@command.command("choose")
@click.argument("channel", type=click.Choice(get_args(Channel)))
@click.argument("address")
@click.argument("choice", type=click.Choice(get_args(Choice)))
@_HOME
def choose_channel(channel: str, address: str, choice: str, home: str | None) -> None:
    """Keep what a patient asked for: stop a channel, prefer it, or neither.

    ADDRESS is a number in E.164, an e-mail address, or Patient/ID for portal
    and print.

    \b
    Example:
      careplane message choose sms +16025550123 stop
    """
    with _opened(home) as platform:
        taken = cast(Channel, channel), address, cast(Choice, choice)
        choose(platform.store, platform.ledger, *taken, "staff", platform.clock())
    click.echo(f"Kept: {choice} for {channel}.")


@contextmanager
def _opened(home: str | None) -> Iterator[Platform]:
    platform = open_platform(read_settings(home=home) if home else read_settings())
    try:
        yield platform
    finally:
        platform.close()


def _shown(message: Message) -> dict[str, Any]:
    """A message as lists show it: neither its text nor its address."""
    builtins: dict[str, Any] = msgspec.to_builtins(message)
    return {name: value for name, value in builtins.items() if name not in ("to", "whole", "text", "patient")}


def _print(planned: Planned) -> None:
    say: Callable[[str], None] = click.echo
    grade = "not measured" if planned.grade is None else f"{planned.grade:g}"
    how = " (a notice; the text waits in the portal)" if planned.notice else ""
    say(f"Channel:       {planned.channel or 'none is left'}{how}")
    say(f"Leaves:        {planned.due_at:%Y-%m-%d %H:%M %Z}")
    say(f"Language:      {planned.language}, reading grade {grade}")
    say(f"Disclosure:    {', '.join(planned.rules) or 'none demanded'}")
    if planned.exempt:
        say(f"Exempt:        {', '.join(planned.exempt)}: a licensed person reviews it")
    if planned.unverified:
        say(f"Not verified:  {', '.join(planned.unverified)}: ask counsel")
    for one in planned.skipped:
        say(f"Passed over:   {one}")
    say(f"\n{planned.text}")
    if planned.notice:
        say(f"\n--- in the portal ---\n{planned.whole}")
