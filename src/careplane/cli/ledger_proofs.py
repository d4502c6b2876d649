"""``careplane ledger anchor``, ``prove``, ``check-proof``, ``public-key``, ``compress``."""

import json
from datetime import UTC, datetime
from pathlib import Path

import click

from careplane.cli.ledger_folder import home_option, opened
from careplane.errors import InputError
from careplane.ledger import proofs
from careplane.ledger.anchoring import anchor as sign_and_keep
from careplane.ledger.anchoring import open_tree, signing_key
from careplane.ledger.packing import pack
from careplane.ledger.signing import read_public_key

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.command()
@home_option
@click.option("--to", type=click.Path(dir_okay=False, path_type=Path), help="File outside to which a line is added.")
@json_option
def anchor(home: str | None, to: Path | None, as_json: bool) -> None:
    """Sign the state of the ledger, to be kept outside.

    Keep it where nobody who runs this service can change it: a write-once
    store, another department's share, a mailbox. Without --to the JSON is
    printed, for any transport.

    \b
    Example:
      careplane ledger anchor --to /mnt/worm/careplane.anchors
      careplane ledger anchor --json | mail -s anchor audit@example.org
    """
    head = sign_and_keep(opened(home), datetime.now(UTC), to)
    if as_json or to is None:
        click.echo(proofs.encoded(head))
        return
    click.echo(f"Anchored {head.size} records.\nRoot  {head.root}\nKey   {head.key}\nAdded to {to}")


@click.command()
@click.argument("seq", type=click.IntRange(min=1), required=False)
@click.option("--since", type=click.Path(path_type=Path), help="Prove growth since the last head of this anchor file.")
@home_option
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="File for the proof.")
@json_option
def prove(seq: int | None, since: Path | None, home: str | None, out: Path | None, as_json: bool) -> None:
    """Prove that record SEQ is in the ledger, or that it only grew.

    The proof is JSON; who has the public key can check it without us.

    \b
    Example:
      careplane ledger prove 1042 --out record-1042.proof
      careplane ledger prove --since /mnt/worm/careplane.anchors
    """
    if (seq is None) == (since is None):
        raise InputError("Give either the number of a record or --since FILE.")
    old = proofs.read_heads(since)[-1] if since else None
    now = datetime.now(UTC)
    tree, key = open_tree(opened(home), now)
    proof: proofs.RecordProof | proofs.GrowthProof
    if old is not None:
        proof = proofs.prove_growth(tree, old, key, now)
    else:
        proof = proofs.prove_record(tree, seq or 0, key, now)
    proofs.check_proof(proof, key.public)
    if out is None:
        click.echo(proofs.encoded(proof))
        return
    out.write_text(proofs.encoded(proof) + "\n", encoding="utf-8")
    click.echo(json.dumps({"proof": str(out)}) if as_json else f"Written to {out}")


@click.command("check-proof")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--public-key", required=True, type=click.Path(path_type=Path), help="The ledger's public key (PEM).")
@json_option
def check_proof(file: Path, public_key: Path, as_json: bool) -> None:
    """Check a proof; needs no ledger, only its public key.

    \b
    Example:
      careplane ledger check-proof record-1042.proof --public-key ledger.pem
    """
    proof = proofs.read_proof(file)
    proofs.check_proof(proof, read_public_key(public_key))
    if isinstance(proof, proofs.RecordProof):
        told = (
            f"Record {proof.seq} is in the ledger of {proof.head.size} records, as of {proof.head.at:%Y-%m-%d %H:%M}Z."
        )
    else:
        told = f"The first {proof.old.size} of {proof.new.size} records stayed as they were."
    click.echo(json.dumps({"holds": True, "what": told}) if as_json else told)


@click.command("public-key")
@home_option
@json_option
def public_key(home: str | None, as_json: bool) -> None:
    """Print the public key with which anchors and proofs are checked.

    \b
    Example:
      careplane ledger public-key > ledger.pem
    """
    key = signing_key(opened(home), datetime.now(UTC)).public
    click.echo(json.dumps({"key": key.id, "pem": key.pem()}) if as_json else key.pem(), nl=as_json)


@click.command()
@home_option
@json_option
def compress(home: str | None, as_json: bool) -> None:
    """Compress closed segments with gzip; they verify as before.

    \b
    Example:
      careplane ledger compress
    """
    ledger = opened(home)
    open_tree(ledger, datetime.now(UTC))
    packed = pack(ledger.folder, ledger.tail.segment)
    before, after = sum(one for one, _ in packed), sum(other for _, other in packed)
    if as_json:
        click.echo(json.dumps({"segments": len(packed), "bytes_before": before, "bytes_after": after}))
    else:
        click.echo(f"Compressed {len(packed)} segments: {before:,} bytes are now {after:,}.")
