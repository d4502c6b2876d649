"""Random numbers of the operating system, drawn in blocks: a system call for each would make the calls of all threads
wait for one another. Nothing is derived from anything, and a block is forgotten when a process forks."""

import os
import threading
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

_BLOCK = 4096
_TAKEN = 8


class _Source:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._block = b""
        self._at = 0

    def below(self, limit: int) -> int:
        with self._lock:
            if self._at + _TAKEN > len(self._block):
                self._block, self._at = os.urandom(_BLOCK), 0
            drawn = self._block[self._at : self._at + _TAKEN]
            self._at += _TAKEN
        return int.from_bytes(drawn, "big") % limit


_source = _Source()


def _afresh() -> None:
    global _source
    _source = _Source()


os.register_at_fork(after_in_child=_afresh)


def below(limit: int) -> int:
    """A number from 0 to ``limit`` - 1, for limits far below 2**64 (the bias is under ``limit`` / 2**64)."""
    return _source.below(limit)


def choice(given: Sequence[T]) -> T:
    """One of a sequence."""
    return given[_source.below(len(given))]
