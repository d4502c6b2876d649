"""``careplane cds``: which EHRs may call our CDS Hooks services."""

import getpass
import json
from datetime import UTC, datetime

import click
import msgspec

from careplane.codecs.cdshooks.reading import convert
from careplane.governance.cds_trust import distrust_client, find_trusts, trust_client
from careplane.ledger import open_ledger
from careplane.records.hooks import CdsTrust
from careplane.settings import Settings, read_settings
from careplane.store import open_store


@click.group()
def command() -> None:
    """CDS Hooks: the EHRs that may call the services.

    \b
    Example:
      careplane cds trust add https://ehr.example.org \\
        --jku https://ehr.example.org/jwks
    """


@command.group()
def trust() -> None:
    """Whose signed calls are answered; nobody's until it is said here.

    \b
    Example:
      careplane cds trust add https://ehr.example.org \\
        --jku https://ehr.example.org/jwks \\
        --fhir https://ehr.example.org/fhir/r4
      careplane cds trust list
      careplane cds trust remove https://ehr.example.org
    """


@trust.command()
@click.argument("issuer")
@click.option("--jku", required=True, help="Where the issuer publishes its keys.")
@click.option("--fhir", default="", help="FHIR server that tokens of its calls are for.")
@click.option("--tenant", default="", help="Tenant that its tokens must name.")
@click.option("--own-reads", is_flag=True, help="Read what it does not send ourselves.")
@click.option("--smart", is_flag=True, help="It launches us with SMART from cards.")
@click.option("--origin", "origins", multiple=True, help="Web page that may call.")
@click.option("--by", help="Who agreed to it; by default who is signed in.")
@click.option("--home", help="Folder of the installation.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def add(
    issuer: str,
    jku: str,
    fhir: str,
    tenant: str,
    own_reads: bool,
    smart: bool,
    origins: tuple[str, ...],
    by: str | None,
    home: str | None,
    as_json: bool,
) -> None:
    """Answer the calls of ISSUER, the `iss` of its tokens, from now on.

    Its keys are fetched from --jku alone, whatever a token says. A token that
    comes with a call is sent to --fhir and nowhere else. With --own-reads,
    data that the EHR does not send along are read over this installation's
    own connection to the same EHR.

    \b
    Example:
      careplane cds trust add https://ehr.example.org \\
        --jku https://ehr.example.org/jwks \\
        --fhir https://ehr.example.org/fhir/r4 --tenant north
    """
    settings = _settings(home)
    agreed = convert(
        {
            "issuer": issuer,
            "jku": jku,
            "fhir": fhir.rstrip("/"),
            "tenant": tenant,
            "own_reads": own_reads,
            "smart": smart,
            "origins": origins,
            "added_by": by or getpass.getuser(),
            "added_at": datetime.now(UTC),
        },
        CdsTrust,
    )
    store = open_store(settings.database_url, settings.home)
    try:
        trust_client(store, open_ledger(settings.home / "ledger"), agreed)
    finally:
        store.close()
    if as_json:
        click.echo(json.dumps(msgspec.to_builtins(agreed), indent=2))
        return
    click.echo(f"Calls signed by {issuer} are answered from now on.")
    base = settings.text("public_url") or f"http://{settings.text('host')}:{settings.text('port')}"
    click.echo(f"Give the EHR this URL: {base.rstrip('/')}/cds-services")


@trust.command(name="list")
@click.option("--home", help="Folder of the installation.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_(home: str | None, as_json: bool) -> None:
    """List the EHRs whose calls are answered.

    \b
    Example:
      careplane cds trust list --json
    """
    settings = _settings(home)
    store = open_store(settings.database_url, settings.home)
    try:
        held = find_trusts(store)
    finally:
        store.close()
    if as_json:
        click.echo(json.dumps([msgspec.to_builtins(one) for one in held], indent=2))
        return
    for one in held:
        click.echo(one.issuer)
        told = {
            "keys": one.jku,
            "FHIR server": one.fhir or "none: no token is used",
            "tenant": one.tenant,
            "pages": ", ".join(one.origins),
            "reads": "what is not sent is read by ourselves" if one.own_reads else "",
            "links": "SMART launch" if one.smart else "",
            "added": f"{one.added_at:%Y-%m-%d %H:%M} by {one.added_by}",
        }
        for name, text in told.items():
            if text:
                click.echo(f"  {name:12} {text}")
    if not held:
        click.echo("No EHR is trusted. Add one with: careplane cds trust add ISSUER --jku URL")


@trust.command()
@click.argument("issuer")
@click.option("--by", help="Who decided it; by default who is signed in.")
@click.option("--home", help="Folder of the installation.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def remove(issuer: str, by: str | None, home: str | None, as_json: bool) -> None:
    """Refuse the calls of ISSUER from now on.

    \b
    Example:
      careplane cds trust remove https://ehr.example.org
    """
    settings = _settings(home)
    store = open_store(settings.database_url, settings.home)
    try:
        ledger = open_ledger(settings.home / "ledger")
        distrust_client(store, ledger, issuer, by or getpass.getuser(), datetime.now(UTC))
    finally:
        store.close()
    told = f"Calls signed by {issuer} are refused from now on."
    click.echo(json.dumps({"removed": issuer}) if as_json else told)


def _settings(home: str | None) -> Settings:
    return read_settings(home=home) if home else read_settings()
