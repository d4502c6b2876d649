"""Appending to and reading from the ledger of one installation."""

import threading
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

from careplane.errors import LedgerBroken, LedgerError, SettingsError
from careplane.ledger.chain import Entry, Head, LedgerRecord, Scalar, entry, line_of, quoted, read_line, seal
from careplane.ledger.headfile import Tail, head_path, read_head, write_head
from careplane.ledger.keyring import LedgerKey, draft_key, key_path, read_key
from careplane.ledger.segments import (
    append_bytes,
    locked,
    segment_numbers,
    segment_path,
    settle,
    sync_folder,
    tail_line,
)

SEGMENT_BYTES = 64 * 1024 * 1024


class _Waiting:
    """An entry on its way: answered with its record or with the error that its batch met."""

    def __init__(self, made: Entry) -> None:
        self.entry = made
        self.record: LedgerRecord | None = None
        self.error: LedgerError | None = None


class Ledger:
    """The ledger of one installation; safe to share between threads, and between processes that each open it.

    Nothing about the chain is cached: each batch reads the head under the lock, so any number of writers agree.
    """

    def __init__(self, folder: Path, key: LedgerKey, segment_bytes: int) -> None:
        self.folder = folder
        self._key = key
        self._segment_bytes = segment_bytes
        self._queue: list[_Waiting] = []
        self._queue_lock = threading.Lock()
        self._commit_lock = threading.Lock()

    def append(
        self,
        kind: str,
        *,
        at: datetime,
        run: str | None = None,
        app: str | None = None,
        actor: str | None = None,
        facts: Mapping[str, Scalar] | None = None,
    ) -> LedgerRecord:
        """Append one record; it is durable when this returns.

        While one thread waits for the disk the others queue, and the next one writes for all of them.

        Args:
            kind: what happened, as ``subject.verb`` (``model.called``, ``plan.locked``).
            at: aware time.
            facts: scalars only, nothing that identifies a person.

        Raises:
            LedgerError: the record is not one, or could not be made durable: nothing may be acknowledged.
            LedgerBroken: the ledger on disk does not hold; nothing was added to it.
        """
        waiting = _Waiting(entry(kind, at, run, app, actor, facts or {}))
        with self._queue_lock:
            self._queue.append(waiting)
        with self._commit_lock:
            if waiting.record is None and waiting.error is None:
                self._commit_queue()
        if waiting.error is not None:
            raise waiting.error
        if waiting.record is None:
            raise LedgerError("The audit record was interrupted before it was durable; try again.")
        return waiting.record

    def _commit_queue(self) -> None:
        with self._queue_lock:
            batch, self._queue = self._queue, []
        try:
            records = self._commit([waiting.entry for waiting in batch])
        except LedgerError as error:
            for waiting in batch:
                waiting.error = error
            return
        for waiting, record in zip(batch, records, strict=True):
            waiting.record = record

    def _commit(self, entries: list[Entry]) -> list[LedgerRecord]:
        with locked(self.folder):
            tail, torn = settle(self.folder, read_head(self.folder, self._key))
            noted = [] if torn is None else [_torn_entry(torn, entries[0].at)]
            if tail.offset >= self._segment_bytes:
                tail = Tail(seq=tail.seq, hash=tail.hash, segment=tail.segment + 1)
            records, tail = self._write([*noted, *entries], tail)
            write_head(self.folder, self._key, tail)
            return records[len(noted) :]

    def _write(self, entries: list[Entry], tail: Tail) -> tuple[list[LedgerRecord], Tail]:
        records: list[LedgerRecord] = []
        after = tail.head
        for made in entries:
            records.append(seal(made, after))
            after = Head(seq=records[-1].seq, hash=records[-1].hash)
        content = b"".join(line_of(record) for record in records)
        append_bytes(segment_path(self.folder, tail.segment), content, tail.offset)
        return records, Tail(
            seq=after.seq,
            hash=after.hash,
            segment=tail.segment,
            offset=tail.offset + len(content),
            lines=tail.lines + len(records),
        )

    def records(self, run: str | None = None, kind: str | None = None) -> Iterator[LedgerRecord]:
        """The records in order, as a stream; with ``run`` or ``kind`` only those."""
        wanted = [quoted(text) for text in (run, kind) if text is not None]
        for line in self._lines():
            if all(text in line for text in wanted):
                record = read_line(line)
                if run in (None, record.run) and kind in (None, record.kind):
                    yield record

    def _lines(self) -> Iterator[bytes]:
        with locked(self.folder, shared=True):
            tail = read_head(self.folder, self._key)
        for number in segment_numbers(self.folder):
            if number > tail.segment:
                return
            rest = tail.offset if number == tail.segment else -1
            with segment_path(self.folder, number).open("rb") as file:
                while rest != 0 and (line := file.readline(rest)):
                    yield line
                    rest = max(rest - len(line), -1) if rest > 0 else rest

    @property
    def head(self) -> Head:
        """The last record that is acknowledged."""
        with locked(self.folder, shared=True):
            return read_head(self.folder, self._key).head

    def pseudonym(self, value: str) -> str:
        """A stand-in for a reference: stable within this installation, meaningless without its key."""
        return self._key.pseudonym(value)


def open_ledger(folder: Path, *, segment_bytes: int = SEGMENT_BYTES) -> Ledger:
    """Open the ledger in a folder, making it on first use; reads the head and the last record only.

    Args:
        folder: ``<home>/ledger``; the key is kept in ``<home>/secrets``.
        segment_bytes: a segment that has reached this size is followed by a new one.

    Raises:
        LedgerBroken: the head and the tail do not agree, or files are missing.
        LedgerError: the folder or the key cannot be used.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with locked(folder):
            key = open_key(folder) if key_path(folder).exists() else _found(folder)
            tail = read_head(folder, key)
            line = tail_line(folder, tail)
    except OSError as error:
        raise LedgerError(f"The ledger in {folder} cannot be opened: {error.strerror}.") from error
    _check_tail(folder, tail, line)
    return Ledger(folder, key, segment_bytes)


def open_key(folder: Path) -> LedgerKey:
    """The key of the ledger in a folder.

    Raises:
        LedgerError: it is missing, readable by others, or not a key.
    """
    try:
        return read_key(key_path(folder))
    except SettingsError as error:
        raise LedgerError(f"The key of the ledger cannot be used: {error}.") from error


def _found(folder: Path) -> LedgerKey:
    """Make a new ledger: head first, key last, so that a key always means that a head was there."""
    if segment_numbers(folder):
        raise LedgerBroken("the key is missing. Restore it from your backup.", file=key_path(folder))
    key, draft = draft_key(key_path(folder))
    head_path(folder).unlink(missing_ok=True)
    write_head(folder, key, Tail(), sync=True)
    sync_folder(folder)
    draft.rename(key_path(folder))
    sync_folder(key_path(folder).parent)
    return key


def _check_tail(folder: Path, tail: Tail, line: bytes) -> None:
    if tail.lines and (not line.endswith(b"\n") or quoted(tail.hash) not in line):
        path = segment_path(folder, tail.segment)
        raise LedgerBroken("the tail is not what the head says.", tail.seq, file=path, line=tail.lines)


def _torn_entry(torn: Path, at: datetime) -> Entry:
    return entry("ledger.torn", at, None, None, None, {"file": torn.name, "bytes": torn.stat().st_size})
