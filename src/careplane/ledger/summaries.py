"""What is known of a closed segment without reading it: its place in chain and tree, signed, in files beside it.

::

    000001.tree.json   first and last number and hash, times, subtrees; signed with the signing key
    000001.leaves      the leaf hashes of its records, 32 bytes each

They are made from the segment when a command first needs the tree, and made again when they are missing. When a segment
is removed under the retention schedule they stay, so that chain and proofs go on to hold without it.
"""

import os
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from careplane.errors import LedgerBroken, LedgerError
from careplane.ledger.chain import Head
from careplane.ledger.merkle import Frontier
from careplane.ledger.segments import place_of, sync_folder, write_durably
from careplane.ledger.signing import PublicKey, SigningKey
from careplane.ledger.walking import walk_segment
from careplane.records import Record

HASH_BYTES = 32
_CONTEXT = b"careplane ledger summary 1\n"
_encode = msgspec.json.Encoder(order="sorted").encode


class Removal(Record, frozen=True):
    """When a segment was removed, and by whom."""

    at: datetime
    by: str


class Summary(Record, frozen=True):
    """A closed segment: numbers of its first and last record, the hash before and that of the last, the earliest and
    latest time of its records (to the second), its size in bytes, and the subtrees over its leaves (level, hash)."""

    segment: int
    first: int
    last: int
    prev: str
    hash: str
    began: datetime
    ended: datetime
    bytes: int
    nodes: tuple[tuple[int, str], ...]
    removed: Removal | None = None

    @property
    def head(self) -> Head:
        """Its last record."""
        return Head(seq=self.last, hash=self.hash)

    def frontier(self) -> Frontier:
        """Its subtrees, at their place in the tree."""
        return Frontier(self.first - 1, [(level, bytes.fromhex(value)) for level, value in self.nodes])


class _Signed(Record, frozen=True):
    summary: Summary
    key: str
    signature: str
    format: int = 1


def summary_path(folder: Path, number: int) -> Path:
    """The file of a summary."""
    return folder / f"{number:06d}.tree.json"


def leaves_path(folder: Path, number: int) -> Path:
    """The file of the leaf hashes of a segment."""
    return folder / f"{number:06d}.leaves"


def read_summary(folder: Path, number: int, public: PublicKey | None) -> Summary | None:
    """The summary of a segment, its signature checked; None where there is none.

    Raises:
        LedgerBroken: it was changed, or was signed by another key.
    """
    path = summary_path(folder, number)
    try:
        signed = msgspec.json.decode(path.read_bytes(), type=_Signed)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise LedgerBroken(f"the summary of segment {number} cannot be read: {error}.", file=path) from error
    if public is None:
        raise LedgerBroken("the signing key that signed this summary is missing. Restore it.", file=path)
    good = public.signed(_CONTEXT + _encode(signed.summary), signed.signature)
    if not good or signed.summary.segment != number or signed.format != 1:
        raise LedgerBroken(f"the summary of segment {number} was changed: its signature does not match.", file=path)
    return signed.summary


def write_summary(folder: Path, summary: Summary, key: SigningKey) -> None:
    """Sign and write a summary, whole or not at all.

    Raises:
        LedgerError: it cannot be written.
    """
    signature = key.sign(_CONTEXT + _encode(summary))
    content = _encode(_Signed(summary=summary, key=key.public.id, signature=signature)) + b"\n"
    _replace(summary_path(folder, summary.segment), content)


def summarise(folder: Path, number: int, after: Head) -> Summary:
    """Walk a closed segment that follows ``after``, and keep its leaf hashes; the summary is not written yet.

    Raises:
        LedgerBroken: a record does not hold.
        LedgerError: the leaf hashes cannot be written.
    """
    frontier = Frontier(after.seq)
    draft = leaves_path(folder, number).with_suffix(f".{os.getpid()}.new")
    began, ended, size = b"9", b"", 0

    def seen(lines: list[bytes], leaves: list[bytes]) -> None:
        nonlocal began, ended, size
        frontier.extend(leaves)
        file.write(b"".join(leaves))
        times = [_second(line) for line in lines]
        began, ended = min(began, *times), max(ended, *times)
        size += sum(map(len, lines)) + len(lines)

    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            last = walk_segment(folder, number, after, None, seen)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(leaves_path(folder, number))
    except FileNotFoundError as error:
        draft.unlink(missing_ok=True)
        raise LedgerBroken(f"segment {number} is missing.", after.seq + 1, file=place_of(folder, number)) from error
    except OSError as error:
        raise LedgerError(f"The leaf hashes of segment {number} cannot be written: {error.strerror}.") from error
    if last.seq == after.seq:
        raise LedgerBroken("the segment is empty.", after.seq + 1, file=place_of(folder, number))
    return Summary(
        segment=number,
        first=after.seq + 1,
        last=last.seq,
        prev=after.hash,
        hash=last.hash,
        began=_time(began),
        ended=_time(ended),
        bytes=size,
        nodes=tuple((level, value.hex()) for level, value in frontier.nodes),
    )


def read_leaves(folder: Path, summary: Summary) -> list[bytes]:
    """The leaf hashes of a segment, checked against its summary.

    Raises:
        LedgerBroken: they are missing or were changed.
    """
    path = leaves_path(folder, summary.segment)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise LedgerBroken(f"the leaf hashes cannot be read: {error.strerror}.", file=path) from error
    leaves = [content[place : place + HASH_BYTES] for place in range(0, len(content), HASH_BYTES)]
    frontier = Frontier(summary.first - 1)
    frontier.extend(leaves)
    if frontier.nodes != summary.frontier().nodes or len(content) % HASH_BYTES:
        raise LedgerBroken("the leaf hashes were changed: they do not match the summary.", file=path)
    return leaves


def _second(line: bytes) -> bytes:
    """The time of a record to the second, as it stands in its line."""
    at = line.index(b',"at":"') + 7
    return line[at : at + 19]


def _time(second: bytes) -> datetime:
    return datetime.fromisoformat(second.decode()).replace(tzinfo=UTC)


def _replace(path: Path, content: bytes) -> None:
    draft = path.with_suffix(f".{os.getpid()}.new")
    try:
        write_durably(draft, content)
        draft.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise LedgerError(f"{path} cannot be written: {error.strerror}.") from error
