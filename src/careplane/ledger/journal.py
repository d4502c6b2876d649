"""The ledger of one installation: appending to it, and reading from it."""

import asyncio
import os
import weakref
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from careplane.errors import LedgerBroken, LedgerError, SettingsError
from careplane.ledger.chain import Head, LedgerRecord, Prepared, prepare, quoted
from careplane.ledger.facts import CheckedFacts, Scalar
from careplane.ledger.headfile import Tail, head_path, read_head, write_head
from careplane.ledger.keyring import LedgerKey, draft_key, key_path, read_key
from careplane.ledger.queueing import BatchQueue, Waiting
from careplane.ledger.search import Query, find
from careplane.ledger.segments import locked, segment_numbers, segment_path, sync_folder, tail_line
from careplane.ledger.writing import Writer

SEGMENT_BYTES = 64 * 1024 * 1024
SEGMENT_AGE = timedelta(days=31)
MAX_WAITING_RECORDS = 20_000
MAX_WAITING_BYTES = 32 * 1024 * 1024

Facts = Mapping[str, Scalar] | CheckedFacts


class Ledger:
    """The ledger of one installation; safe to share between threads and event loops, and between processes that each
    open it.

    All ways of appending share one queue: what arrived while the last sync ran is the next batch, one write and one
    sync. What may wait is bounded; a full queue refuses at once.
    """

    def __init__(
        self,
        folder: Path,
        key: LedgerKey,
        segment_bytes: int = SEGMENT_BYTES,
        segment_age: timedelta = SEGMENT_AGE,
        max_waiting: tuple[int, int] = (MAX_WAITING_RECORDS, MAX_WAITING_BYTES),
    ) -> None:
        self.folder = folder
        self._key = key
        self._writer = Writer(folder, key, segment_bytes, segment_age)
        self._queue = BatchQueue(self._writer.commit, self._writer.rest, *max_waiting)
        _LEDGERS.add(self)

    def append(
        self,
        kind: str,
        *,
        at: datetime,
        run: str | None = None,
        app: str | None = None,
        actor: str | None = None,
        facts: Facts | None = None,
    ) -> LedgerRecord:
        """Append one record; it is durable when this returns.

        Args:
            kind: what happened, as ``subject.verb`` (``model.called``, ``plan.locked``).
            at: aware time.
            facts: scalars only, nothing that identifies a person (see :mod:`careplane.ledger.facts`).

        Raises:
            LedgerError: the record is not one, too much waits for the disk, or it could not be made durable: nothing
                may be acknowledged.
            LedgerBroken: the ledger on disk does not hold; nothing was added to it.
        """
        waiting = Waiting((prepare(kind, at, run, app, actor, facts),), None, single=True)
        self._queue.put(waiting)
        waiting.gate.acquire()
        if waiting.records is None:
            raise waiting.failure()
        return waiting.records[0]

    def append_all(self, entries: Sequence[Prepared]) -> None:
        """Append entries (each made by :func:`prepare`) in one batch; all are durable when this returns, or none.

        Raises:
            LedgerError: as :meth:`append`.
        """
        if not entries:
            return
        waiting = Waiting(tuple(entries), None, single=False)
        self._queue.put(waiting)
        waiting.gate.acquire()
        if waiting.records is None:
            raise waiting.failure()

    def append_async(
        self,
        kind: str,
        *,
        at: datetime,
        run: str | None = None,
        app: str | None = None,
        actor: str | None = None,
        facts: Facts | None = None,
    ) -> "asyncio.Future[LedgerRecord]":
        """Append one record from an event loop; the record is durable when the future that is returned is done.

        The record is on its way when this returns, awaited or not: a caller that is cancelled while it waits neither
        takes it back nor writes it twice.

        Raises:
            LedgerError: at once, the record is not one or too much waits for the disk; from the future, it could not
                be made durable.
        """
        return self._submit((prepare(kind, at, run, app, actor, facts),), single=True)  # type: ignore[return-value]

    def append_all_async(self, entries: Sequence[Prepared]) -> "asyncio.Future[list[LedgerRecord]]":
        """Append entries (each made by :func:`prepare`) one after the other in one batch: all are durable, or none.

        Raises:
            LedgerError: as :meth:`append_async`.
        """
        return self._submit(tuple(entries), single=False)  # type: ignore[return-value]

    def _submit(
        self, entries: Sequence[Prepared], *, single: bool
    ) -> "asyncio.Future[LedgerRecord | list[LedgerRecord]]":
        waiting = Waiting(entries, asyncio.get_running_loop(), single)
        if not entries:
            waiting.future.set_result([])
            return waiting.future
        self._queue.put(waiting)
        return waiting.future

    @property
    def waiting(self) -> tuple[int, int]:
        """Records and bytes that wait for the disk at this moment."""
        return self._queue.load

    def close(self) -> None:
        """Wait until everything that was appended is answered, then end the writing thread and close the files.

        The ledger stays usable; the next record opens them again.
        """
        self._queue.drain()

    def records(self, run: str | None = None, kind: str | None = None) -> Iterator[LedgerRecord]:
        """The records in order, as a stream; with ``run`` or ``kind`` only those."""
        return self.find(Query(run=run, kind=kind))

    def find(self, query: Query) -> Iterator[LedgerRecord]:
        """The records that match a query, in order, as a stream.

        Raises:
            LedgerBroken: the ledger cannot be read.
        """
        return find(self.folder, self.tail, query)

    @property
    def head(self) -> Head:
        """The last record that is acknowledged."""
        return self.tail.head

    @property
    def tail(self) -> Tail:
        """The last record that is acknowledged, and its place in the files."""
        return read_head(self.folder, self._key)

    def pseudonym(self, value: str) -> str:
        """A stand-in for a reference: stable within this installation, meaningless without its key."""
        return self._key.pseudonym(value)


def open_ledger(
    folder: Path,
    *,
    segment_bytes: int = SEGMENT_BYTES,
    segment_age: timedelta = SEGMENT_AGE,
    max_waiting: tuple[int, int] = (MAX_WAITING_RECORDS, MAX_WAITING_BYTES),
) -> Ledger:
    """Open the ledger in a folder, making it on first use; reads the head and the last record only.

    Args:
        folder: ``<home>/ledger``; the key is kept in ``<home>/secrets``.
        segment_bytes, segment_age: a segment that has reached either is followed by a new one.
        max_waiting: how many records and bytes may wait for the disk before more are refused.

    Raises:
        LedgerBroken: the head and the tail do not agree, or files are missing.
        LedgerError: the folder or the key cannot be used.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        key = open_key(folder) if key_path(folder).exists() else _found(folder)
        tail = read_head(folder, key)
        line = tail_line(folder, tail)
    except OSError as error:
        raise LedgerError(f"The ledger in {folder} cannot be opened: {error.strerror}.") from error
    _check_tail(folder, tail, line)
    return Ledger(folder, key, segment_bytes, segment_age, max_waiting)


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
    with locked(folder):
        if key_path(folder).exists():  # another process was quicker
            return open_key(folder)
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


_LEDGERS: "weakref.WeakSet[Ledger]" = weakref.WeakSet()


def _after_fork() -> None:
    """In a child process: no thread is left, locks may be held for ever, and the open lock is the parent's."""
    for ledger in list(_LEDGERS):
        ledger._writer.reset()
        ledger._queue.reset()


os.register_at_fork(after_in_child=_after_fork)
