"""A text as units (lines and sentences) and their hashed n-grams; the trainer and the scorer share this file.

Characters in groups of 3, 4 and 5 and words in groups of 1, 2 and 3 are hashed into one table each. A window's
features are counts divided by the square root of their number, so that a score is a difference of running sums: a
chart of any length is read once, and every window in it costs two look-ups.
"""

import re
from dataclasses import dataclass
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from careplane.shield.folding import fold

CHARACTER_BITS = 18
WORD_BITS = 16
TABLE = (1 << CHARACTER_BITS) + (1 << WORD_BITS)
SHORTEST_UNIT = 12
LONGEST_UNIT = 400

_CHARACTER_SIZES = (3, 4, 5)
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_UNIT_END = re.compile(r"(?<=[.!?;])[\"')\]]*\s+|\n+|(?<=-->)|(?=<!--)")
_WORD = re.compile(r"[^\W\d_]+|\d+|[^\w\s]")
_DIGITS = re.compile(r"\d+")
_RUN = re.compile(r"(.)\1{3,}")

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Grams:
    """The hashed n-grams of a text: where each begins (unit of the text) and its place in the table, in order."""

    unit: Ints
    place: Ints


def units_of(text: str) -> list[str]:
    """The lines and sentences of a text; a very short one is joined to the one before, a very long one is cut."""
    found: list[str] = []
    for part in (piece.strip() for piece in _UNIT_END.split(text)):
        if not part:
            continue
        if found and len(part) < SHORTEST_UNIT and len(found[-1]) + len(part) < LONGEST_UNIT:
            found[-1] = f"{found[-1]} {part}"
        else:
            found.extend(part[i : i + LONGEST_UNIT] for i in range(0, len(part), LONGEST_UNIT))
    return found


def normal(text: str) -> str:
    """Folded, lower case, digits as ``0``, white space single, no character more than three times in a row."""
    plain = text.replace("_", " ").lower() if text.isascii() else fold(text).lower
    return _RUN.sub(r"\1\1\1", _DIGITS.sub("0", " ".join(plain.split())))


def characters(units: list[str]) -> Grams:
    """Character n-grams of normalised units, spaces at both ends included."""
    data = "".join(f" {unit} " for unit in units).encode("utf-8", "replace")
    codes = np.frombuffer(data, dtype=np.uint8).astype(np.uint64)
    lengths = np.array([len(f" {unit} ".encode("utf-8", "replace")) for unit in units], dtype=np.int64)
    owner = np.repeat(np.arange(len(units)), lengths)
    parts: list[tuple[Ints, Ints]] = []
    for size in _CHARACTER_SIZES:
        n = len(codes) - size + 1
        if n <= 0:
            continue
        hashed = np.full(n, size, dtype=np.uint64)
        for k in range(size):
            hashed = (hashed ^ codes[k : k + n]) * _MULTIPLIER
            hashed ^= hashed >> np.uint64(29)
        inside = owner[:n] == owner[size - 1 : size - 1 + n]
        place = (hashed >> np.uint64(64 - CHARACTER_BITS)).astype(np.int64)
        parts.append((owner[:n][inside], place[inside]))
    return _sorted(parts)


def words(units: list[str]) -> Grams:
    """Word n-grams of normalised units."""
    hashes: list[int] = []
    owners: list[int] = []
    for i, unit in enumerate(units):
        for word in _WORD.findall(f"^ {unit} $"):
            hashes.append(crc32(word.encode("utf-8", "replace")))
            owners.append(i)
    codes = np.array(hashes, dtype=np.uint64)
    owner = np.array(owners, dtype=np.int64)
    parts: list[tuple[Ints, Ints]] = []
    for size in (1, 2, 3):
        n = len(codes) - size + 1
        if n <= 0:
            continue
        hashed = np.full(n, size + 100, dtype=np.uint64)
        for k in range(size):
            hashed = (hashed ^ codes[k : k + n]) * _MULTIPLIER
            hashed ^= hashed >> np.uint64(29)
        inside = owner[:n] == owner[size - 1 : size - 1 + n]
        place = (hashed >> np.uint64(64 - WORD_BITS)).astype(np.int64) + (1 << CHARACTER_BITS)
        parts.append((owner[:n][inside], place[inside]))
    return _sorted(parts)


def _sorted(parts: list[tuple[Ints, Ints]]) -> Grams:
    if not parts:
        empty = np.zeros(0, dtype=np.int64)
        return Grams(empty, empty)
    unit = np.concatenate([owner for owner, _ in parts])
    place = np.concatenate([where for _, where in parts])
    order = np.argsort(unit, kind="stable")
    return Grams(unit[order], place[order])


def window_sums(grams: Grams, weights: NDArray[np.float32], count: int, width: int) -> NDArray[np.float32]:
    """For every window of ``width`` units (``count - width + 1`` of them): summed weight over the root of its n-grams.

    ``weights`` has a row per head; the answer has the same rows.
    """
    chosen = weights[:, grams.place].astype(np.float64)
    total = np.concatenate([np.zeros((len(weights), 1)), np.cumsum(chosen, axis=1)], axis=1)
    bounds = np.searchsorted(grams.unit, np.arange(count + 1))
    starts, ends = bounds[: count - width + 1], bounds[width:]
    sizes = np.maximum(ends - starts, 1)
    sums: NDArray[np.float32] = ((total[:, ends] - total[:, starts]) / np.sqrt(sizes)).astype(np.float32)
    return sums
