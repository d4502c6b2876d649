"""``careplane plan``: evaluation plans, their lock and what came out."""

import textwrap
from collections.abc import Sequence

import click

from careplane.cli.opened import HOME, JSON, opened, print_json
from careplane.cli.plan_changes import amend_a_plan, assign_plan, diff_plan, exposures
from careplane.cli.plan_text import plan_lines, result_lines
from careplane.cli.plan_wizard import wizard
from careplane.evidence import analyse, find_plans, latest_result, load_plan, lock_plan
from careplane.evidence.amendments import history
from careplane.evidence.plans import find_versions


@click.group()
def command() -> None:
    """Evaluation plans: what was asked, locked before it was seen, and found.

    \b
    Example:
      careplane plan list
      careplane plan analyse portal_reply-20260302
    """


@command.command("list")
@HOME
@JSON
def list_plans(home: str | None, as_json: bool) -> None:
    """List the plans with their newest verdict.

    \b
    Example:
      careplane plan list --json
    """
    with opened(home) as platform:
        found = [(plan, latest_result(platform.store, plan.id)) for plan in find_plans(platform.store)]
    if as_json:
        print_json([{"plan": plan, "result": result} for plan, result in found])
        return
    for plan, result in found:
        lock = f"locked {plan.locked_at:%Y-%m-%d}" if plan.locked_at else "draft"
        verdict = result.effects[0].verdict if result else "not measured"
        click.echo(f"{plan.id:<34.34} v{plan.version:<3} {lock:<18} {verdict}")
    if not found:
        click.echo("There are no plans yet.")


@command.command("show")
@click.argument("plan_id", metavar="ID")
@HOME
@JSON
def show_plan(plan_id: str, home: str | None, as_json: bool) -> None:
    """Show a plan and its newest result.

    \b
    Example:
      careplane plan show portal_reply-20260302
    """
    with opened(home) as platform:
        plan = load_plan(platform.store, plan_id)
        result = latest_result(platform.store, plan_id)
        versions = find_versions(platform.store, plan_id)
    if as_json:
        print_json({"plan": plan, "result": result})
        return
    _print(
        [*plan_lines(plan), f"{history(versions)}.", "", *(result_lines(result) if result else ["Not measured yet."])]
    )


@command.command("lock")
@click.argument("plan_id", metavar="ID")
@click.option("--by", required=True, help="Who locks it, as a reference or account.")
@HOME
def lock(plan_id: str, by: str, home: str | None) -> None:
    """Lock a plan by its hash; from then on it can only be amended as a new version.

    \b
    Example:
      careplane plan lock portal_reply-20260302 --by p.lee
    """
    with opened(home) as platform:
        draft = load_plan(platform.store, plan_id)
        locked = lock_plan(platform.store, platform.ledger, draft, by, platform.clock())
    click.echo(f"Locked {locked.id} version {locked.version}.\nSHA-256 {locked.hash}")


@command.command("analyse")
@click.argument("plan_id", metavar="ID")
@HOME
@JSON
def analyse_plan(plan_id: str, home: str | None, as_json: bool) -> None:
    """Analyse a locked plan from the loaded data and the run record.

    \b
    Example:
      careplane plan analyse portal_reply-20260302
    """
    with opened(home) as platform:
        plan = load_plan(platform.store, plan_id)
        now = platform.clock()
        result = analyse(platform.store, platform.home, plan, platform.measures, platform.estimators, now)
    if as_json:
        print_json(result)
        return
    _print(result_lines(result))


def _print(lines: Sequence[str]) -> None:
    for line in lines:
        indent = " " * (len(line) - len(line.lstrip()))
        click.echo(textwrap.fill(line, 79, subsequent_indent=indent) if line else "")


for _one in (wizard, assign_plan, amend_a_plan, diff_plan, exposures):
    command.add_command(_one)
