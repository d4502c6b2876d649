"""``careplane survey``: files of survey vendors."""

import os
import secrets
from collections import Counter
from pathlib import Path

import click
import orjson

from careplane.codecs.survey_file import INSTRUMENTS, read_surveys
from careplane.errors import DataError, InputError


@click.group()
def command() -> None:
    """Surveys of patients: turn a vendor's file into FHIR.

    \b
    Example:
      careplane survey convert march.csv --instrument hcahps \\
        --output surveys/march.ndjson
    """


@command.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--instrument", type=click.Choice(sorted(INSTRUMENTS)), required=True, help="Which survey it is.")
@click.option("--output", type=click.Path(path_type=Path), required=True, help="The NDJSON file to write.")
@click.option("--json", "as_json", is_flag=True, help="Print the counts as JSON.")
def convert(file: Path, instrument: str, output: Path, as_json: bool) -> None:
    """Turn a CSV of a survey vendor into QuestionnaireResponse (NDJSON).

    Then load it: careplane load OUTPUT. Who was asked and did not answer
    stays in, so that the response rate is known. All is written or nothing.

    \b
    Example:
      careplane survey convert march.csv --instrument cgcahps \\
        --output surveys/march.ndjson
    """
    try:
        content = file.read_bytes()
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", file=file) from error
    responses = list(read_surveys(content, instrument, file))
    if not responses:
        raise InputError("has no line below its header", file=file)
    _write(output, b"".join(orjson.dumps(one, option=orjson.OPT_APPEND_NEWLINE) for one in responses))
    status = Counter(str(one["status"]) for one in responses)
    told = {"asked": len(responses), "answered": status["completed"], "rate": status["completed"] / len(responses)}
    if as_json:
        click.echo(orjson.dumps(told, option=orjson.OPT_INDENT_2))
    else:
        click.echo(f"{told['asked']:,} asked, {told['answered']:,} answered ({100 * told['rate']:.1f} %).")
        click.echo(f"Next: careplane load {output}")


def _write(output: Path, content: bytes) -> None:
    """Write the file whole, readable by its owner only: it says who was asked."""
    draft = output.with_name(f"{output.name}.{secrets.token_hex(4)}.new")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        draft.replace(output)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise DataError(f"cannot be written: {error.strerror}", file=output) from error
