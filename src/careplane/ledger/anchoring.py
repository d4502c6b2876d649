"""Signing the state of a ledger, so that it can be kept where nobody who runs the service can change it."""

from datetime import datetime
from pathlib import Path

from careplane.errors import LedgerBroken, LedgerError
from careplane.ledger.journal import Ledger
from careplane.ledger.proofs import TreeHead, encoded, sign_head
from careplane.ledger.signing import SigningKey, make_signing_key, read_signing_key, signing_key_path
from careplane.ledger.tree import Tree, build_tree

KEY_MADE = "ledger.signing_key_made"


def signing_key(ledger: Ledger, at: datetime) -> SigningKey:
    """The signing key of a ledger; made, and recorded, on first use.

    Raises:
        LedgerError: it cannot be read or written, or is missing though it was made once.
    """
    path = signing_key_path(ledger.folder)
    if path.exists():
        return read_signing_key(ledger.folder)
    if next(ledger.records(kind=KEY_MADE), None) is not None or any(ledger.folder.glob("*.tree.json")):
        what = "the signing key is missing. Restore it from your backup; what an earlier key signed needs it."
        raise LedgerBroken(what, file=path)
    key = make_signing_key(ledger.folder)
    public = key.public.pem().splitlines()[1]
    ledger.append(KEY_MADE, at=at, facts={"key": key.public.id, "public": public})
    return key


def open_tree(ledger: Ledger, at: datetime) -> tuple[Tree, SigningKey]:
    """The tree of a ledger at this moment, checked up to its sealed head, and the key to sign with.

    Raises:
        LedgerBroken: the ledger does not hold.
        LedgerError: the key or a summary cannot be written.
    """
    key = signing_key(ledger, at)
    return build_tree(ledger.folder, ledger.tail, key), key


def anchor(ledger: Ledger, at: datetime, to: Path | None = None) -> TreeHead:
    """Sign the state of the ledger, and append it as one line to a file outside; the anchoring is recorded.

    Raises:
        LedgerBroken: the ledger does not hold; nothing was signed.
        LedgerError: the file cannot be written.
    """
    tree, key = open_tree(ledger, at)
    head = sign_head(tree, key, at)
    if to is not None:
        try:
            to.parent.mkdir(parents=True, exist_ok=True)
            with to.open("a", encoding="utf-8") as file:
                file.write(encoded(head) + "\n")
        except OSError as error:
            raise LedgerError(f"The anchor cannot be written to {to}: {error.strerror}.") from error
    ledger.append("ledger.anchored", at=at, facts={"size": head.size, "root": head.root, "key": head.key})
    return head
