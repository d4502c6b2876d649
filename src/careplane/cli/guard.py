"""``careplane guard``: what the guards see in texts."""

import click

from careplane.cli.json_lines import answer_lines, id_of, text_of
from careplane.records import JSON
from careplane.shield.guards.injection import THRESHOLD, injection_score


@click.group()
def command() -> None:
    """The guards: try them on texts of your own.

    \b
    Example:
      careplane guard scan --input texts.jsonl
    """


@command.command()
@click.option("--input", "path", required=True, metavar="FILE", help="JSON lines; - is standard input.")
@click.option(
    "--threshold",
    type=click.FloatRange(0, 1),
    default=THRESHOLD,
    show_default=True,
    help="From which score a text is flagged.",
)
def scan(path: str, threshold: float) -> None:
    """Say which texts speak to the model, one answer per line.

    A line of the input is {"id", "text"}: a chart, a message, a document. The
    answer is {"id", "score", "flagged"}; score is 0 to 1. It is a signal for a
    person, not a boundary. A bad line is named on standard error, the rest is
    still answered, and the exit code is 2.

    \b
    Example:
      careplane guard scan --input texts.jsonl > found.jsonl
      cat texts.jsonl | careplane guard scan --input - --threshold 0.8
    """

    def answer(line: JSON) -> JSON:
        ident, score = id_of(line), injection_score(text_of(line))
        return {"id": ident, "score": round(score, 4), "flagged": score >= threshold}

    answer_lines(path, answer)
