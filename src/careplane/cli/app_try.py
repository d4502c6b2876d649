"""``careplane app try``: a trial of an app on loaded data."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from uuid import uuid4

import click
import msgspec

from careplane.cli.app_text import run_lines
from careplane.errors import InputError, NotFound
from careplane.records.app import App
from careplane.records.run import Occurrence, Run
from careplane.server.platform import Platform, open_platform
from careplane.settings import read_settings
from careplane.workflow import preview
from careplane.workflow.triggers import event_for


@click.command("try")
@click.argument("ident", metavar="ID")
@click.option("--patient", help="A patient of the loaded data: an id or Patient/id.")
@click.option("--encounter", help="An encounter: an id or Encounter/id.")
@click.option("--unit", help="A clinic or ward: an id or Location/id.")
@click.option("--focus", help="What it is about, such as Communication/id.")
@click.option("--model", type=click.Choice(["scripted", "local", "openai_compatible"]), help="The model to use.")
@click.option("--home", help="Folder of the installation.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    ident: str,
    patient: str | None,
    encounter: str | None,
    unit: str | None,
    focus: str | None,
    model: str | None,
    home: str | None,
    as_json: bool,
) -> None:
    """Run an app on loaded data and print its draft; nothing is written to the chart.

    \b
    Example:
      careplane load ../shared/data/fhir-bulk/synthea79
      careplane app try previsit_summary --patient ID
    """
    subject = {
        "patient": _reference("Patient", patient),
        "encounter": _reference("Encounter", encounter),
        "unit": _reference("Location", unit),
        "focus": focus,
    }
    given = {name: value for name, value in (("home", home), ("model", model)) if value}
    platform = open_platform(read_settings().replace(**given))
    try:
        app = platform.app(ident)
        if not app.runnable:
            raise InputError(f"{app.id} is an idea: it has no prompt.md yet, so it cannot run.")
        lacking = _lacking(app, subject)
        run = asyncio.run(_trial(platform, app, subject))
    finally:
        platform.close()
    for name, resources in lacking.items():
        click.echo(f"Not read, as --{name} was not given: {', '.join(resources)}", err=True)
    click.echo(msgspec.json.format(msgspec.json.encode(run)).decode() if as_json else "\n".join(run_lines(app, run)))


async def _trial(platform: Platform, app: App, subject: dict[str, str | None]) -> Run:
    fhir = platform.fhir
    try:
        for reference in subject.values():
            if reference is not None and await fhir.read(reference) is None:
                raise NotFound(await _not_there(platform, reference))
        event = event_for(app.id, _by_hand(subject))
        return await preview(platform.runtime, app, event)
    finally:
        await fhir.aclose()


def _by_hand(subject: Mapping[str, str | None]) -> Occurrence:
    """What somebody asked for at the command line."""
    return Occurrence(
        id=uuid4().hex,
        kind="manual",
        on="manual",
        at=datetime.now(UTC),
        patient=subject["patient"],
        encounter=subject["encounter"],
        unit=subject["unit"],
        focus=subject["focus"],
        source="careplane app try",
    )


def _lacking(app: App, subject: Mapping[str, str | None]) -> dict[str, list[str]]:
    """What the context cannot read for want of an option, by that option.

    Raises:
        InputError: nothing could be read at all.
    """
    wanted = {name: [rule.resource for rule in app.spec.context if f"{{{name}}}" in rule.search] for name in subject}
    wanted = {name: resources for name, resources in wanted.items() if resources}
    if wanted and not any(subject[name] for name in wanted):
        raise InputError(f"{app.id} reads by {', '.join(sorted(wanted))}: add --{max(wanted)} ID.")
    return {name: resources for name, resources in wanted.items() if not subject[name]}


async def _not_there(platform: Platform, reference: str) -> str:
    kind = reference.partition("/")[0]
    known = await platform.fhir.search(kind, {}, 3)
    if not known:
        return f"There is no {reference}: no {kind} is loaded. Load data with: careplane load PATH"
    return f"There is no {reference}. Some that exist: {', '.join(str(one['id']) for one in known)}."


def _reference(kind: str, value: str | None) -> str | None:
    """The reference that an option means; an id alone is of the option's own type."""
    if value is None:
        return None
    if "/" not in value:
        return f"{kind}/{value}"
    if not value.startswith(f"{kind}/"):
        raise InputError(f"must be the id of a {kind} or {kind}/ID", field=value)
    return value
