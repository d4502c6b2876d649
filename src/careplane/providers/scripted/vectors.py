"""Vectors without a model: each word adds a sign at a place that its hash names, so texts that share words are near."""

import hashlib
import math
import re

DIMENSIONS = 64
_WORD = re.compile(r"\w+")


def vector(text: str, dimensions: int = DIMENSIONS) -> list[float]:
    """A vector of length 1; the same text always has the same one."""
    found = [0.0] * dimensions
    for word in _WORD.findall(text.lower()) or [""]:
        digest = hashlib.sha256(word.encode()).digest()
        found[int.from_bytes(digest[:4], "big") % dimensions] += 1.0 if digest[4] & 1 else -1.0
    length = math.sqrt(sum(number * number for number in found))
    if length == 0.0:  # words that cancel out
        found[0], length = 1.0, 1.0
    return [number / length for number in found]
