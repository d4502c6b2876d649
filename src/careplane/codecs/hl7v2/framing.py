"""MLLP release 1 blocks: 0x0B, the message, 0x1C 0x0D; a pure push parser of what a connection brings.

HL7 Transport Specification: MLLP, Release 1. Bytes come cut anywhere, several blocks come at once. What is no proper
block is given back with the reason, and reading goes on with the next 0x0B.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

START = b"\x0b"
END = b"\x1c\x0d"
MAX_BYTES = 16 * 1024 * 1024
KEPT_OF_LONG = 65_536
"""How much of a block that is too long is given back, to answer its sender."""

NO_START = "the start of the block (0x0B) is missing"
NO_RETURN = "0x1C is not followed by 0x0D"
_SPACE = re.compile(rb"[\r\n \t\x00]*")


@dataclass(frozen=True, slots=True)
class Block:
    """One block. ``broken`` says what is wrong with it, and is empty for a good one; ``whole`` is false if it was cut
    because it is too long."""

    data: bytes
    broken: str = ""
    whole: bool = True


class Blocks:
    """The blocks of one connection.

    Args:
        max_bytes: the longest message that is taken.
    """

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max = max_bytes
        self._held = bytearray()
        self._inside = False
        self._looked = 0
        self._skipping = False

    @property
    def begun(self) -> bool:
        """Whether a block has begun and not ended."""
        return bool(self._held) or self._inside or self._skipping

    def feed(self, data: bytes) -> Iterator[Block]:
        """Take bytes and give the blocks that end in them."""
        self._held += data
        while (block := self._next()) is not None:
            yield block

    def ended(self) -> Block | None:
        """What is held when no more bytes come, as a broken block; ``None`` for nothing."""
        held, inside = bytes(self._held), self._inside
        skipping = self._skipping
        self._reset()
        if skipping or not (held.strip(b"\r\n \t\x00") or inside):
            return None
        if not inside:
            return Block(held, NO_START)
        missing = NO_RETURN if held.endswith(b"\x1c") else "the end of the block (0x1C 0x0D) is missing"
        return Block(held.removesuffix(b"\x1c"), missing)

    def _reset(self) -> None:
        self._held.clear()
        self._inside, self._looked, self._skipping = False, 0, False

    def _next(self) -> Block | None:
        if self._skipping:
            return self._skip()
        return self._within() if self._inside else self._before()

    def _before(self) -> Block | None:
        """Look for a start; blanks between blocks are common and mean nothing."""
        space = _SPACE.match(self._held)
        del self._held[: space.end() if space else 0]
        start = self._held.find(START)
        if start == 0:
            del self._held[:1]
            self._inside, self._looked = True, 0
            return self._within()
        end = self._held.find(END)
        if start < 0 and end < 0:
            return self._too_long(NO_START) if len(self._held) > self._max else None
        if start < 0 or 0 <= end < start:
            return self._taken(end, end + 2, NO_START)
        return self._taken(start, start, NO_START)

    def _within(self) -> Block | None:
        """Look for an end; a start before it means that the end never came."""
        end = self._held.find(b"\x1c", self._looked)
        start = self._held.find(START, self._looked, end if end >= 0 else len(self._held))
        if start >= 0:
            self._inside = False
            return self._taken(start, start, "a new block begins before the end of this one (0x1C 0x0D)")
        if end < 0:
            self._looked = len(self._held)
            return self._too_long(f"longer than {self._max} bytes") if len(self._held) > self._max else None
        self._looked = end
        if end + 1 >= len(self._held):
            return None
        self._inside = False
        if end > self._max:
            return self._taken(end, end + 2, f"longer than {self._max} bytes", KEPT_OF_LONG)
        if self._held[end + 1] != 0x0D:
            return self._taken(end, end + 1, NO_RETURN)
        return self._taken(end, end + 2)

    def _taken(self, size: int, used: int, broken: str = "", most: int | None = None) -> Block:
        data = bytes(self._held[: size if most is None else most])
        del self._held[:used]
        self._looked = 0
        return Block(data, broken, whole=most is None)

    def _too_long(self, broken: str) -> Block:
        """Give the head back, and drop what follows up to the end of the block."""
        data = bytes(self._held[:KEPT_OF_LONG])
        tail = self._held[-1:]
        self._reset()
        self._held += tail if tail == b"\x1c" else b""
        self._skipping = True
        return Block(data, broken, whole=False)

    def _skip(self) -> Block | None:
        end, start = self._held.find(END), self._held.find(START)
        if end >= 0 and not 0 <= start < end:
            del self._held[: end + 2]
        elif start >= 0:
            del self._held[:start]
        else:
            del self._held[: max(len(self._held) - 1, 0)]
            return None
        self._skipping, self._looked = False, 0
        return self._next()


def block(data: bytes) -> bytes:
    """A message as it travels."""
    return START + data + END
