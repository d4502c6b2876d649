"""``careplane x12``: claims, remittances and requests for authorisation in X12."""

import asyncio
import hashlib
from decimal import Decimal
from pathlib import Path

import click
import msgspec

from careplane._shelf import load
from careplane.codecs.x12_278 import write_278
from careplane.records.erp import Claim
from careplane.server.platform import open_platform
from careplane.settings import read_settings
from careplane.workflow import load_run
from careplane.workflow.authorisation import Given, authorisation


@click.group()
def command() -> None:
    """X12: read remittances (835) and claims (837), write requests (278).

    \b
    Example:
      careplane x12 read remittance.835
    """


@command.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the claims as JSON.")
def read(file: Path, as_json: bool) -> None:
    """Read one file: its claims, or what is wrong by segment (exit code 2).

    \b
    Example:
      careplane x12 read remittance.835 --json
    """
    batch = load("connectors", "x12").open({"path": str(file.parent), "settle_seconds": "0"}).read(file)
    claims = [fact for fact in batch.facts if isinstance(fact, Claim)]
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(batch), indent=2))
        return
    click.echo(f"{'Claim':20} {'Charged':>14} {'Paid':>14}  Status")
    for claim in claims:
        paid = "" if claim.paid is None else f"{claim.paid:,.2f}"
        status = "denied" if claim.denied else claim.status or "claimed"
        click.echo(f"{claim.claim[:20]:20} {claim.charged:>14,.2f} {paid:>14}  {status}")
    total = sum((claim.paid or Decimal(0) for claim in claims), Decimal(0))
    click.echo(f"{len(claims)} claims, {total:,.2f} paid, {sum(claim.denied for claim in claims)} denied.")


@command.command()
@click.argument("run")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="File to write, such as request.278.")
@click.option("--payer-id", required=True, help="The payer's identifier, as the clearing house has it.")
@click.option("--npi", required=True, help="National Provider Identifier of the requester.")
@click.option("--sender-id", required=True, help="Our identifier for the interchange (ISA06).")
@click.option("--service-type", default="1", show_default=True, help="Service type (UM03), such as 4 for imaging.")
@click.option("--procedure", default="", help="Procedure code (CPT or HCPCS), where the order has none.")
@click.option("--test", is_flag=True, help="Mark it as a test (ISA15).")
@click.option("--home", help="Folder of the installation.")
def authorise(
    run: str,
    out: Path,
    payer_id: str,
    npi: str,
    sender_id: str,
    service_type: str,
    procedure: str,
    test: bool,
    home: str | None,
) -> None:
    """Write a signed prior-authorisation run as an X12 278 request.

    Patient, member number, payer, diagnoses and order come from the chart. The
    file is for your clearing house; nothing is sent.

    \b
    Example:
      careplane x12 authorise run-1a2b --out request.278 --payer-id 60054 \\
        --npi 1999999984 --sender-id NORTH --service-type 4
    """
    platform = open_platform(read_settings(home=home) if home else read_settings())
    try:
        given = Given(payer_id, npi, sender_id, service_type, procedure, platform.settings.text("site_name"))
        request = asyncio.run(authorisation(platform.fhir, load_run(platform.store, run), given))
        control = int(hashlib.sha256(run.encode()).hexdigest()[:12], 16)
        text = write_278(request, platform.clock(), control, test=test)
        out.write_text(text, encoding="utf-8")
        platform.ledger.append("run.exported", at=platform.clock(), run=run, facts={"format": "x12_278"})
    finally:
        platform.close()
    click.echo(f"Written: {out}")
