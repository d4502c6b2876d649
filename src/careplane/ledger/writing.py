"""Writing a batch: under the lock of the ledger, one write, one ``fdatasync``, then the head.

The end of the chain is kept between batches and used again while the head on disk and the segment are as this process
left them; when another process wrote, or a crash left something behind, the files are read again.
"""

import contextlib
import fcntl
import os
import threading
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from careplane.errors import LedgerError
from careplane.ledger.chain import LedgerRecord, Prepared, prepare, read_line, seal, sealed_record
from careplane.ledger.headfile import SECTOR, Tail, decode_head, encode_head, head_path
from careplane.ledger.keyring import LedgerKey
from careplane.ledger.segments import first_line, segment_path, settle, sync_folder


class _Moved(Exception):
    """The folder or its head was replaced: other files stand where the open ones stood."""


class _Files:
    """The open files of a writer and where its last batch ended; used under the lock only."""

    def __init__(self, folder: Path, key: LedgerKey) -> None:
        self.folder = folder
        self.key = key
        self.segment = -1
        self.lock = self.head = -1
        self.tail: Tail | None = None
        self.began: datetime | None = None
        self._sector = b""
        try:
            self.lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            self.head = os.open(head_path(folder), os.O_RDWR)
        except OSError:
            self.close()
            raise
        self._identity = (os.fstat(self.lock), os.fstat(self.head))
        self._path = ""
        self._segment_identity = (0, 0)

    def close(self) -> None:
        for descriptor in (self.segment, self.head, self.lock):
            if descriptor >= 0:
                os.close(descriptor)
        self.segment = self.head = self.lock = -1

    @contextlib.contextmanager
    def turn(self) -> Iterator[None]:
        """Hold the lock of the ledger. Who waits for it holds the head's lock, so that nobody passes twice in a row."""
        fcntl.flock(self.head, fcntl.LOCK_EX)
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX)
        finally:
            fcntl.flock(self.head, fcntl.LOCK_UN)
        try:
            yield
        finally:
            fcntl.flock(self.lock, fcntl.LOCK_UN)

    def unchanged(self) -> bool:
        """Whether head and segment are as the last batch of this process left them."""
        if self.tail is None:
            return False
        try:
            there = os.stat(self._path)  # noqa: PTH116 - a string on the hot path
        except FileNotFoundError:
            return False
        return (
            there.st_size == self.tail.offset
            and (there.st_dev, there.st_ino) == self._segment_identity
            and os.pread(self.head, SECTOR + 1, 0) == self._sector
        )

    def read_again(self) -> Path | None:
        """Bring the tail up to what the files hold; half a record that was kept aside is returned.

        Raises:
            _Moved: the open files are no longer those of the ledger.
            LedgerBroken: the ledger does not hold.
        """
        self.tail = None
        for held, path in zip(self._identity, (self.folder, head_path(self.folder)), strict=True):
            there = path.stat()
            if (held.st_dev, held.st_ino) != (there.st_dev, there.st_ino):
                raise _Moved
        raw = os.pread(self.head, SECTOR + 1, 0)
        named = decode_head(raw, self.key, head_path(self.folder))
        if self._adopts(named):
            self.tail, self._sector = named, raw
            return None
        tail, torn = settle(self.folder, named)
        self.began = read_line(first_line(self.folder, tail.segment)).at if tail.lines else None
        self.open_segment(tail)
        return torn

    def _adopts(self, named: Tail) -> bool:
        """Whether another process wrote to the open segment and left nothing to settle."""
        if self.segment < 0 or self._path != str(segment_path(self.folder, named.segment)) or not named.lines:
            return False
        there = os.stat(self._path)  # noqa: PTH116 - as above
        return there.st_size == named.offset and (there.st_dev, there.st_ino) == self._segment_identity

    def open_segment(self, tail: Tail) -> None:
        """Open the segment in which the chain goes on, making it when it is new, and write the head for it."""
        path = segment_path(self.folder, tail.segment)
        if self.segment >= 0:
            os.close(self.segment)
            self.segment = -1
        new = tail.offset == 0
        self.segment = os.open(path, os.O_RDWR | (os.O_CREAT if new else 0), 0o600)
        if new:
            sync_folder(self.folder)
        held = os.fstat(self.segment)
        self._path, self._segment_identity = str(path), (held.st_dev, held.st_ino)
        self.set_tail(tail)

    def set_tail(self, tail: Tail) -> None:
        """Write the head."""
        self._sector = encode_head(self.key, tail)
        os.pwrite(self.head, self._sector, 0)
        self.tail = tail

    def append(self, content: bytes, offset: int) -> None:
        """Write at the end and make durable; on failure the segment is cut back."""
        try:
            rest = memoryview(content)
            place = offset
            while rest:
                written = os.pwrite(self.segment, rest, place)
                rest, place = rest[written:], place + written
            os.fdatasync(self.segment)
        except OSError:
            # Where even this fails, the rest stays behind the head and is settled by the next batch.
            with contextlib.suppress(OSError):
                os.ftruncate(self.segment, offset)
            raise


class Writer:
    """Makes batches durable, one at a time, in one process; other processes may write to the same folder.

    Args:
        segment_bytes, segment_age: a segment that has reached either is followed by a new one; the age is counted from
            its first record, by the times that the records carry.
    """

    def __init__(self, folder: Path, key: LedgerKey, segment_bytes: int, segment_age: timedelta) -> None:
        self._folder = folder
        self._key = key
        self._segment_bytes = segment_bytes
        self._segment_age = segment_age
        self.reset()

    def reset(self) -> None:
        """Forget files and locks; in the child after a fork, which shares its parent's lock and must not use it."""
        self._mutex = threading.Lock()
        self._files: _Files | None = None

    def rest(self) -> None:
        """Close the files; the next batch opens them again."""
        with self._mutex:
            self._drop()

    def _drop(self) -> None:
        files, self._files = self._files, None
        if files is not None:
            files.close()

    def commit(self, entries: Sequence[Prepared]) -> list[LedgerRecord]:
        """Append entries as one batch; they are durable when this returns.

        Raises:
            LedgerError: they could not be made durable, and none of them may be acknowledged.
            LedgerBroken: the ledger on disk does not hold; nothing was added to it.
        """
        with self._mutex:
            whole = False
            try:
                records = self._commit(entries)
                whole = True
            except OSError as error:
                where = error.filename or self._folder
                raise LedgerError(f"The audit record could not be made durable: {where}: {error.strerror}.") from error
            finally:
                if not whole:
                    self._drop()
        return records

    def _commit(self, entries: Sequence[Prepared]) -> list[LedgerRecord]:
        try:
            return self._in_turn(entries)
        except _Moved:
            self._drop()
            return self._in_turn(entries)

    def _in_turn(self, entries: Sequence[Prepared]) -> list[LedgerRecord]:
        if self._files is None:
            self._files = _Files(self._folder, self._key)
        files = self._files
        with files.turn():
            if files.unchanged():
                return self._write(files, entries)
            torn = files.read_again()
            if torn is None:
                return self._write(files, entries)
            return self._write(files, [_torn_entry(torn, entries[0].entry.at), *entries])[1:]

    def _write(self, files: _Files, entries: Sequence[Prepared]) -> list[LedgerRecord]:
        tail = self._rotated(files, entries[0].entry.at)
        prev, seq = tail.hash.encode(), tail.seq
        lines: list[bytes] = []
        records: list[LedgerRecord] = []
        for prepared in entries:
            seq += 1
            line, digest = seal(prepared, prev, seq)
            lines.append(line)
            records.append(sealed_record(prepared, prev, seq, digest))
            prev = digest
        content = b"".join(lines)
        files.append(content, tail.offset)
        files.set_tail(
            Tail(
                seq=seq,
                hash=prev.decode(),
                segment=tail.segment,
                offset=tail.offset + len(content),
                lines=tail.lines + len(lines),
            )
        )
        return records

    def _rotated(self, files: _Files, at: datetime) -> Tail:
        tail = files.tail
        assert tail is not None  # noqa: S101 - read a moment ago, under the lock
        if files.began is None:
            files.began = at
        if tail.offset >= self._segment_bytes or (tail.offset and at - files.began >= self._segment_age):
            tail = Tail(seq=tail.seq, hash=tail.hash, segment=tail.segment + 1)
            files.open_segment(tail)
            files.began = at
        return tail


def _torn_entry(torn: Path, at: datetime) -> Prepared:
    return prepare("ledger.torn", at, facts={"file": torn.name, "bytes": torn.stat().st_size})
