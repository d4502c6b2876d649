"""``careplane ledger export`` and ``disclosures``."""

import contextlib
import csv
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

import click
import msgspec

from careplane.cli.ledger_folder import home_option, opened
from careplane.errors import InputError
from careplane.ledger import Ledger, Query
from careplane.ledger.audit_event import audit_events
from careplane.ledger.disclosures import Disclosure, disclosures
from careplane.ledger.facts import Scalar

_TYPES = {"patient": "Patient", "actor": "Practitioner"}
_encode = msgspec.json.Encoder(order="sorted").encode


def filters(command: Callable[..., None]) -> Callable[..., None]:
    """The options that say which records are wanted."""
    for option in reversed(
        (
            click.option("--since", metavar="TIME", help="From this date or time on (UTC if no zone is given)."),
            click.option("--until", metavar="TIME", help="Before this date or time."),
            click.option("--app", help="Only this app."),
            click.option("--run", help="Only this run."),
            click.option("--patient", help="Reference, as Patient/123: its records and all of its runs."),
        )
    ):
        command = option(command)
    return command


@click.command()
@home_option
@filters
@click.option("--kind", help="Only records of this kind.")
@click.option("--actor", help="Only what this person did (name or reference).")
@click.option(
    "--format", "form", type=click.Choice(["jsonl", "fhir"]), default="jsonl", show_default=True,
    help="fhir: AuditEvents after IHE BALP, one per line.",
)  # fmt: skip
@click.option("--site", default="careplane", show_default=True, help="Name of this installation in AuditEvents.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="File instead of standard output.")
@click.option("--json", "as_json", is_flag=True, help="With --out, print what was written as JSON.")
def export(home: str | None, form: str, site: str, out: Path | None, as_json: bool, **wanted: str | None) -> None:
    """Write records as JSON lines or FHIR AuditEvents.

    People and patients stay pseudonyms; that of --patient and --actor is
    computed for you. Each export is itself recorded.

    \b
    Example:
      careplane ledger export --patient Patient/123 --since 2026-01-01
      careplane ledger export --format fhir --out audit.ndjson
    """
    ledger = opened(home)
    if form == "fhir":  # the first record of a run names the patient, whatever its kind
        found = ledger.find(_query(ledger, {**wanted, "kind": None}))
        lines = (_encode(event).decode() for event in audit_events(found, site, wanted["kind"]))
    else:
        lines = (_encode(record).decode() for record in ledger.find(_query(ledger, wanted)))
    count = _deliver(ledger, form, wanted, lines, out)
    if out is not None:
        click.echo(json.dumps({"out": str(out), "records": count}) if as_json else f"Wrote {count} records to {out}.")


@click.command("disclosures")
@home_option
@filters
@click.option("--policy", multiple=True, help="Only calls under this data policy, such as identifiable.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="File instead of standard output.")
@click.option("--json", "as_json", is_flag=True, help="JSON lines instead of CSV.")
def accounting(
    home: str | None, policy: tuple[str, ...], out: Path | None, as_json: bool, **wanted: str | None
) -> None:
    """Account for disclosures to models (45 CFR 164.528).

    One line each: date, recipient, what, policy, purpose. The patient is a
    pseudonym.

    \b
    Example:
      careplane ledger disclosures --patient Patient/123 --since 2020-01-01
    """
    ledger = opened(home)
    found = disclosures(ledger.find(_query(ledger, wanted)), frozenset(policy))
    lines = (_encode(one).decode() for one in found) if as_json else _csv(found)
    count = _deliver(ledger, "disclosures", wanted, lines, out)
    if out is not None:
        click.echo(f"Wrote {count} lines to {out}.")


class _Line:
    """What a CSV writer writes to: keeps the last row."""

    text = ""

    def write(self, text: str) -> None:
        self.text = text.removesuffix("\r\n")


def _csv(found: Iterable[Disclosure]) -> Iterator[str]:
    names = Disclosure.__struct_fields__
    line = _Line()
    writer = csv.writer(line)
    writer.writerow(names)
    yield line.text
    for one in found:
        writer.writerow(one.at.isoformat() if name == "at" else _cell(getattr(one, name)) for name in names)
        yield line.text


def _cell(value: object) -> object:
    """A value that no spreadsheet takes for a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t")) else value


def _query(ledger: Ledger, wanted: dict[str, str | None]) -> Query:
    return Query(
        since=read_time(wanted["since"], "--since"),
        until=read_time(wanted["until"], "--until"),
        run=wanted["run"],
        app=wanted["app"],
        kind=wanted.get("kind"),
        actors=names_of(ledger, wanted.get("actor")),
        patients=names_of(ledger, wanted["patient"], _TYPES["patient"]),
    )


def names_of(ledger: Ledger, reference: str | None, resource: str = "Practitioner") -> tuple[str, ...]:
    """As what a person may stand in records: the reference itself, and its pseudonym with and without the type."""
    if reference is None:
        return ()
    bare = reference.removeprefix(f"{resource}/")
    return (reference, ledger.pseudonym(bare), ledger.pseudonym(f"{resource}/{bare}"))


def read_time(text: str | None, option: str) -> datetime | None:
    """A date or time from an option; UTC where no zone is given.

    Raises:
        InputError: it is none.
    """
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise InputError(
            f"{text!r} is no date or time such as 2026-01-31 or 2026-01-31T14:00Z.", field=option
        ) from error
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _deliver(ledger: Ledger, form: str, wanted: dict[str, str | None], lines: Iterable[str], out: Path | None) -> int:
    """Write lines, and record what was looked for; also when the reader hangs up before the end."""
    facts: dict[str, Scalar] = {name: wanted.get(name) for name in ("since", "until", "app", "run", "kind")}
    for name in ("patient", "actor"):
        facts[name] = names_of(ledger, wanted[name], _TYPES[name])[-1] if wanted.get(name) else None
    count = 0
    try:
        with _target(out) as file:
            for line in lines:
                file.write(line + "\n")
                count += 1
    finally:
        ledger.append("ledger.exported", at=datetime.now(UTC), facts={**facts, "format": form, "lines": count})
    return count


@contextlib.contextmanager
def _target(out: Path | None) -> Iterator[TextIO]:
    if out is None:
        yield sys.stdout
        return
    draft = out.with_name(out.name + ".new")
    with draft.open("w", encoding="utf-8", newline="\n") as file:
        yield file
    draft.replace(out)
