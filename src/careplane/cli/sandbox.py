"""``careplane sandbox``: a synthetic health system from a seed, and its EHR."""

import threading
from contextlib import ExitStack, suppress
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from careplane.sandbox import Ehr, Manifest, generate
from careplane.sandbox.launches import NAME, app_of
from careplane.sandbox.smart import SmartEhr


@click.command()
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="Folder for the data set.")
@click.option("--seed", type=click.IntRange(0), default=7, show_default=True, help="Same seed, same bytes.")
@click.option("--patients", type=int, default=3000, show_default=True, help="How many patients, 24 to 50000.")
@click.option("--days", type=int, default=180, show_default=True, help="Days in all; the last 84 are the pilot's.")
@click.option("--serve", "serving", is_flag=True, help="Serve it as an EHR over FHIR until Ctrl-C (extra: sandbox).")
@click.option(
    "--app-url",
    default="http://127.0.0.1:8470",
    show_default=True,
    help="With --serve: the Careplane that its charts open.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the manifest as JSON.")
def command(out: Path, seed: int, patients: int, days: int, serving: bool, app_url: str, as_json: bool) -> None:
    """Generate a synthetic health system from a seed.

    Two hospitals, twelve clinics, 150 staff and their patients as FHIR R4, with
    portal messages, an ERP export, a portfolio and known true effects. Every
    person, name, number and text is invented, and labelled so.

    \b
    Example:
      careplane sandbox --out out/sandbox --seed 7
      careplane load out/sandbox/fhir
    """
    with Bars() as bars:
        manifest = generate(out, seed, patients=patients, days=days, progress=bars.show)
    click.echo(msgspec.json.format(msgspec.json.encode(manifest), indent=2) if as_json else _summary(manifest, out))
    if serving:
        _serve(out, app_url.rstrip("/"))


class Bars:
    """Progress bars on standard error, one per stage."""

    def __init__(self) -> None:
        columns = (TextColumn("{task.description:<9}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        console = Console(stderr=True)
        self._progress = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> "Bars":
        self._progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._progress.stop()

    def show(self, stage: str, done: int, total: int) -> None:
        """Move the bar of a stage."""
        if stage not in self._tasks:
            self._tasks[stage] = self._progress.add_task(stage, total=total)
        self._progress.update(self._tasks[stage], completed=done)


def _summary(manifest: Manifest, out: Path) -> str:
    """One screen: what is there, and that it is synthetic."""
    counts = sorted(manifest.resources.items(), key=lambda item: (-item[1], item[0]))
    cells = [f"{kind:<20}{count:>7,}" for kind, count in counts]
    half = (len(cells) + 1) // 2
    columns = [f"  {left}    {right}".rstrip() for left, right in zip(cells[:half], [*cells[half:], ""], strict=False)]
    return "\n".join(
        [
            f"SYNTHETIC health system, seed {manifest.seed}, in {out}",
            f"{manifest.total:,} FHIR R4 resources; history from {manifest.start} to {manifest.pilot_start},",
            f"then {manifest.inbox:,} portal messages of the pilot window to {manifest.pilot_end}.",
            "",
            *columns,
            "",
            manifest.note,
        ]
    )


def _serve(out: Path, app_url: str) -> None:
    """Serve the data set until Ctrl-C; its database stays in the folder ``<out>-ehr``."""
    bars = Bars()
    with ExitStack() as stack:
        with bars:
            ehr = stack.enter_context(Ehr(out, out.with_name(f"{out.name}-ehr"), progress=bars.show))
        smart = stack.enter_context(SmartEhr(ehr.base_url, name="localhost"))
        smart.register(app_of(app_url))
        click.echo(f"EHR at {ehr.base_url} (synthetic data, loopback only). Ctrl-C ends.", err=True)
        click.echo(f"Its pages, whose charts open {app_url}: {smart.address}/", err=True)
        click.echo(
            f"Let it: careplane smart add {NAME} --iss {smart.fhir_base} --client-id careplane --same-chart "
            f"--frame {smart.address}",
            err=True,
        )
        with suppress(KeyboardInterrupt):
            threading.Event().wait()
