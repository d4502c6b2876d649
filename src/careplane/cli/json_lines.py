"""Commands that answer a file of JSON lines, one answer per line: a bad line is told and the rest is still answered."""

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import BinaryIO

import click
import orjson

from careplane.errors import InputError, ShieldError
from careplane.records import JSON


def answer_lines(path: str, answer: Callable[[JSON], JSON]) -> None:
    """Read a file (``-`` is standard input) line by line and write each answer at once.

    ``answer`` raises InputError or ShieldError for a line that it cannot answer; the message must not quote the line.
    Blank lines are skipped.

    Raises:
        InputError: at the end, when a line was bad; or the file cannot be read.
    """
    out, bad = sys.stdout.buffer, 0
    if path != "-" and not Path(path).is_file():
        raise InputError("there is no such file; give a file of JSON lines, or - for standard input", file=path)
    with _opened(path) as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                answered = orjson.dumps(answer(_object(line.removeprefix(b"\xef\xbb\xbf"))))
            except (InputError, ShieldError) as error:
                bad += 1
                click.echo(f"careplane: {path}:{number}: {error}", err=True)
                continue
            out.write(answered + b"\n")
            out.flush()
    if bad:
        raise InputError(f"{bad} line{'s' if bad > 1 else ''} could not be answered; see above", file=path)


def _opened(path: str) -> AbstractContextManager[BinaryIO]:
    return nullcontext(sys.stdin.buffer) if path == "-" else Path(path).open("rb")


def _object(line: bytes) -> JSON:
    try:
        found = orjson.loads(line)
    except ValueError as error:
        # the parser's own words are left out: they may quote the line
        raise InputError("not valid JSON in UTF-8") from error
    if not isinstance(found, dict):
        raise InputError("must be a JSON object")
    return found


def text_of(line: JSON) -> str:
    """The field ``text``."""
    text = line.get("text")
    if not isinstance(text, str):
        raise InputError("must be text", field="text")
    return text


def id_of(line: JSON) -> str | int:
    """The field ``id``: text or a whole number, given back as it is."""
    ident = line.get("id")
    if isinstance(ident, bool) or not isinstance(ident, str | int):
        raise InputError("must be text or a whole number", field="id")
    return ident


def context_of(line: JSON) -> tuple[JSON, ...]:
    """The resources of the field ``context``: a FHIR Bundle, or null or absent for none."""
    bundle = line.get("context")
    if bundle is None:
        return ()
    if not isinstance(bundle, dict) or bundle.get("resourceType") != "Bundle":
        raise InputError("must be a FHIR Bundle or null", field="context")
    entries = bundle.get("entry")
    entries = [] if entries is None else entries
    if not isinstance(entries, list):
        raise InputError("must be a list", field="context.entry")
    resources = tuple(entry.get("resource") if isinstance(entry, dict) else None for entry in entries)
    for i, resource in enumerate(resources):
        if not isinstance(resource, dict):
            raise InputError("must hold a resource", field=f"context.entry[{i}]")
    return tuple(resource for resource in resources if isinstance(resource, dict))
