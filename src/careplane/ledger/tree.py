"""The Merkle tree over the records: leaf ``n`` is the line of record ``n + 1``, without its newline."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from careplane.errors import LedgerBroken, NotFound, Refused
from careplane.ledger.chain import Head
from careplane.ledger.headfile import Tail
from careplane.ledger.merkle import Frontier, consistency_path, inclusion_path
from careplane.ledger.segments import open_segment, place_of, segment_numbers
from careplane.ledger.signing import SigningKey
from careplane.ledger.summaries import Summary, read_leaves, read_summary, summarise, write_summary
from careplane.ledger.walking import walk_segment

_KEPT = 4
"""Of how many segments the leaf hashes are kept in memory; a proof needs those of two."""


class Tree:
    """The tree of a ledger at one moment; proofs read the leaf hashes of few segments only."""

    def __init__(self, folder: Path, closed: Sequence[Summary], segment: int, leaves: list[bytes], head: Head) -> None:
        self.folder = folder
        self.closed = closed
        self.size = head.seq
        self.hash = head.hash
        self._segment = segment
        self._open = leaves
        self._kept: dict[int, list[bytes]] = {}

    def root(self, size: int | None = None) -> bytes:
        """The root over the first ``size`` records."""
        return self.subtree(0, self.size if size is None else size)

    def subtree(self, low: int, high: int) -> bytes:
        """The root over leaves ``low`` to ``high - 1``, where that is a subtree."""
        frontier = Frontier(low)
        for summary in self.closed:
            begin, end = summary.first - 1, summary.last
            if low <= begin and end <= high:
                frontier.join(summary.frontier())
            elif begin < high and low < end:
                frontier.extend(self._leaves(summary)[max(low - begin, 0) : high - begin])
        begin = self.size - len(self._open)
        if high > begin:
            frontier.extend(self._open[max(low - begin, 0) : high - begin])
        return frontier.root()

    def inclusion(self, seq: int) -> list[bytes]:
        """The audit path of record ``seq``.

        Raises:
            NotFound: there is no such record.
        """
        self._within(seq)
        return inclusion_path(seq - 1, self.size, self.subtree)

    def growth(self, old: int) -> list[bytes]:
        """The proof that the first ``old`` records are the beginning of the ledger.

        Raises:
            NotFound: the ledger never had so many records.
        """
        if old:
            self._within(old)
        return consistency_path(old, self.size, self.subtree)

    def line(self, seq: int) -> bytes:
        """The line of record ``seq``, without its newline.

        Raises:
            NotFound: there is no such record.
            Refused: it was removed under the retention schedule.
        """
        self._within(seq)
        number, first = self._segment, self.size - len(self._open) + 1
        for summary in self.closed:
            if summary.first <= seq <= summary.last:
                number, first = summary.segment, summary.first
                if summary.removed is not None:
                    removed = summary.removed
                    reason = f"Record {seq} was removed on {removed.at:%Y-%m-%d} by {removed.by} (retention)."
                    raise Refused((reason,), "Its hash still stands in the tree; use the record in your export.")
        with open_segment(self.folder, number) as file:
            for place, line in enumerate(file, start=first):
                if place == seq:
                    return line.removesuffix(b"\n")
        raise LedgerBroken(f"record {seq} is missing.", seq, file=place_of(self.folder, number))

    def _within(self, seq: int) -> None:
        if not 1 <= seq <= self.size:
            raise NotFound(f"There is no record {seq}; the ledger has records 1 to {self.size}.")

    def _leaves(self, summary: Summary) -> list[bytes]:
        if summary.segment not in self._kept:
            if len(self._kept) == _KEPT:
                self._kept.pop(next(iter(self._kept)))
            self._kept[summary.segment] = read_leaves(self.folder, summary)
        return self._kept[summary.segment]


def build_tree(folder: Path, tail: Tail, key: SigningKey) -> Tree:
    """The tree of a ledger, its chain checked from the last summary to the sealed head; summaries that are missing are
    written, after all of them have been found to lead to that head.

    Raises:
        LedgerBroken: something does not hold; nothing was signed.
        LedgerError: a summary cannot be written.
    """
    closed: list[Summary] = []
    fresh: list[Summary] = []
    after = Head()
    for summary, new in _closed(folder, tail, key):
        closed.append(summary)
        fresh += [summary] if new else []
        after = summary.head
    leaves: list[bytes] = []
    if tail.offset:
        after = _walk_open(folder, tail, after, leaves)
    if after != tail.head:
        where = place_of(folder, tail.segment)
        raise LedgerBroken(f"record {after.seq} is not the one that the head names.", after.seq, file=where)
    for summary in fresh:
        write_summary(folder, summary, key)
    return Tree(folder, closed, tail.segment, leaves, tail.head)


def _closed(folder: Path, tail: Tail, key: SigningKey) -> Iterator[tuple[Summary, bool]]:
    """The summaries of the closed segments, each found to follow the one before, and whether it was made just now."""
    there = set(segment_numbers(folder))
    after = Head()
    for number in range(1, tail.segment):
        held = read_summary(folder, number, key.public)
        if number not in there and (held is None or held.removed is None):
            raise LedgerBroken(f"segment {number} is missing.", after.seq + 1, file=place_of(folder, number))
        summary = held or summarise(folder, number, after)
        if (summary.first, summary.prev) != (after.seq + 1, after.hash):
            raise LedgerBroken(
                f"segment {number} does not follow the one before it.", after.seq + 1, file=place_of(folder, number)
            )
        after = summary.head
        yield summary, held is None


def _walk_open(folder: Path, tail: Tail, after: Head, leaves: list[bytes]) -> Head:
    try:
        return walk_segment(folder, tail.segment, after, tail.offset, lambda _, more: leaves.extend(more))
    except FileNotFoundError as error:
        where = place_of(folder, tail.segment)
        raise LedgerBroken("the last segment is missing.", after.seq + 1, file=where) from error
