"""How many parts a text message is sent in (3GPP TS 23.038, 23.040).

A text whose characters are all in the GSM 7-bit default alphabet (or its extension table, where a character counts two)
has 160 septets in one part or 153 in each of several; any other text is UCS-2 with 70 UTF-16 units or 67 each. A
character is never cut in two: neither an escaped one nor a surrogate pair.
"""

from collections.abc import Iterator
from typing import Literal, NamedTuple

BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
"""The default alphabet, without the escape character, which is no letter of a text."""

EXTENSION = frozenset("\f^{}\\[~]|€")

_LOOKALIKES = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "—": "-", "…": "...", "\u00a0": " "})


class Parts(NamedTuple):
    """The alphabet of a text, its length in units of that alphabet, and in how many parts it is sent."""

    alphabet: Literal["GSM-7", "UCS-2"]
    units: int
    parts: int


def parts_of(text: str) -> Parts:
    """The parts that a text is sent in; an empty text has one."""
    gsm = all(character in BASIC or character in EXTENSION for character in text)
    sizes = list(_septets(text) if gsm else _code_units(text))
    whole, part = (160, 153) if gsm else (70, 67)
    total = sum(sizes)
    return Parts("GSM-7" if gsm else "UCS-2", total, 1 if total <= whole else _filled(sizes, part))


def plainer(text: str) -> str:
    """The text with typographic quotes, dashes and dots as plain ones, which often keeps it in the 7-bit alphabet."""
    return text.translate(_LOOKALIKES)


def _septets(text: str) -> Iterator[int]:
    return (2 if character in EXTENSION else 1 for character in text)


def _code_units(text: str) -> Iterator[int]:
    return (2 if ord(character) > 0xFFFF else 1 for character in text)


def _filled(sizes: list[int], room: int) -> int:
    parts, used = 1, 0
    for size in sizes:
        if used + size > room:
            parts, used = parts + 1, 0
        used += size
    return parts
