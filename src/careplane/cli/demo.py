"""``careplane demo``: the whole journey on a synthetic health system, through the real code paths."""

from functools import partial
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from careplane.sandbox.journey import JourneyOptions, run_journey
from careplane.sandbox.journey.screen import one_screen
from careplane.sandbox.launches import launching
from careplane.server.binding import bind
from careplane.server.serving import serve
from careplane.settings import default_settings

PATIENTS = {"scripted": 3000, "local": 120}
"""Size of the sandbox by model."""


@click.command()
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=Path("demo-report"), show_default=True,
              help="Folder for the report and the demo's own data.")  # fmt: skip
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Same seed, same numbers.")
@click.option("--model", type=click.Choice(["scripted", "local"]), default="scripted", show_default=True,
              help="The model behind the drafts; 'local' is a small real one (extra: local).")  # fmt: skip
@click.option(
    "--patients",
    type=click.IntRange(120, 50_000),
    help="Size of the sandbox: by default 3000, and 120 with the local model, which takes seconds for each draft.",
)
@click.option("--serve/--no-serve", "serving", default=True, help="Serve the console afterwards.")
@click.option("--port", type=click.IntRange(0, 65535), default=8470, show_default=True, help="Port of the console.")
@click.option("--json", "as_json", is_flag=True, help="Print summary.json instead of the screen.")
def command(out: Path, seed: int, model: str, patients: int | None, serving: bool, port: int, as_json: bool) -> None:
    """Run one GenAI use from idea through pilot to a decision on evidence.

    Everything is synthetic, and says so. No key, no network, no server is needed.

    \b
    Example:
      careplane demo --no-serve --seed 7 --out out/d7
    """
    if serving:
        bind(default_settings().text("host"), port).close()  # said before the journey rather than after it
    options = JourneyOptions(out=out, seed=seed, model=model, patients=patients or PATIENTS[model])
    columns = (TextColumn("{task.description:<42}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bars:
        outcome = run_journey(options, lambda title, total: partial(bars.advance, bars.add_task(title, total=total)))
    try:
        click.echo(outcome.summary_path.read_text(encoding="utf-8") if as_json else one_screen(outcome.summary, out))
        if serving:
            echo = partial(click.echo, err=True)
            platform = outcome.platform(port)
            serve(platform, echo, lambda address: launching(platform, outcome.ehr_url, address, echo))
    finally:
        outcome.close()
