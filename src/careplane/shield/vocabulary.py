"""What is known about single words: whether they are everyday words, names of people, names of towns.

The file ``words/lexicon.txt.gz`` is made by ``scripts/shield-lexicon`` from public lists and is read when first needed.
"""

import gzip
from enum import IntFlag
from functools import lru_cache
from importlib.resources import files


class Word(IntFlag):
    """What the public lists say about a word."""

    FREQUENT = 1
    COMMON = 2
    FIRST = 4
    LAST = 8
    USUAL = 16
    TOWN = 32
    OF_TOWN = 64


EVERYDAY = Word.FREQUENT | Word.COMMON
NAME = Word.FIRST | Word.LAST


@lru_cache(maxsize=1)
def vocabulary() -> dict[str, int]:
    """From a word in lower case, or a town's name of several words, to its flags."""
    lines = gzip.decompress(files(__package__).joinpath("words", "lexicon.txt.gz").read_bytes()).decode().split("\n")
    return {word: int(flags, 16) for word, _, flags in (line.partition("\t") for line in lines if line)}


@lru_cache(maxsize=1)
def everyday_words() -> frozenset[str]:
    """Words of ordinary English, among them those that are names as well (``will``, ``grant``)."""
    everyday = EVERYDAY.value
    return frozenset(word for word, flags in vocabulary().items() if flags & everyday)
