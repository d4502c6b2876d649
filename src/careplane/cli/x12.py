"""``careplane x12``: claims and remittances in X12."""

from decimal import Decimal
from pathlib import Path

import click
import msgspec

from careplane._shelf import load
from careplane.records.erp import Claim


@click.group()
def command() -> None:
    """X12: read remittances (835) and claims (837).

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
