"""``careplane plan assign | amend | diff | exposures``: what happens to a plan after it is written."""

import textwrap
from collections import Counter

import click
import msgspec

from careplane.cli.opened import HOME, JSON, opened, print_json
from careplane.errors import InputError
from careplane.evidence import assign, load_plan
from careplane.evidence.amendments import amend, differences, history, version_of
from careplane.evidence.audit import AllocationCheck, check_allocations
from careplane.evidence.plans import find_versions, locked_plans, verify_lock
from careplane.records.evidence import Assignment, Plan
from careplane.workflow.exposures import count_exposures, find_exposures


@click.command("assign")
@click.argument("plan_id", metavar="ID")
@click.option("--verify", is_flag=True, help="Derive every arm again; exit 1 if one differs.")
@HOME
@JSON
def assign_plan(plan_id: str, verify: bool, home: str | None, as_json: bool) -> None:
    """Draw the arms of a locked plan; drawn once, they stay.

    \b
    Example:
      careplane plan assign portal_reply-20260302
      careplane plan assign portal_reply-20260302 --verify
    """
    with opened(home) as platform:
        plan = load_plan(platform.store, plan_id)
        running = [one for one in locked_plans(platform.store, plan.app) if one.id == plan_id]
        plan = running[0] if running else plan
        if verify:
            check = check_allocations(platform.store, platform.ledger, plan)
            _print_check(check, as_json)
            if not check.holds:
                raise click.exceptions.Exit(1)
            return
        verify_lock(platform.store, plan)
        drawn = assign(platform.store, platform.ledger, plan, platform.clock())
    if as_json:
        print_json(drawn)
        return
    for line in balance_lines(plan, drawn):
        click.echo(line)


def balance_lines(plan: Plan, drawn: tuple[Assignment, ...]) -> list[str]:
    """The arms by stratum, and by first day where units begin one after the other; no names of people."""
    if not drawn:
        return [f"Each {plan.unit} gets an arm at the first event in one of {len(plan.clusters)} units."]
    lines = [f"{'stratum':<28} {'intervention':>12} {'control':>8}"]
    for stratum in sorted({one.stratum for one in drawn}):
        arms = Counter(one.arm for one in drawn if one.stratum == stratum)
        lines.append(f"{stratum:<28.28} {arms['intervention']:>12} {arms['control']:>8}")
    arms = Counter(one.arm for one in drawn)
    lines.append(f"{'all':<28} {arms['intervention']:>12} {arms['control']:>8}")
    begins = Counter(one.starts for one in drawn if one.starts is not None)
    lines += [f"from {day}: {count} begin" for day, count in sorted(begins.items())]
    if any(one.sequence for one in drawn):
        lines.append("Switchback: the arm of the first period is counted; each pair of periods has both.")
    return lines


@click.command("amend")
@click.argument("plan_id", metavar="ID")
@click.option("--set", "sets", metavar="KEY=VALUE", multiple=True, required=True, help="A field and its new value.")
@click.option("--reason", required=True, help="Why, in a sentence that names no patient.")
@click.option("--by", required=True, help="Who amends it, as a reference or account.")
@HOME
@JSON
def amend_a_plan(plan_id: str, sets: tuple[str, ...], reason: str, by: str, home: str | None, as_json: bool) -> None:
    """Write the next version of a locked plan, as a draft to be locked.

    Values are JSON or plain text; measures.ID.FIELD changes a measure. What the
    arms were drawn from stays. Changing the primary measure, the design or a
    margin after results were seen is told in every later result.

    \b
    Example:
      careplane plan amend portal_reply-20260302 --set end=2026-06-29 \\
        --reason "Two clinics were closed for a week" --by p.lee
    """
    changes = {}
    for one in sets:
        name, equals, value = one.partition("=")
        if not equals or not name.strip():
            raise InputError(f"{one!r} is not KEY=VALUE", field="set")
        changes[name.strip()] = value.strip()
    with opened(home) as platform:
        made = amend(platform.store, platform.ledger, plan_id, changes, reason, by, platform.clock())
        before = version_of(platform.store, plan_id, made.version - 1)
    if as_json:
        print_json(made)
        return
    click.echo(f"Version {made.version} of {made.id} is a draft; lock it: careplane plan lock {made.id} --by NAME")
    _print_differences(before, made)
    if made.post_hoc:
        click.echo(f"Post hoc, said in every result from now on: {', '.join(made.post_hoc)}.")


@click.command("diff")
@click.argument("plan_id", metavar="ID")
@click.option("--from", "first", type=int, help="Version; by default the one before.")
@click.option("--to", "second", type=int, help="Version; by default the newest.")
@HOME
@JSON
def diff_plan(plan_id: str, first: int | None, second: int | None, home: str | None, as_json: bool) -> None:
    """Show what two versions of a plan differ in, and why.

    \b
    Example:
      careplane plan diff portal_reply-20260302 --from 1 --to 2
    """
    with opened(home) as platform:
        after = version_of(platform.store, plan_id, second)
        before = version_of(platform.store, plan_id, first if first is not None else max(1, after.version - 1))
        told = history(find_versions(platform.store, plan_id))
    if as_json:
        print_json({"from": before.version, "to": after.version, "differences": differences(before, after),
                    "change": after.change, "post_hoc": after.post_hoc})  # fmt: skip
        return
    click.echo(f"{told}. Version {before.version} to {after.version}:")
    _print_differences(before, after)
    if after.change is not None:
        click.echo(textwrap.fill(f"Why: {after.change.reason} ({after.change.by}, {after.change.at:%Y-%m-%d}; "
                                 f"{after.change.results_seen} results had been seen)", 79))  # fmt: skip


@click.command("exposures")
@click.argument("plan_id", metavar="ID")
@HOME
@JSON
def exposures(plan_id: str, home: str | None, as_json: bool) -> None:
    """Count the eligible events of a plan: by arm, and whether the app spoke.

    \b
    Example:
      careplane plan exposures portal_reply-20260302
    """
    with opened(home) as platform:
        load_plan(platform.store, plan_id)
        found = find_exposures(platform.store, plan_id)
    counts = [{"arm": arm, "outcome": told, "events": n} for (arm, told), n in sorted(count_exposures(found).items())]
    if as_json:
        print_json({"plan": plan_id, "events": len(found), "moved": sum(one.moved for one in found), "counts": counts})
        return
    for row in counts:
        click.echo(f"{row['arm']:<14} {row['outcome']:<10} {row['events']:>8,}")
    moved = sum(one.moved for one in found)
    click.echo(f"{len(found):,} eligible events; {moved:,} of people who had moved to another unit and kept their arm.")


def _print_differences(before: Plan, after: Plan) -> None:
    for one in differences(before, after):
        click.echo(one.field)
        for sign, text in (("-", one.before), ("+", one.after)):
            click.echo(textwrap.fill(text, 77, initial_indent=f"  {sign} ", subsequent_indent="    "))


def _print_check(check: AllocationCheck, as_json: bool) -> None:
    if as_json:
        print_json({**msgspec.to_builtins(check), "holds": check.holds})
        return
    click.echo(f"{check.held} allocations of {check.plan}: {check.drawn} drawn, {check.arrived} arrived, "
               f"{check.on_ledger} on the ledger as they are in the store.")  # fmt: skip
    for one in check.differences:
        click.echo(f"  {one}")
    click.echo("Every one is derived again." if check.holds else "This is not what the seed gives.")
