"""Verifying the whole chain as a stream, and against tree heads that were anchored outside: memory does not grow."""

from collections.abc import Callable, Sequence
from pathlib import Path

from careplane.errors import LedgerBroken, NotFound
from careplane.ledger.chain import MAX_LINE, Head, follow
from careplane.ledger.headfile import Tail, read_head
from careplane.ledger.journal import open_key
from careplane.ledger.keyring import key_path
from careplane.ledger.merkle import Frontier, leaf_hash
from careplane.ledger.proofs import TreeHead, check_head
from careplane.ledger.segments import is_torn, open_segment, place_of, segment_numbers, segment_path
from careplane.ledger.signing import PublicKey, read_signing_key, signing_key_path
from careplane.ledger.summaries import Summary, read_leaves, read_summary
from careplane.ledger.walking import walk_segment

Progress = Callable[[int, int], None]
"""Told how many more records were verified, and how many there are."""


def verify(
    folder: Path, anchors: Sequence[TreeHead] = (), public: PublicKey | None = None, progress: Progress | None = None
) -> Head:
    """Walk the chain from its first record to its last and check it against the sealed head.

    Writers may go on meanwhile; what was there at the start is verified. Half a record that a crash left behind the
    head was never acknowledged and is no fault (the next append keeps it aside). Segments that were removed under the
    retention schedule are bridged by their signed summaries.

    Args:
        anchors: signed tree heads that were kept outside; the ledger has to begin with each of them.
        public: the key that signed the anchors; by default the ledger's own.
        progress: called block by block.

    Raises:
        LedgerBroken: the first record that does not hold, with file and line, or the head itself, or an anchor.
        NotFound: there is no ledger.
    """
    key = key_path(folder)
    if not key.exists() and not segment_numbers(folder):
        raise NotFound(f"There is no ledger in {folder}.")
    if not key.exists() or not folder.is_dir():
        missing = folder if key.exists() else key
        raise LedgerBroken("is missing. Restore the ledger from your backup.", file=missing)
    own = read_signing_key(folder).public if signing_key_path(folder).exists() else None
    tail = read_head(folder, open_key(folder))
    check = _Anchors(anchors, public or own, None if progress is None else lambda more: progress(more, tail.seq))
    numbers = segment_numbers(folder)
    sizes = {number: _size(folder, number) for number in numbers if number >= tail.segment}
    after = Head()
    for number in range(1, tail.segment):
        after = _closed(folder, number, after, number in numbers, own, check)
    after = _sealed_part(folder, tail, after, check)
    for number in range(tail.segment, max(numbers, default=0) + 1):
        offset, lines = (tail.offset, tail.lines) if number == tail.segment else (0, 0)
        after, more = _behind_the_head(folder, number, after, (offset, lines, sizes.get(number, 0)), check)
        if not more:
            break
    check.finish(after)
    return after


class _Anchors:
    """The tree over what was walked, compared with each anchor when its size is reached."""

    def __init__(
        self, anchors: Sequence[TreeHead], public: PublicKey | None, progress: Callable[[int], None] | None
    ) -> None:
        if anchors and public is None:
            raise LedgerBroken("this ledger has no signing key, so it never signed an anchor.")
        for anchor in anchors:
            check_head(anchor, public)  # type: ignore[arg-type]
        self.wanted = sorted(anchors, key=lambda anchor: anchor.size, reverse=True)
        self._progress = progress
        self._tree = Frontier()

    def lines(self, lines: list[bytes], leaves: list[bytes]) -> None:
        """Take a block."""
        self.leaves(leaves)
        if self._progress is not None:
            self._progress(len(lines))

    def leaves(self, leaves: Sequence[bytes]) -> None:
        """Take leaf hashes."""
        while self.wanted and self.wanted[-1].size <= self._tree.end + len(leaves):
            cut = self.wanted[-1].size - self._tree.end
            self._tree.extend(leaves[:cut])
            leaves = leaves[cut:]
            self._compare(self.wanted.pop())
        if self.wanted:
            self._tree.extend(leaves)

    def summary(self, folder: Path, summary: Summary) -> None:
        """Take a segment that was removed."""
        if any(summary.first <= anchor.size < summary.last for anchor in self.wanted):
            self.leaves(read_leaves(folder, summary))
        elif self.wanted:
            self._tree.join(summary.frontier())
            while self.wanted and self.wanted[-1].size == self._tree.end:
                self._compare(self.wanted.pop())

    def finish(self, head: Head) -> None:
        """Complain of anchors that were not reached."""
        self.leaves(())
        if self.wanted:
            anchor = self.wanted[0]
            raise LedgerBroken(
                f"the anchor of {anchor.at:%Y-%m-%d %H:%M}Z names {anchor.size} records, the ledger has {head.seq}: "
                "its end was cut off, or an old copy was put in its place.",
                head.seq + 1,
            )

    def _compare(self, anchor: TreeHead) -> None:
        if self._tree.root().hex() != anchor.root:
            raise LedgerBroken(
                f"the first {anchor.size} records are not those anchored on {anchor.at:%Y-%m-%d %H:%M}Z: the ledger "
                "was rewritten after that, by somebody who holds its key.",
                anchor.size,
            )


def _size(folder: Path, number: int) -> int:
    try:
        return segment_path(folder, number).stat().st_size
    except FileNotFoundError:
        return 0


def _closed(folder: Path, number: int, after: Head, there: bool, own: PublicKey | None, check: _Anchors) -> Head:
    summary = read_summary(folder, number, own)
    if not there:
        if summary is None or summary.removed is None:
            raise LedgerBroken(f"segment {number} is missing.", after.seq + 1, file=place_of(folder, number))
        if (summary.first, summary.prev) != (after.seq + 1, after.hash):
            where = place_of(folder, number)
            raise LedgerBroken(f"removed segment {number} does not follow.", after.seq + 1, file=where)
        check.summary(folder, summary)
        return summary.head
    try:
        last = walk_segment(folder, number, after, None, check.lines, hash_leaves=bool(check.wanted))
    except FileNotFoundError:  # removed under the retention schedule since we looked, or by hand
        return _closed(folder, number, after, False, own, check)
    if summary is not None and summary.head != last:
        where = place_of(folder, number)
        raise LedgerBroken(f"the segment ends at record {last.seq}, not as its summary says.", last.seq, file=where)
    return last


def _sealed_part(folder: Path, tail: Tail, after: Head, check: _Anchors) -> Head:
    """The last segment, as far as the head covers it."""
    where = place_of(folder, tail.segment)
    if tail.offset:
        try:
            after = walk_segment(folder, tail.segment, after, tail.offset, check.lines, hash_leaves=bool(check.wanted))
        except FileNotFoundError as error:
            raise LedgerBroken(f"segment {tail.segment} is missing.", after.seq + 1, file=where) from error
    if after.seq < tail.seq:
        raise LedgerBroken(
            f"the tail was cut: the head says {tail.seq} records, there are {after.seq}.", after.seq + 1, file=where
        )
    if after != tail.head:
        line = tail.lines or None
        raise LedgerBroken(f"record {after.seq} is not the one that the head names.", after.seq, file=where, line=line)
    return after


def _behind_the_head(
    folder: Path, number: int, after: Head, place: tuple[int, int, int], check: _Anchors
) -> tuple[Head, bool]:
    """Records that a crash left behind the head, and whether the next segment may hold more of them.

    Args:
        place: offset and line from which to read, and the size of the file when verification began.
    """
    offset, line_number, size = place
    if size <= offset:
        return after, True
    with open_segment(folder, number) as file:
        file.seek(offset)
        left = size - offset
        while left > 0 and (line := file.readline(min(left, MAX_LINE))):
            left, line_number = left - len(line), line_number + 1
            try:
                record = follow(line, after, segment_path(folder, number), line_number)
            except LedgerBroken:
                if is_torn(line + file.read(left)):
                    return after, False
                raise
            after = Head(seq=record.seq, hash=record.hash)
            check.lines([line], [leaf_hash(line[:-1])])
    return after, True
