"""Merkle trees of RFC 9162, section 2.1 (those of RFC 6962): roots, proofs, and checks that need nothing else.

Hashes are SHA-256, 32 bytes. A leaf is hashed behind a zero byte, a pair of nodes behind a one. ``D[a:b]`` are the
leaves a to b-1, counted from 0.
"""

import hashlib
from collections.abc import Callable, Sequence

_sha256 = hashlib.sha256

EMPTY = _sha256(b"").digest()
"""Root of the tree without leaves."""

Node = tuple[int, bytes]
"""A perfect subtree: its level (0 is a leaf) and its hash."""

Subtree = Callable[[int, int], bytes]
"""The root of ``D[a:b]``."""


def leaf_hash(data: bytes) -> bytes:
    """The hash of a leaf."""
    return _sha256(b"\0" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash over two nodes."""
    return _sha256(b"\1" + left + right).digest()


class Frontier:
    """The fewest perfect subtrees that cover ``D[begin:end]``, left to right; grows at its end.

    Two frontiers that meet can be joined, so a tree of any size is known from the frontiers of its parts.
    """

    def __init__(self, begin: int = 0, nodes: Sequence[Node] = ()) -> None:
        self.begin = begin
        self.end = begin
        self._stack: list[tuple[int, int, bytes]] = []
        for level, value in nodes:
            self._push(level, value)

    @property
    def nodes(self) -> tuple[Node, ...]:
        """The subtrees, left to right."""
        return tuple((level, value) for _, level, value in self._stack)

    def extend(self, leaves: Sequence[bytes]) -> None:
        """Add leaf hashes."""
        for level, value in _cover(self.end, leaves):
            self._push(level, value)

    def join(self, following: "Frontier") -> None:
        """Add the subtrees of a frontier that begins where this one ends."""
        for level, value in following.nodes:
            self._push(level, value)

    def root(self) -> bytes:
        """The root over all leaves; defined where ``begin`` is 0 or a multiple of a power of two that is no less than
        the number of leaves."""
        if not self._stack:
            return EMPTY
        value = self._stack[-1][2]
        for _, _, left in reversed(self._stack[:-1]):
            value = node_hash(left, value)
        return value

    def _push(self, level: int, value: bytes) -> None:
        stack, start = self._stack, self.end
        self.end += 1 << level
        while stack and stack[-1][1] == level and stack[-1][0] % (2 << level) == 0:
            start, _, left = stack.pop()
            value, level = node_hash(left, value), level + 1
        stack.append((start, level, value))


def _cover(begin: int, leaves: Sequence[bytes]) -> list[Node]:
    """The perfect subtrees over leaves that start at ``begin``, level by level, because that is quick."""
    left: list[Node] = []
    right: list[Node] = []
    row, level = leaves, 0
    while row:
        if begin & 1:
            left.append((level, row[0]))
            row, begin = row[1:], begin + 1
        if len(row) & 1:
            right.append((level, row[-1]))
            row = row[:-1]
        row = [_sha256(b"\1" + one + other).digest() for one, other in zip(row[::2], row[1::2], strict=True)]
        begin, level = begin >> 1, level + 1
    return left + right[::-1]


def root_of(leaves: Sequence[bytes]) -> bytes:
    """The root over leaf hashes."""
    frontier = Frontier()
    frontier.extend(leaves)
    return frontier.root()


def inclusion_path(index: int, size: int, subtree: Subtree) -> list[bytes]:
    """The audit path of leaf ``index`` in the tree of ``size`` leaves, from the leaf upwards (section 2.1.3.1)."""
    path: list[bytes] = []
    low, high = 0, size
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            path.append(subtree(middle, high))
            high = middle
        else:
            path.append(subtree(low, middle))
            low = middle
    return path[::-1]


def consistency_path(old: int, new: int, subtree: Subtree) -> list[bytes]:
    """The proof that the tree of ``old`` leaves is the beginning of that of ``new`` (section 2.1.4.1)."""
    path: list[bytes] = []
    low, high, whole = 0, new, True
    while 0 < old < high:
        middle = low + _split(high - low)
        if old <= middle:
            path.append(subtree(middle, high))
            high = middle
        else:
            path.append(subtree(low, middle))
            low, whole = middle, False
    if old and not whole:
        path.append(subtree(low, high))
    return path[::-1]


def _split(size: int) -> int:
    """The largest power of two that is smaller than ``size``."""
    return 1 << ((size - 1).bit_length() - 1)


def includes(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Whether a path shows the leaf hash at ``index`` of the tree with this size and root (section 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    place, last, value = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            return False
        if place & 1 or place == last:
            value = node_hash(sibling, value)
            while place and not place & 1:
                place, last = place >> 1, last >> 1
        else:
            value = node_hash(value, sibling)
        place, last = place >> 1, last >> 1
    return last == 0 and value == root


def extends(old: int, new: int, path: Sequence[bytes], old_root: bytes, new_root: bytes) -> bool:
    """Whether a path shows that the tree of ``new`` leaves begins with that of ``old`` (section 2.1.4.2)."""
    if not 0 <= old <= new:
        return False
    if old in (0, new):
        return not path and (old_root == new_root if old else old_root == EMPTY)
    steps = list(path)
    if old & (old - 1) == 0:
        steps.insert(0, old_root)
    if not steps:
        return False
    place, last = old - 1, new - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    of_old = of_new = steps[0]
    for step in steps[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            of_old, of_new = node_hash(step, of_old), node_hash(step, of_new)
            while place and not place & 1:
                place, last = place >> 1, last >> 1
        else:
            of_new = node_hash(of_new, step)
        place, last = place >> 1, last >> 1
    return last == 0 and of_old == old_root and of_new == new_root
