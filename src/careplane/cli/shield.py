"""``careplane shield``: what the PHI shield finds in texts, and what would leave of them."""

import click

from careplane.cli.json_lines import answer_lines, context_of, id_of, text_of
from careplane.cli.shield_roundtrip import roundtrip
from careplane.records import JSON
from careplane.shield.detect import Detectors
from careplane.shield.presidio import presidio
from careplane.shield.spans import Span


@click.group()
def command() -> None:
    """The PHI shield: try it on texts of your own.

    \b
    Example:
      careplane shield scan --input texts.jsonl
    """


command.add_command(roundtrip)


@command.command()
@click.option("--input", "path", required=True, metavar="FILE", help="JSON lines; - is standard input.")
@click.option("--no-tagger", is_flag=True, help="Leave the trained tagger out: chart and patterns alone.")
@click.option("--detector", type=click.Choice(["presidio"]), multiple=True, help="Ask another detector as well.")
def scan(path: str, no_tagger: bool, detector: tuple[str, ...]) -> None:
    """Say where identifiers are, one answer per line.

    A line of the input is {"id", "text", "context"}; context is a FHIR Bundle
    of the chart, or null. The answer is {"id", "spans"}; a span has start and
    end, in code points of the text, and category. A bad line is named on
    standard error, the rest is still answered, and the exit code is 2.

    \b
    Example:
      careplane shield scan --input texts.jsonl > found.jsonl
    """
    detectors = Detectors(tagger=not no_tagger, more=[presidio() for _ in detector[:1]])

    def answer(line: JSON) -> JSON:
        ident, text = id_of(line), text_of(line)
        spans = detectors.of(context_of(line)).find(text)
        return {"id": ident, "spans": [_printed(span) for span in spans]}

    answer_lines(path, answer)


def _printed(span: Span) -> JSON:
    """A street is a place; inside, it is told apart because a limited data set may keep the town only."""
    category = "GEO" if span.category == "STREET" else span.category
    return {"start": span.start, "end": span.end, "category": category}
