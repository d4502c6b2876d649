"""``careplane shield roundtrip``: what would leave, and what comes back of it."""

import click

from careplane.cli.json_lines import answer_lines, context_of, id_of, text_of
from careplane.records import JSON
from careplane.shield import Shield


@click.command()
@click.option("--input", "path", required=True, metavar="FILE", help="JSON lines; - is standard input.")
@click.option("--chunk", type=click.IntRange(min=1), metavar="N", help="Stream it back in pieces of N characters.")
@click.option(
    "--surrogates", type=click.Choice(["bracketed", "realistic"]), default="bracketed", help="Style of the surrogates."
)
@click.option(
    "--dates", type=click.Choice(["surrogate", "shifted"]), default="surrogate", help="What becomes of dates."
)
def roundtrip(path: str, chunk: int | None, surrogates: str, dates: str) -> None:
    """Send texts out and back, one answer per line.

    A line of the input is {"id", "text", "context"}; context is a FHIR Bundle
    of the chart, or null. The answer is {"id", "outgoing", "restored"}:
    outgoing is what a model would see, restored what comes back when it
    repeats that, and it equals the text. A bad line is named on standard
    error, the rest is still answered, and the exit code is 2.

    \b
    Example:
      careplane shield roundtrip --input texts.jsonl --chunk 3
    """

    def answer(line: JSON) -> JSON:
        ident, text = id_of(line), text_of(line)
        protected = Shield(context_of(line), surrogates=surrogates, dates=dates).texts([text])
        (outgoing,) = protected.texts
        size = chunk or max(1, len(outgoing))
        restorer = protected.restorer()
        pieces = [restorer.feed(outgoing[at : at + size]) for at in range(0, len(outgoing), size)]
        return {"id": ident, "outgoing": outgoing, "restored": "".join((*pieces, restorer.finish()))}

    answer_lines(path, answer)
