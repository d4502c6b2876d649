"""``careplane ledger retain`` and ``hold``."""

import json
import re
from datetime import UTC, datetime, timedelta

import click

from careplane.cli.ledger_export import read_time
from careplane.cli.ledger_folder import home_option, opened
from careplane.errors import InputError
from careplane.ledger import Ledger
from careplane.ledger.holds import Hold, add_hold, holds, release_hold
from careplane.ledger.proofs import encoded
from careplane.ledger.retention import DEFAULT_YEARS, Removable, removable, remove, without_held, years_before

_AGE = re.compile(r"([1-9]\d{0,3})([yd])")
_PSEUDONYM = re.compile(r"[0-9a-f]{24}")
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.command()
@home_option
@click.option("--older-than", default=f"{DEFAULT_YEARS}y", show_default=True, help="Age such as 6y or 400d.")
@click.option("--remove", "really", is_flag=True, help="Remove; without it, only tell what would be.")
@click.option("--skip-held", is_flag=True, help="Leave what a hold covers and remove the rest.")
@click.option("--by", default="", help="Who removes; needed with --remove.")
@json_option
def retain(home: str | None, older_than: str, really: bool, skip_held: bool, by: str, as_json: bool) -> None:
    """Remove closed segments that are older than the schedule says.

    Six years are what HIPAA asks (45 CFR 164.316(b)(2), 164.530(j)); other law
    may ask for more. Signed hashes of what was removed stay, so that the chain
    and earlier proofs go on to hold. A legal hold refuses.

    \b
    Example:
      careplane ledger retain --older-than 6y
      careplane ledger retain --older-than 6y --remove --by "K. Lee"
    """
    ledger, now = opened(home), datetime.now(UTC)
    plan = removable(ledger, _before(older_than, now), now)
    held = plan.held
    if skip_held:
        plan = without_held(plan)
    if really:
        remove(ledger, plan, by, now)
    told = {
        "before": plan.before.isoformat(),
        "segments": [summary.segment for summary in plan.segments],
        "records": plan.records,
        "held": [{"hold": hold, "segment": number} for hold, number in held],
        "removed": really,
    }
    click.echo(json.dumps(told) if as_json else _sentence(plan, really, held))


def _sentence(plan: Removable, really: bool, held: tuple[tuple[str, int], ...]) -> str:
    what = f"{len(plan.segments)} segments with {plan.records} records from before {plan.before:%Y-%m-%d}"
    lines = [f"Removed {what}." if really else f"Would remove {what}. Add --remove to do it."]
    lines += [f"Hold {hold} covers segment {number}." for hold, number in held]
    return "\n".join(lines)


def _before(age: str, now: datetime) -> datetime:
    found = _AGE.fullmatch(age)
    if found is None:
        raise InputError(f"{age!r} is no age such as 6y or 400d.", field="--older-than")
    count = int(found[1])
    return years_before(now, count) if found[2] == "y" else now - timedelta(days=count)


@click.group()
def hold() -> None:
    """Legal holds: keep records from being removed.

    \b
    Example:
      careplane ledger hold add --run run-7 --by "K. Lee" --why "case 12"
      careplane ledger hold list
    """


@hold.command("add")
@home_option
@click.option("--run", help="Cover this run.")
@click.option("--app", help="Cover this app.")
@click.option("--patient", help="Cover the runs of this patient (reference; kept as a pseudonym).")
@click.option("--since", metavar="TIME", help="Cover what happened from this date or time on.")
@click.option("--until", metavar="TIME", help="Cover what happened before this date or time.")
@click.option("--by", required=True, help="Who sets it.")
@click.option("--why", required=True, help="Why; the case, nothing about a patient.")
@json_option
def hold_add(
    home: str | None,
    run: str | None,
    app: str | None,
    patient: str | None,
    since: str | None,
    until: str | None,
    by: str,
    why: str,
    as_json: bool,
) -> None:
    """Set a hold on a run, an app, a patient or a period.

    \b
    Example:
      careplane ledger hold add --app portal_reply --by "K. Lee" --why "case 12"
    """
    ledger = opened(home)
    made = add_hold(
        ledger,
        by,
        why,
        datetime.now(UTC),
        run=run,
        app=app,
        patient=_pseudonym(ledger, patient) if patient else None,
        since=read_time(since, "--since"),
        until=read_time(until, "--until"),
    )
    covered = sum(1 for _ in ledger.find(made.query))
    told = f"Hold {made.id} is set; it covers {covered} records so far."
    click.echo(json.dumps({"hold": made.id, "records": covered}) if as_json else told)


def _pseudonym(ledger: Ledger, patient: str) -> str:
    """That of a reference, with or without its type; one that is given already stays."""
    return patient if _PSEUDONYM.fullmatch(patient) else ledger.pseudonym(f"Patient/{patient.removeprefix('Patient/')}")


@hold.command("list")
@home_option
@json_option
def hold_list(home: str | None, as_json: bool) -> None:
    """Show the holds in force.

    \b
    Example:
      careplane ledger hold list
    """
    found = holds(opened(home))
    for one in found:
        click.echo(encoded(one) if as_json else _told(one))
    if not found and not as_json:
        click.echo("No hold is in force.")


def _told(one: Hold) -> str:
    covers = {"run": one.run, "app": one.app, "patient": one.patient, "since": one.since, "until": one.until}
    text = "  ".join(f"{name}={value}" for name, value in covers.items() if value is not None)
    return f"{one.id}  {one.at:%Y-%m-%d}  by {one.by}: {one.why}\n          {text}"


@hold.command("release")
@click.argument("hold_id")
@home_option
@click.option("--by", required=True, help="Who releases it; not who set it.")
@click.option("--why", required=True, help="Why.")
@json_option
def hold_release(hold_id: str, home: str | None, by: str, why: str, as_json: bool) -> None:
    """Release a hold; takes a second person.

    \b
    Example:
      careplane ledger hold release 1f2e3d4c --by "A. Roe" --why "case 12 closed"
    """
    release_hold(opened(home), hold_id, by, why, datetime.now(UTC))
    click.echo(json.dumps({"released": hold_id}) if as_json else f"Hold {hold_id} is released.")
