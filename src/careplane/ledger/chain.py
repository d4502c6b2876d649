"""The chain: what a record is, its canonical bytes, its hash, and whether a line follows the one before."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from careplane.errors import LedgerBroken, LedgerError
from careplane.ledger.facts import MAX_TEXT, CheckedFacts, Scalar, check_facts, has_control
from careplane.records import Record

GENESIS = hashlib.sha256(b"careplane ledger 1").hexdigest()
"""What the first record follows."""

MAX_LINE = 65_536
"""Longest line in bytes, so that the tail can be read back without reading a segment."""

_MAX_ENTRY = MAX_LINE - 2_048
_encoder = msgspec.json.Encoder(order="sorted")
_encode = _encoder.encode
_sha256 = hashlib.sha256


class Entry(Record, frozen=True):
    """What a caller wants recorded, before it has a place in the chain."""

    at: datetime
    kind: str
    run: str | None
    app: str | None
    actor: str | None
    facts: Mapping[str, Scalar]


class LedgerRecord(Record, frozen=True):
    """One record: ``seq`` counts from 1, ``prev`` is the hash of the record before, ``hash`` its own (SHA-256, hex)."""

    at: datetime
    kind: str
    run: str | None
    app: str | None
    actor: str | None
    facts: dict[str, Scalar]
    seq: int
    prev: str
    hash: str


class Head(Record, frozen=True):
    """The last record of the chain: its number (0 when there is none) and hash."""

    seq: int = 0
    hash: str = GENESIS


class _Front(msgspec.Struct, frozen=True, gc=False):
    """The members of a line that sort before ``hash``."""

    actor: str | None
    app: str | None
    at: datetime
    facts: Mapping[str, Scalar] | msgspec.Raw


class Prepared(msgspec.Struct, frozen=True, gc=False):
    """An entry that was checked and encoded; only its place in the chain is missing.

    ``front`` is the line up to the hash, ``middle`` from there up to the hash before, ``end`` up to the number.
    """

    entry: Entry
    front: bytes
    middle: bytes
    end: bytes

    @property
    def size(self) -> int:
        """Bytes that the entry brings to its line."""
        return len(self.front) + len(self.middle) + len(self.end)


_decoder = msgspec.json.Decoder(LedgerRecord)


def prepare(
    kind: str,
    at: datetime,
    run: str | None = None,
    app: str | None = None,
    actor: str | None = None,
    facts: Mapping[str, Scalar] | CheckedFacts | None = None,
) -> Prepared:
    """Check and encode what is to be recorded.

    Raises:
        LedgerError: a naive time, a fact that is not a finite scalar or looks like free text, text that is not
            Unicode, a name that is too long, or an entry too long.
    """
    names = f"{kind}{run}{app}{actor}"
    if len(names) > MAX_TEXT or not names.isprintable():
        _check_names(kind, run, app, actor)
    if at.tzinfo is not UTC:
        at = _in_utc(kind, at)
    if type(facts) is CheckedFacts:
        values, encoded = facts.values, msgspec.Raw(facts.json)
    else:
        values = check_facts(kind, facts) if facts else {}  # type: ignore[arg-type]
        encoded = values  # type: ignore[assignment]
    made = Entry(at=at, kind=kind, run=run, app=app, actor=actor, facts=values)
    try:
        front = _encode(_Front(actor, app, at, encoded))[:-1]
        middle = b',"kind":' + _encode(kind) + b',"prev":"'
        end = b'","run":' + _encode(run) + b',"seq":'
    except (UnicodeEncodeError, TypeError) as error:
        raise LedgerError(f"{kind}: the record cannot be written as JSON: {error}.") from error
    if len(front) > _MAX_ENTRY:
        raise LedgerError(f"{kind}: the record has {len(front)} bytes; a ledger record holds at most {_MAX_ENTRY}.")
    return Prepared(made, front, middle, end)


def _in_utc(kind: str, at: datetime) -> datetime:
    if at.tzinfo is None:
        raise LedgerError(f"{kind}: the time of a ledger record needs a time zone.")
    return at.astimezone(UTC)


def _check_names(kind: str, run: str | None, app: str | None, actor: str | None) -> None:
    for name, value in (("kind", kind), ("run", run), ("app", app), ("actor", actor)):
        if value is not None and (len(value) > MAX_TEXT or has_control(value)):
            raise LedgerError(
                f"{kind[:60]!r}: {name} is no name: over {MAX_TEXT} characters, or with a line break in it."
            )


def seal(prepared: Prepared, prev: bytes, seq: int) -> tuple[bytes, bytes]:
    """The line of an entry that follows the record with hash ``prev`` (hex) as number ``seq``, and its own hash (hex).

    A line is JSON with sorted keys, no spaces, UTF-8, one newline; the hash is SHA-256 over the hash before and the
    line without its hash.
    """
    rest = b"%b%b%b%d}" % (prepared.middle, prev, prepared.end, seq)
    digest = _sha256(prev + prepared.front + rest).hexdigest().encode()
    return b'%b,"hash":"%b"%b\n' % (prepared.front, digest, rest), digest


def sealed_record(prepared: Prepared, prev: bytes, seq: int, digest: bytes) -> LedgerRecord:
    """The record of a line that :func:`seal` made."""
    made = prepared.entry
    return LedgerRecord(
        at=made.at,
        kind=made.kind,
        run=made.run,
        app=made.app,
        actor=made.actor,
        facts=made.facts,  # type: ignore[arg-type]
        seq=seq,
        prev=prev.decode(),
        hash=digest.decode(),
    )


def line_of(record: LedgerRecord) -> bytes:
    """The one way to write a record."""
    return _encode(record) + b"\n"


def read_line(line: bytes) -> LedgerRecord:
    """Decode a line that is known to be good."""
    return _decoder.decode(line)


def quick_hash(line: bytes, prev: bytes, seq: int) -> bytes:
    """The hash (hex) of a line if it is number ``seq`` and follows ``prev``, found without decoding it; else b"".

    Facts are scalars, so ``},"hash":"`` stands once in a line: inside a JSON text its quotes would be escaped.
    """
    at = line.rfind(b'},"hash":"') + 1
    rest = line[at + 74 : -1]
    digest = line[at + 9 : at + 73]
    if not (
        at
        and rest.endswith(b',"seq":%d}' % seq)
        and b',"prev":"%b",' % prev in rest
        and line[at + 73 : at + 74] == b'"'
        and line.endswith(b"\n")
        and _sha256(b"%b%b%b" % (prev, line[:at], rest)).hexdigest().encode() == digest
    ):
        return b""
    return digest


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
    if line != line_of(record) or not quick_hash(line, after.hash.encode(), record.seq):
        return "was changed: its hash does not match its content"
    return ""


def quoted(text: str) -> bytes:
    """Text as it stands inside a line; lets a search skip lines without decoding them."""
    return _encode(text)
