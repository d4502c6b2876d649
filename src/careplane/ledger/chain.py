"""The chain: what a record is, its canonical bytes, its hash, and whether a line follows the one before."""

import hashlib
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from careplane.errors import LedgerBroken, LedgerError
from careplane.records import Record

Scalar = str | int | float | bool | None

GENESIS = hashlib.sha256(b"careplane ledger 1").hexdigest()
"""What the first record follows."""

MAX_LINE = 65_536
"""Longest line in bytes, so that the tail can be read back without reading a segment."""

_MAX_ENTRY = MAX_LINE - 512
_MAX_INTEGER = 2**53
_encoder = msgspec.json.Encoder(order="sorted")


class Entry(Record, frozen=True):
    """What a caller wants recorded, before it has a place in the chain."""

    at: datetime
    kind: str
    run: str | None
    app: str | None
    actor: str | None
    facts: dict[str, Scalar]


class LedgerRecord(Entry, frozen=True):
    """One record: ``seq`` counts from 1, ``prev`` is the hash of the record before, ``hash`` its own (SHA-256, hex)."""

    seq: int
    prev: str
    hash: str


class Head(Record, frozen=True):
    """The last record of the chain: its number (0 when there is none) and hash."""

    seq: int = 0
    hash: str = GENESIS


_decoder = msgspec.json.Decoder(LedgerRecord)


def entry(
    kind: str, at: datetime, run: str | None, app: str | None, actor: str | None, facts: Mapping[str, Scalar]
) -> Entry:
    """Check what is to be recorded.

    Raises:
        LedgerError: a naive time, a fact that is not a finite scalar, text that is not Unicode, or an entry too long.
    """
    if at.tzinfo is None:
        raise LedgerError(f"{kind}: the time of a ledger record needs a time zone.")
    for name, value in facts.items():
        _check_fact(kind, name, value)
    made = Entry(at=at.astimezone(UTC), kind=kind, run=run, app=app, actor=actor, facts=dict(facts))
    try:
        length = len(_encoder.encode(made))
    except (UnicodeEncodeError, TypeError) as error:
        raise LedgerError(f"{kind}: the record cannot be written as JSON: {error}.") from error
    if length > _MAX_ENTRY:
        raise LedgerError(f"{kind}: the record has {length} bytes; a ledger record holds at most {_MAX_ENTRY}.")
    return made


def _check_fact(kind: str, name: str, value: object) -> None:
    if type(name) is not str or type(value) not in (str, int, float, bool, type(None)):
        raise LedgerError(
            f"{kind}: fact {name!r} is a {type(value).__name__}; facts are text, numbers, booleans, null."
        )
    if type(value) is float and not math.isfinite(value):
        raise LedgerError(f"{kind}: fact {name!r} is not a finite number.")
    if type(value) is int and abs(value) > _MAX_INTEGER:
        raise LedgerError(f"{kind}: fact {name!r} is beyond 2**53, which not every JSON reader keeps exact.")


def seal(made: Entry, after: Head) -> LedgerRecord:
    """The entry as the record that follows ``after``."""
    body = {**msgspec.structs.asdict(made), "seq": after.seq + 1, "prev": after.hash}
    return LedgerRecord(**body, hash=_digest(body))


def line_of(record: LedgerRecord) -> bytes:
    """The one way to write a record: JSON with sorted keys, no spaces, UTF-8, one newline."""
    return _encoder.encode(record) + b"\n"


def read_line(line: bytes) -> LedgerRecord:
    """Decode a line that is known to be good."""
    return _decoder.decode(line)


def follow(line: bytes, after: Head, file: Path, number: int) -> LedgerRecord:
    """The record of a line, having checked that it is the one that follows ``after``.

    Args:
        line: with its newline.
        number: line number in ``file``, from 1.

    Raises:
        LedgerBroken: at the expected sequence number, with file and line.
    """
    what = ""
    try:
        record = _decoder.decode(line)
        what = _fault(line, record, after)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        what = f"is not a ledger record ({error})"
    if not line.endswith(b"\n"):
        what = "is cut short"
    if what:
        raise LedgerBroken(f"record {after.seq + 1} {what}.", after.seq + 1, file=file, line=number)
    return record


def _fault(line: bytes, record: LedgerRecord, after: Head) -> str:
    if record.seq != after.seq + 1:
        return f"is missing: record {record.seq} stands in its place"
    if record.prev != after.hash:
        return "does not follow the record before it"
    body = msgspec.structs.asdict(record)
    del body["hash"]
    if record.hash != _digest(body) or line != line_of(record):
        return "was changed: its hash does not match its content"
    return ""


def _digest(body: dict[str, object]) -> str:
    content = hashlib.sha256(str(body["prev"]).encode())
    content.update(_encoder.encode(body))
    return content.hexdigest()


def quoted(text: str) -> bytes:
    """Text as it stands inside a line; lets a search skip lines without decoding them."""
    return _encoder.encode(text)
