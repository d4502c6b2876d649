"""``careplane hl7v2``: read files of messages, send them, and look at what came."""

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec

from careplane._shelf import load
from careplane.cli.hl7v2_inbox import inbox
from careplane.codecs.hl7v2 import Message, Piece, as_json, parse, split_file, wire
from careplane.errors import InputError, MessageError


@click.group()
def command() -> None:
    """HL7 v2: parse files of messages, send them over MLLP, see what came.

    \b
    Example:
      careplane hl7v2 parse ADT.hl7 --json
      careplane hl7v2 send ADT.hl7 --host engine.example.org --port 2575
      careplane hl7v2 inbox --failed
    """


command.add_command(inbox)


@command.command(name="parse")
@click.argument("file", type=click.Path())
@click.option("--charset", help="Character set of the file (HL7 table 0211), whatever MSH-18 says.")
@click.option("--json", "as_lines", is_flag=True, help="Print each message as a line of JSON.")
def parse_command(file: str, charset: str | None, as_lines: bool) -> None:
    """Read the messages of a FILE (- is standard input), as they are stored.

    Every leaf is shown as it is written, escape sequences included. What
    cannot be read is told with its line, segment and field; the other messages
    are still shown, and the exit code is 2.

    \b
    Example:
      careplane hl7v2 parse ADT.hl7
      careplane hl7v2 parse night.batch --json | jq .control_id
    """
    bad = 0
    for piece in _pieces(file):
        try:
            message = parse(piece.data, charset=charset)
        except MessageError as error:
            bad += 1
            click.echo(f"careplane: {_placed(error, file, piece.line)}", err=True)
            continue
        click.echo(msgspec.json.encode(as_json(message)).decode() if as_lines else "\n".join(_lines(message, piece)))
    if bad:
        raise InputError(f"{bad} message{'s' if bad > 1 else ''} could not be read; see above", file=file)


@command.command()
@click.argument("file", type=click.Path())
@click.option("--host", default="127.0.0.1", show_default=True, help="Where the listener is.")
@click.option("--port", required=True, type=click.IntRange(1, 65535), help="Its port.")
@click.option("--timeout", default=30.0, show_default=True, type=click.FloatRange(0.1, 600), help="Seconds to wait.")
@click.option("--tls", is_flag=True, help="TLS, trusting what this machine trusts.")
@click.option("--tls-ca", default="", metavar="FILE", help="TLS, trusting the authorities of this file (PEM).")
@click.option("--tls-cert", default="", metavar="FILE", help="The certificate that we show (PEM).")
@click.option("--tls-key", default="", metavar="FILE", help="Its key (mode 600).")
@click.option("--json", "as_lines", is_flag=True, help="Print each answer as a line of JSON.")
def send(
    file: str,
    host: str,
    port: int,
    timeout: float,
    tls: bool,
    tls_ca: str,
    tls_cert: str,
    tls_key: str,
    as_lines: bool,
) -> int:
    """Send the messages of a FILE over one MLLP connection, each after the other.

    Messages are sent as they are; only line ends become CR. Exit code 1 says
    that a message was not accepted, 4 that the listener did not answer.

    \b
    Example:
      careplane hl7v2 send ADT.hl7 --port 2575
      careplane hl7v2 send night.batch --host engine.example.org --port 2576 \\
        --tls-ca hospital.pem --tls-cert us.pem --tls-key us.key
    """
    settings = {
        "host": host,
        "port": str(port),
        "timeout_seconds": str(timeout),
        "tls": str(tls).lower(),
        "tls_ca_file": tls_ca,
        "tls_cert_file": tls_cert,
        "tls_key_file": tls_key,
    }
    pieces = _pieces(file)
    return asyncio.run(_send(pieces, settings, as_lines=as_lines))


async def _send(pieces: list[Piece], settings: dict[str, str], *, as_lines: bool) -> int:
    sender = load("connectors", "hl7v2_mllp").open(settings)
    refused = 0
    try:
        for number, piece in enumerate(pieces, 1):
            answer = await sender.send(wire(piece.data))
            code, control, text = ("", "", "") if answer is None else (answer.code, answer.control, answer.text)
            refused += answer is not None and not answer.accepted
            told = {"message": number, "line": piece.line, "code": code, "control_id": control, "text": text}
            shown = code or "sent, no answer asked for"
            line = f"{number:>5}  line {piece.line:<6} {shown:<4} {control}  {text}".rstrip()
            click.echo(msgspec.json.encode(told).decode() if as_lines else line)
    finally:
        await sender.aclose()
    accepted = len(pieces) - refused
    click.echo(f"{len(pieces)} sent: {accepted} accepted, {refused} not.", err=True)
    return 1 if refused else 0


def _content(file: str) -> bytes:
    if file == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", file=file) from error


def _pieces(file: str) -> list[Piece]:
    try:
        return split_file(_content(file))
    except MessageError as error:
        raise _placed(error, file, 1) from error


def _placed(error: MessageError, file: str, begins: int) -> MessageError:
    """The error with its file and its line there, of a message that begins on the line ``begins``."""
    line = begins + (error.line or 1) - 1
    return MessageError(error.message, error.code, line=line, segment=error.segment, number=error.number, file=file)


def _lines(message: Message, piece: Piece) -> Iterator[str]:
    """A message for a reader: one line for each field that holds something."""
    yield f"{message.kind}  control id {message.control}  {message.charset}  (line {piece.line})"
    for segment in message.segments:
        for number, field in enumerate(segment.fields, 1):
            whole = "~".join("^".join("&".join(part) for part in one) for one in field)
            if whole:
                name = f"{segment.id}-{number}"
                yield f"  {name:<8} {whole if len(whole) < 68 else whole[:65] + '...'}"
    for note in message.notes:
        yield f"  note: line {piece.line + note.line - 1}: {note.where}: {note.text}"
