"""``careplane plan``: evaluation plans, their lock and what came out."""

import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import click
import msgspec

from careplane.cli.plan_text import plan_lines, result_lines
from careplane.evidence import analyse, find_plans, latest_result, load_plan, lock_plan
from careplane.server.platform import Platform, open_platform
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
    """Evaluation plans: what was asked, locked before it was seen, and found.

    \b
    Example:
      careplane plan list
      careplane plan analyse portal_reply-20260302
    """


@command.command("list")
@_HOME
@_JSON
def list_plans(home: str | None, as_json: bool) -> None:
    """List the plans with their newest verdict.

    \b
    Example:
      careplane plan list --json
    """
    with _opened(home) as platform:
        found = [(plan, latest_result(platform.store, plan.id)) for plan in find_plans(platform.store)]
    if as_json:
        _print_json([{"plan": plan, "result": result} for plan, result in found])
        return
    for plan, result in found:
        lock = f"locked {plan.locked_at:%Y-%m-%d}" if plan.locked_at else "draft"
        verdict = result.effects[0].verdict if result else "not measured"
        click.echo(f"{plan.id:<34.34} v{plan.version:<3} {lock:<18} {verdict}")
    if not found:
        click.echo("There are no plans yet.")


@command.command("show")
@click.argument("plan_id", metavar="ID")
@_HOME
@_JSON
def show_plan(plan_id: str, home: str | None, as_json: bool) -> None:
    """Show a plan and its newest result.

    \b
    Example:
      careplane plan show portal_reply-20260302
    """
    with _opened(home) as platform:
        plan = load_plan(platform.store, plan_id)
        result = latest_result(platform.store, plan_id)
    if as_json:
        _print_json({"plan": plan, "result": result})
        return
    _print([*plan_lines(plan), "", *(result_lines(result) if result else ["Not measured yet."])])


@command.command("lock")
@click.argument("plan_id", metavar="ID")
@click.option("--by", required=True, help="Who locks it, as a reference or account.")
@_HOME
def lock(plan_id: str, by: str, home: str | None) -> None:
    """Lock a plan by its hash; from then on it can only be amended as a new version.

    \b
    Example:
      careplane plan lock portal_reply-20260302 --by p.lee
    """
    with _opened(home) as platform:
        draft = load_plan(platform.store, plan_id)
        locked = lock_plan(platform.store, platform.ledger, draft, by, platform.clock())
    click.echo(f"Locked {locked.id} version {locked.version}.\nSHA-256 {locked.hash}")


@command.command("analyse")
@click.argument("plan_id", metavar="ID")
@_HOME
@_JSON
def analyse_plan(plan_id: str, home: str | None, as_json: bool) -> None:
    """Analyse a locked plan from the loaded data and the run record.

    \b
    Example:
      careplane plan analyse portal_reply-20260302
    """
    with _opened(home) as platform:
        plan = load_plan(platform.store, plan_id)
        now = platform.clock()
        result = analyse(platform.store, platform.home, plan, platform.measures, platform.estimators, now)
    if as_json:
        _print_json(result)
        return
    _print(result_lines(result))


def _print_json(value: object) -> None:
    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2))


def _print(lines: Sequence[str]) -> None:
    for line in lines:
        indent = " " * (len(line) - len(line.lstrip()))
        click.echo(textwrap.fill(line, 79, subsequent_indent=indent) if line else "")
