"""The files of a ledger: segments, their lock, appending durably, and settling what a crash left behind."""

import contextlib
import errno
import fcntl
import gzip
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from careplane.errors import LedgerBroken, LedgerError
from careplane.ledger.chain import MAX_LINE, Head, follow
from careplane.ledger.headfile import Tail, head_path

_BLOCK = 1 << 20


def segment_path(folder: Path, number: int) -> Path:
    """The file of a segment; numbers count from 1."""
    return folder / f"{number:06d}.jsonl"


def packed_path(folder: Path, number: int) -> Path:
    """The file of a closed segment that was compressed."""
    return folder / f"{number:06d}.jsonl.gz"


def segment_numbers(folder: Path) -> list[int]:
    """The segments that exist, compressed ones included, in order."""
    return sorted({int(path.name[:6]) for path in folder.glob("[0-9]" * 6 + ".jsonl*") if path.suffix != ".new"})


def open_segment(folder: Path, number: int) -> BinaryIO:
    """Open a segment to read its lines, compressed or not.

    Raises:
        FileNotFoundError: it is not there.
    """
    plain = segment_path(folder, number)
    for _ in range(2):  # it may be compressed between two looks
        with contextlib.suppress(FileNotFoundError):
            return plain.open("rb")
        with contextlib.suppress(FileNotFoundError):
            return cast(BinaryIO, gzip.open(packed_path(folder, number), "rb"))
    raise FileNotFoundError(errno.ENOENT, "the segment is missing", str(plain))


def place_of(folder: Path, number: int) -> Path:
    """The file in which a segment stands, to name it in a message."""
    packed = packed_path(folder, number)
    return packed if packed.exists() and not segment_path(folder, number).exists() else segment_path(folder, number)


def torn_files(folder: Path) -> list[Path]:
    """What crashes left half-written, kept aside."""
    return sorted(folder.glob("*.torn"))


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a ledger against other threads and processes (``flock`` on the folder).

    Who waits holds the lock of the head, if there is one, so that a busy writer cannot pass twice in a row.

    Raises:
        LedgerError: the folder cannot be opened.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise LedgerError(f"The ledger folder {folder} cannot be opened: {error.strerror}.") from error
    try:
        with contextlib.ExitStack() as turn:
            with contextlib.suppress(FileNotFoundError):
                head = os.open(head_path(folder), os.O_RDONLY)
                turn.callback(os.close, head)
                fcntl.flock(head, fcntl.LOCK_EX)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Make new names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_durably(path: Path, content: bytes) -> None:
    """Write a new file and make it and its name durable.

    Raises:
        OSError: it cannot be written.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    sync_folder(path.parent)


def first_line(folder: Path, number: int) -> bytes:
    """The first line of an open segment."""
    with segment_path(folder, number).open("rb") as file:
        return file.readline(MAX_LINE)


def tail_line(folder: Path, tail: Tail) -> bytes:
    """The last line that the head covers, found without reading the segment (empty when there is none)."""
    if tail.lines == 0:
        return b""
    path = segment_path(folder, tail.segment)
    try:
        with path.open("rb") as file:
            start = max(0, tail.offset - MAX_LINE)
            file.seek(start)
            block = file.read(tail.offset - start)
    except FileNotFoundError as error:
        raise LedgerBroken("the last segment is missing.", tail.seq, file=path) from error
    return block[block.rfind(b"\n", 0, -1) + 1 :]


def settle(folder: Path, tail: Tail) -> tuple[Tail, Path | None]:
    """Bring the tail up to what the segments hold, under the exclusive lock.

    A process may have died after its records were durable and before it wrote the head: records that extend the chain
    are accepted. Half a record is moved to a ``.torn`` file, which is returned.

    Raises:
        LedgerBroken: the segments are shorter than the head says, or what follows the head is not of this chain.
    """
    while True:
        path = segment_path(folder, tail.segment)
        size = path.stat().st_size if path.exists() else 0
        if size < tail.offset:
            raise LedgerBroken(
                f"the tail was cut: {size} bytes where the head says {tail.offset}.", tail.seq, file=path
            )
        if size > tail.offset:
            tail, torn = _catch_up(path, tail)
            if torn is not None:
                return tail, torn
        following = segment_path(folder, tail.segment + 1)
        if not following.exists() or following.stat().st_size == 0:
            return tail, None
        tail = Tail(seq=tail.seq, hash=tail.hash, segment=tail.segment + 1)


def _catch_up(path: Path, tail: Tail) -> tuple[Tail, Path | None]:
    with path.open("r+b") as file:
        _write_again(file, tail.offset)
        file.seek(tail.offset)
        while line := file.readline(MAX_LINE):
            try:
                record = follow(line, tail.head, path, tail.lines + 1)
            except LedgerBroken:
                rest = line + file.read()
                if not is_torn(rest):
                    raise
                torn = _keep_aside(path, rest, tail.offset)
                file.truncate(tail.offset)
                os.fsync(file.fileno())
                return tail, torn
            tail = _advance(tail, Head(seq=record.seq, hash=record.hash), len(line))
    return tail, None


def _write_again(file: BinaryIO, offset: int) -> None:
    """Make what stands behind the head durable. It may be what a failed sync left in memory as if it were written,
    so it is written once more."""
    while block := os.pread(file.fileno(), _BLOCK, offset):
        os.pwrite(file.fileno(), block, offset)
        offset += len(block)
    os.fdatasync(file.fileno())


def _advance(tail: Tail, head: Head, length: int) -> Tail:
    return Tail(seq=head.seq, hash=head.hash, segment=tail.segment, offset=tail.offset + length, lines=tail.lines + 1)


def is_torn(rest: bytes) -> bool:
    """Whether bytes after the last good record are half a write: no newline, or blocks that never reached the disk."""
    return b"\n" not in rest or b"\0" in rest


def _keep_aside(path: Path, rest: bytes, offset: int) -> Path:
    names = (path.with_name(f"{path.stem}-{offset}{again}.torn") for again in ("", *(f"-{n}" for n in range(2, 1000))))
    torn = next(name for name in names if not name.exists())
    write_durably(torn, rest)
    return torn
