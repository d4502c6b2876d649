"""Signed tree heads, and proofs that anybody with the public key can check: a record is in, the ledger only grew.

Formats are JSON. What is signed is the canonical JSON of the head without its signature, behind a line that names it;
hashes follow RFC 9162.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from careplane.errors import InputError, LedgerBroken
from careplane.ledger.merkle import extends, includes, leaf_hash
from careplane.ledger.signing import PublicKey, SigningKey
from careplane.ledger.tree import Tree
from careplane.records import Record

_CONTEXT = b"careplane ledger tree head 1\n"
_encode = msgspec.json.Encoder(order="sorted").encode


class TreeHead(Record, frozen=True):
    """The whole ledger at one moment: how many records, the root over them, the hash of the last, when it was signed,
    and the id of the key."""

    size: int
    root: str
    hash: str
    at: datetime
    key: str
    signature: str = ""


class RecordProof(Record, frozen=True, tag_field="proof", tag="record"):
    """That a record (its line, to the letter) is number ``seq`` of the ledger with this head."""

    seq: int
    record: str
    path: tuple[str, ...]
    head: TreeHead


class GrowthProof(Record, frozen=True, tag_field="proof", tag="growth"):
    """That the ledger with the head ``old`` is the beginning of that with ``new``."""

    old: TreeHead
    new: TreeHead
    path: tuple[str, ...]


def sign_head(tree: Tree, key: SigningKey, at: datetime) -> TreeHead:
    """The signed head of a tree."""
    head = TreeHead(size=tree.size, root=tree.root().hex(), hash=tree.hash, at=at, key=key.public.id)
    return msgspec.structs.replace(head, signature=key.sign(_content(head)))


def check_head(head: TreeHead, public: PublicKey) -> None:
    """Check the signature of a head.

    Raises:
        LedgerBroken: it was changed, or signed by another key.
    """
    if head.key != public.id:
        raise LedgerBroken(f"the tree head of {head.at:%Y-%m-%d} was signed by key {head.key}, not by {public.id}.")
    if not public.signed(_content(head), head.signature):
        raise LedgerBroken(f"the tree head of {head.at:%Y-%m-%d} was changed: its signature does not match.")


def prove_record(tree: Tree, seq: int, key: SigningKey, at: datetime) -> RecordProof:
    """The proof that record ``seq`` is in the ledger."""
    line = tree.line(seq)
    path = tuple(value.hex() for value in tree.inclusion(seq))
    return RecordProof(seq=seq, record=line.decode(), path=path, head=sign_head(tree, key, at))


def prove_growth(tree: Tree, old: TreeHead, key: SigningKey, at: datetime) -> GrowthProof:
    """The proof that the ledger only grew since ``old``; it is not checked here."""
    path = tuple(value.hex() for value in tree.growth(old.size))
    return GrowthProof(old=old, new=sign_head(tree, key, at), path=path)


def check_proof(proof: RecordProof | GrowthProof, public: PublicKey) -> None:
    """Check a proof; needs the public key only.

    Raises:
        LedgerBroken: it does not hold.
    """
    path = [_hash(value) for value in proof.path]
    if isinstance(proof, RecordProof):
        check_head(proof.head, public)
        leaf = leaf_hash(proof.record.encode())
        if not includes(leaf, proof.seq - 1, proof.head.size, path, _hash(proof.head.root)):
            raise LedgerBroken(f"the proof does not show this record as number {proof.seq}.", proof.seq)
        return
    check_head(proof.old, public)
    check_head(proof.new, public)
    if not extends(proof.old.size, proof.new.size, path, _hash(proof.old.root), _hash(proof.new.root)):
        raise LedgerBroken(f"the proof does not show that the first {proof.old.size} records stayed as they were.")


def read_proof(path: Path) -> RecordProof | GrowthProof:
    """A proof from a file.

    Raises:
        InputError: there is none in it.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=RecordProof | GrowthProof)
    except OSError as error:
        raise InputError(f"the proof cannot be read: {error.strerror}.", file=path) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputError(f"this is no proof: {error}.", file=path) from error


def read_heads(path: Path) -> Sequence[TreeHead]:
    """Signed heads from a file with one JSON object a line, as ``careplane ledger anchor --to`` writes it.

    Raises:
        InputError: a line is none, or there is no line; says which.
    """
    try:
        heads = tuple(_heads(path.read_bytes(), path))
    except OSError as error:
        raise InputError(f"the anchor cannot be read: {error.strerror}.", file=path) from error
    if not heads:
        raise InputError("there is no tree head in this file.", file=path)
    return heads


def _heads(content: bytes, path: Path) -> Iterator[TreeHead]:
    for number, line in enumerate(content.split(b"\n"), start=1):
        if line.strip():
            try:
                yield msgspec.json.decode(line, type=TreeHead)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise InputError(f"this is no tree head: {error}.", file=path, line=number) from error


def encoded(value: Any) -> str:
    """A head or a proof as one line of JSON."""
    return _encode(value).decode()


def _content(head: TreeHead) -> bytes:
    return _CONTEXT + _encode(msgspec.structs.replace(head, signature=""))


def _hash(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        raise LedgerBroken(f"{text[:70]!r} is no hash.") from error
