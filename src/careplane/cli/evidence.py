"""``careplane evidence``: what studies found, and the same result computed again."""

import sys
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click
import msgspec

from careplane.cli.plan_text import result_lines
from careplane.console.evidence_report import write_report
from careplane.evidence import Replay, find_results, load_result, replay
from careplane.server.platform import Platform, open_platform
from careplane.server.wiring import console_context
from careplane.settings import read_settings

_HOME = click.option("--home", metavar="DIR", help="Home folder of the installation.")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@contextmanager
def _opened(home: str | None) -> Iterator[Platform]:
    platform = open_platform(read_settings(home=home) if home else read_settings())
    try:
        yield platform
    finally:
        platform.close()


@click.group()
def command() -> None:
    """Results of evaluation plans: list, show, report, replay.

    A RESULT is the name of one (r-...), or a plan: then its newest result.

    \b
    Example:
      careplane evidence list
      careplane evidence replay portal_reply-20260302
    """


@command.command("list")
@_HOME
@_JSON
def list_results(home: str | None, as_json: bool) -> None:
    """List every result that is kept, the newest first.

    \b
    Example:
      careplane evidence list --json
    """
    with _opened(home) as platform:
        found = find_results(platform.store)
    if as_json:
        _print_json(found)
        return
    for result in found:
        primary = next(effect for effect in result.effects if effect.role == "primary")
        day = f"{result.computed_at:%Y-%m-%d}"
        click.echo(f"{result.id or '(no name)':<15} {result.plan:<30.30} {day} {primary.verdict} ({primary.grade})")
    if not found:
        click.echo("There are no results yet. Make one: careplane plan analyse PLAN")


@command.command("show")
@click.argument("name", metavar="RESULT")
@_HOME
@_JSON
def show(name: str, home: str | None, as_json: bool) -> None:
    """Show a result with all that stands behind it.

    \b
    Example:
      careplane evidence show portal_reply-20260302
    """
    with _opened(home) as platform:
        result = load_result(platform.store, name)
    if as_json:
        _print_json(result)
        return
    _print(result_lines(result))


@command.command("report")
@click.argument("name", metavar="RESULT")
@click.option("--pdf", "path", metavar="FILE", required=True, type=click.Path(path_type=Path), help="The PDF to write.")
@_HOME
def report(name: str, path: Path, home: str | None) -> None:
    """Print the report of a result: what the committee opens, on paper.

    \b
    Example:
      careplane evidence report portal_reply-20260302 --pdf report.pdf
    """
    with _opened(home) as platform:
        written = write_report(console_context(platform), name, path)
    click.echo(f"{written}, {written.stat().st_size:,} bytes")


@command.command("replay")
@click.argument("name", metavar="RESULT")
@_HOME
@_JSON
def replay_result(name: str, home: str | None, as_json: bool) -> None:
    """Compute a result again from what was kept beside it.

    Says whether it comes out the same, bit for bit, and whether plan, code
    and loaded data are still what they were. Exit code 1 where it does not.

    \b
    Example:
      careplane evidence replay portal_reply-20260302
    """
    with _opened(home) as platform:
        found = replay(platform.store, platform.home, platform.measures, platform.estimators, name)
    if as_json:
        _print_json(found)
    else:
        _print(_replay_lines(found))
    if not found.same:
        sys.exit(1)


def _replay_lines(found: Replay) -> list[str]:
    computed = "The result comes out the same, bit for bit." if found.same else "The result does NOT come out the same."
    lines = [
        f"{found.result}: {computed}",
        f"Plan: {found.plan}",
        f"Code: {found.code}",
        f"What was read: {found.kept}",
        f"Data: {found.data}",
    ]
    lines += [f"  {one.path}: {one.then} then, {one.now} now" for one in found.differences]
    more = found.different - len(found.differences)
    return [*lines, f"  and {more} more"] if more > 0 else lines


def _print_json(value: object) -> None:
    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2))


def _print(lines: Sequence[str]) -> None:
    for line in lines:
        indent = " " * (len(line) - len(line.lstrip()))
        click.echo(textwrap.fill(line, 79, subsequent_indent=indent) if line else "")
