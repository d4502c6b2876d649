"""``careplane chat``: the conversations that wait for a person, and the daily sample of the others."""

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, date, datetime

import click
import msgspec

from careplane.errors import InputError
from careplane.records.chat import Conversation
from careplane.server.platform import Platform, open_platform
from careplane.settings import read_settings
from careplane.workflow.chat import answer_as_person, find_conversations, load_conversation, sample

SHARE = 0.05


@click.group()
def command() -> None:
    """Take over conversations that were handed to a person, and read a sample.

    \b
    Example:
      careplane chat list
      careplane chat reply ID --by Practitioner/p012 --text "I call you now."
    """


@command.command("list")
@click.option("--app", help="Only the conversations of this app.")
@click.option("--every", is_flag=True, help="Those that nobody waits in too.")
@click.option("--sample", "day", help="Instead, the sample of this day to read (YYYY-MM-DD).")
@click.option("--home", help="Folder of the installation.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_(app: str | None, every: bool, day: str | None, home: str | None, as_json: bool) -> None:
    """List conversations that wait, those that wait longest first.

    The sample is 5 % of the day's conversations of an app, and at least five;
    which they are follows from their ids, so nobody chooses them.

    \b
    Example:
      careplane chat list --app access_assistant --sample 2026-11-30
    """
    platform = _open(home)
    try:
        if day is not None:
            if app is None:
                raise InputError("name the app that the sample is of", field="--app")
            found = sample(platform.store, app, _day(day), SHARE)
        else:
            found = find_conversations(platform.store, app, () if every else ("waiting", "taken"))
    finally:
        _close(platform)
    if as_json:
        click.echo(json.dumps(msgspec.to_builtins(found), indent=2))
        return
    for talk in found:
        since = talk.waiting_since or talk.opened_at
        click.echo(f"{talk.id:26}{talk.app:20}{talk.state:9}{talk.handover or '-':11}{since:%Y-%m-%d %H:%M}")
    if not found:
        click.echo("No conversations." if every or day else "Nobody waits.")


@command.command()
@click.argument("ident", metavar="ID")
@click.option("--home", help="Folder of the installation.")
def show(ident: str, home: str | None) -> None:
    """Show the turns of one conversation.

    \b
    Example:
      careplane chat show 5yJv0Q3m1rXcT8kLw2Zb
    """
    platform = _open(home)
    try:
        click.echo("\n".join(_lines(load_conversation(platform.store, ident))))
    finally:
        _close(platform)


@command.command()
@click.argument("ident", metavar="ID")
@click.option("--by", required=True, help="Who takes it over, such as Practitioner/p012.")
@click.option("--text", default="", help="What is answered.")
@click.option("--close", is_flag=True, help="End the conversation.")
@click.option("--home", help="Folder of the installation.")
def reply(ident: str, by: str, text: str, close: bool, home: str | None) -> None:
    """Answer as a person; from then on no model answers in this conversation.

    \b
    Example:
      careplane chat reply ID --by Practitioner/p012 --text "I call you now."
    """
    if not text and not close:
        raise InputError("give --text, or --close to end it")
    platform = _open(home)
    try:
        talk = answer_as_person(platform.runtime, ident, by, text, close=close)
    finally:
        _close(platform)
    click.echo(f"{talk.id} is {talk.state}.")


def _lines(talk: Conversation) -> Sequence[str]:
    about = ", ".join(filter(None, (talk.patient, talk.unit))) or "nobody named"
    lines = [f"{talk.app}, {talk.state}, about {about}", ""]
    for turn in talk.turns:
        lines += [f"{turn.at:%H:%M} asked: {turn.said}"] if turn.said else []
        lines += [f"{turn.at:%H:%M} {turn.by or 'program'}: {turn.answer}"] if turn.answer else []
        lines += [f"      handed over: {turn.handover}"] if turn.handover else []
    return lines


def _day(text: str) -> date:
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).date()
    except ValueError as error:
        raise InputError(f"{text!r} is not a day such as 2026-11-30", field="--sample") from error


def _open(home: str | None) -> Platform:
    return open_platform(read_settings(home=home) if home else read_settings())


def _close(platform: Platform) -> None:
    asyncio.run(platform.fhir.aclose())
    platform.close()
