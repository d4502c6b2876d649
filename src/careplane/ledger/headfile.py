"""HEAD: where the chain ends, sealed with the key, so that a cut tail or a removed segment is noticed.

One sector of 512 bytes, overwritten in place after each batch. It is not synced each time: after a power cut it may be
older than the segments, never newer, and what follows it is accepted only where the chain extends it.
"""

import hmac
import os
from pathlib import Path

import msgspec

from careplane.errors import LedgerBroken, LedgerError
from careplane.ledger.chain import GENESIS, Head
from careplane.ledger.keyring import LedgerKey
from careplane.records import Record

SECTOR = 512
_TRIES = 5
_encoder = msgspec.json.Encoder(order="sorted")


class Tail(Record, frozen=True):
    """The end of the chain and its place: segment number, byte offset and line count within that segment."""

    seq: int = 0
    hash: str = GENESIS
    segment: int = 1
    offset: int = 0
    lines: int = 0

    @property
    def head(self) -> Head:
        """The last record."""
        return Head(seq=self.seq, hash=self.hash)


class _Sealed(Record, frozen=True):
    tail: Tail
    mac: str
    format: int = 1


def head_path(folder: Path) -> Path:
    """The head file of a ledger."""
    return folder / "HEAD"


def encode_head(key: LedgerKey, tail: Tail) -> bytes:
    """The content of the head file: one sealed sector."""
    content = _encoder.encode(_Sealed(tail=tail, mac=key.seal(_encoder.encode(tail))))
    return content.ljust(SECTOR - 1) + b"\n"


def write_head(folder: Path, key: LedgerKey, tail: Tail, *, sync: bool = False) -> None:
    """Overwrite the head in one write.

    Raises:
        LedgerError: the file cannot be written.
    """
    try:
        descriptor = os.open(head_path(folder), os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            os.pwrite(descriptor, encode_head(key, tail), 0)
            if sync:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise LedgerError(f"The head of the ledger cannot be written: {error.strerror}.") from error


def read_head(folder: Path, key: LedgerKey) -> Tail:
    """Read the head and check its seal. No lock is needed: a read that met a write is tried again.

    Raises:
        LedgerBroken: it is missing, unreadable, or was changed by somebody without the key.
    """
    path = head_path(folder)
    for _ in range(_TRIES):
        try:
            raw = path.read_bytes()
        except FileNotFoundError as error:
            raise LedgerBroken("the head is missing. Restore the ledger from your backup.", file=path) from error
        except OSError as error:
            raise LedgerBroken(f"the head cannot be read: {error.strerror}.", file=path) from error
        try:
            return decode_head(raw, key, path)
        except LedgerBroken as error:
            broken = error
    raise broken


def decode_head(raw: bytes, key: LedgerKey, path: Path) -> Tail:
    """The tail that a head file names.

    Raises:
        LedgerBroken: it is not a head, or its seal does not match.
    """
    try:
        sealed = msgspec.json.decode(raw, type=_Sealed)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise LedgerBroken(f"the head cannot be read: {error}.", file=path) from error
    if sealed.format != 1:
        raise LedgerBroken(
            f"the head has format {sealed.format}, this version of Careplane reads 1. Use the version that wrote it.",
            file=path,
        )
    expected = key.seal(_encoder.encode(sealed.tail))
    whole = len(raw) == SECTOR and raw == _encoder.encode(sealed).ljust(SECTOR - 1) + b"\n"
    if not whole or not hmac.compare_digest(expected.encode(), sealed.mac.encode()):
        raise LedgerBroken("the head was changed: its seal does not match.", file=path)
    return sealed.tail
