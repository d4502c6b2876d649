"""Walking a segment: each line is checked against the one before, block by block, without decoding it."""

import gzip
import hashlib
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from careplane.errors import LedgerBroken
from careplane.ledger.chain import MAX_LINE, Head, follow
from careplane.ledger.segments import open_segment, place_of

BLOCK = 1 << 20

Seen = Callable[[list[bytes], list[bytes]], None]
"""Takes the lines of a block (without newlines) and their leaf hashes."""


def walk_segment(
    folder: Path, number: int, after: Head, limit: int | None, seen: Seen, *, hash_leaves: bool = True
) -> Head:
    """Check that the lines of a segment follow ``after`` one by one.

    Args:
        limit: bytes to walk, or None for all; the lines have to end there.
        hash_leaves: without it, ``seen`` gets no leaf hashes.

    Raises:
        LedgerBroken: the first line that does not hold, with its file and number.
        FileNotFoundError: the segment is not there.
    """
    seq, prev = after.seq, after.hash.encode()
    with open_segment(folder, number) as file:
        count = 0
        for lines in blocks(file, limit, place_of(folder, number), after):
            prev, good, leaves = _check(lines, prev, seq, hash_leaves)
            if good < len(lines):
                where = place_of(folder, number)
                follow(lines[good] + b"\n", Head(seq=seq + good, hash=prev.decode()), where, count + good + 1)
                raise LedgerBroken("is no ledger line.", seq + good + 1, file=where, line=count + good + 1)
            seq, count = seq + good, count + good
            seen(lines, leaves)
    return Head(seq=seq, hash=prev.decode())


def _check(lines: list[bytes], prev: bytes, seq: int, hash_leaves: bool) -> tuple[bytes, int, list[bytes]]:
    """The hash after the last good line, how many are good, and their leaf hashes; as :func:`chain.quick_hash`."""
    sha256 = hashlib.sha256
    good = 0
    for line in lines:
        seq += 1
        at = line.rfind(b'},"hash":"') + 1
        rest = line[at + 74 :]
        digest = line[at + 9 : at + 73]
        if (
            sha256(prev + line[:at] + rest).hexdigest().encode() != digest
            or not at
            or line[at + 73 : at + 74] != b'"'
            or not rest.endswith(b',"seq":%d}' % seq)
            or b',"prev":"' + prev + b'",' not in rest
        ):
            break
        prev = digest
        good += 1
    return prev, good, [sha256(b"\0" + line).digest() for line in lines[:good]] if hash_leaves else []


def blocks(file: BinaryIO, limit: int | None, path: Path, after: Head) -> Iterator[list[bytes]]:
    """The lines of a file in blocks of about a megabyte; memory is bounded even where no line ends."""
    rest, seq, count = b"", after.seq, 0
    left = limit
    while block := _read(file, BLOCK if left is None else min(BLOCK, left), path):
        left = None if left is None else left - len(block)
        lines = (rest + block).split(b"\n")
        rest = lines.pop()
        if len(rest) > MAX_LINE:
            break
        seq, count = seq + len(lines), count + len(lines)
        if lines:
            yield lines
    if left:
        raise LedgerBroken(f"the tail was cut: {left} bytes are missing.", seq + 1, file=path, line=count + 1)
    if rest:
        raise LedgerBroken(f"record {seq + 1} is cut short.", seq + 1, file=path, line=count + 1)


def _read(file: BinaryIO, size: int, path: Path) -> bytes:
    try:
        return file.read(size)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise LedgerBroken(f"the compressed segment is damaged: {error}.", file=path) from error
    except OSError as error:
        raise LedgerBroken(f"the segment cannot be read: {error.strerror}.", file=path) from error
