"""Verifying the whole chain as a stream: memory does not grow with the ledger."""

from pathlib import Path

from careplane.errors import LedgerBroken, NotFound
from careplane.ledger.chain import MAX_LINE, Head, follow
from careplane.ledger.headfile import Tail, read_head
from careplane.ledger.journal import open_key
from careplane.ledger.keyring import key_path
from careplane.ledger.segments import is_torn, locked, segment_numbers, segment_path


def verify(folder: Path) -> Head:
    """Walk the chain from its first record to its last and check it against the sealed head.

    Writers may go on meanwhile; what was there at the start is verified. Half a record that a crash left behind the
    head was never acknowledged and is no fault (the next append keeps it aside).

    Raises:
        LedgerBroken: the first record that does not hold, with file and line, or the head itself.
        NotFound: there is no ledger.
    """
    key = key_path(folder)
    if not key.exists() and not segment_numbers(folder):
        raise NotFound(f"There is no ledger in {folder}.")
    if not key.exists() or not folder.is_dir():
        missing = folder if key.exists() else key
        raise LedgerBroken("is missing. Restore the ledger from your backup.", file=missing)
    with locked(folder, shared=True):
        tail = read_head(folder, open_key(folder))
        sizes = {number: segment_path(folder, number).stat().st_size for number in segment_numbers(folder)}
    after = Head()
    for place, (number, size) in enumerate(sizes.items(), start=1):
        path = segment_path(folder, number)
        if number != place:
            raise LedgerBroken(f"segment {place} is missing.", after.seq + 1, file=segment_path(folder, place))
        after = _walk(path, size, after, tail)
    if after.seq < tail.seq:
        last = segment_path(folder, tail.segment)
        raise LedgerBroken(
            f"the tail was cut: the head says {tail.seq} records, there are {after.seq}.", after.seq + 1, file=last
        )
    return after


def _walk(path: Path, size: int, after: Head, tail: Tail) -> Head:
    number = 0
    with path.open("rb") as file:
        while size > 0 and (line := file.readline(min(size, MAX_LINE))):
            number += 1
            size -= len(line)
            try:
                record = follow(line, after, path, number)
            except LedgerBroken:
                if after.seq >= tail.seq and is_torn(line + file.read(size)):
                    return after
                raise
            after = Head(seq=record.seq, hash=record.hash)
            if after.seq == tail.seq and after.hash != tail.hash:
                raise LedgerBroken(
                    f"record {after.seq} is not the one that the head names.", after.seq, file=path, line=number
                )
    return after
