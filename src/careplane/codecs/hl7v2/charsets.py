"""The character sets of MSH-18 (HL7 table 0211) and what they are called in Python.

Bytes are never guessed at: a message that does not decode in the set that it declares is refused, because a name that
was read in the wrong set is a wrong name in the chart. Two things are certain enough to go by: a byte-order mark, and
UTF-8 where nothing is declared (ASCII, which HL7 then assumes, is a part of it).
"""

import codecs
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from careplane.errors import MessageError

DEFAULT = "UNICODE UTF-8"

CODECS: Mapping[str, str] = MappingProxyType(
    {
        "ASCII": "ascii",
        "ISO IR6": "ascii",
        "8859/1": "iso8859_1",
        "8859/2": "iso8859_2",
        "8859/3": "iso8859_3",
        "8859/4": "iso8859_4",
        "8859/5": "iso8859_5",
        "8859/6": "iso8859_6",
        "8859/7": "iso8859_7",
        "8859/8": "iso8859_8",
        "8859/9": "iso8859_9",
        "8859/15": "iso8859_15",
        "ISO IR14": "iso2022_jp_1",
        "ISO IR87": "iso2022_jp_1",
        "ISO IR159": "iso2022_jp_1",
        "GB 18030-2000": "gb18030",
        "KS X 1001": "euc_kr",
        "BIG-5": "big5",
        "UNICODE": "utf-8",
        "UNICODE UTF-8": "utf-8",
        "UNICODE UTF-16": "utf-16",
        "UNICODE UTF-32": "utf-32",
    }
)
"""Names of the table, and the codec of each; CNS 11643-1992 has none in Python and is refused."""

_ALIASES = MappingProxyType(
    {
        "UTF-8": "UNICODE UTF-8",
        "UTF8": "UNICODE UTF-8",
        "UNICODE UTF8": "UNICODE UTF-8",
        "US-ASCII": "ASCII",
        "ISO-8859-1": "8859/1",
        "ISO8859-1": "8859/1",
        "ISO 8859-1": "8859/1",
        "ISO_IR 6": "ISO IR6",
        "ISO IR 6": "ISO IR6",
        "ISO_IR 100": "8859/1",
        "ISO IR100": "8859/1",
        "ISO_IR 192": "UNICODE UTF-8",
        "ISO IR192": "UNICODE UTF-8",
        "ISO IR 87": "ISO IR87",
        "ISO IR 14": "ISO IR14",
        "ISO IR 159": "ISO IR159",
    }
)
"""Spellings of other standards (IANA, DICOM) that interfaces send in MSH-18."""

_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


@dataclass(frozen=True, slots=True)
class Charset:
    """A codec, and the name of table 0211 by which the message or the caller chose it."""

    codec: str
    name: str


def without_mark(data: bytes) -> tuple[bytes, str | None]:
    """The bytes after a byte-order mark, and the codec that it names; ``None`` without one."""
    for mark, codec in _MARKS:
        if data.startswith(mark):
            return data[len(mark) :], codec
    return data, None


def find_charset(declared: str, repetition: str, default: str = DEFAULT) -> Charset:
    """The character set of a message by its MSH-18, whose repetitions ``repetition`` separates.

    The first repetition is the set of the whole message; where it is empty and others follow (``~ISO IR87``), the
    others are reached by escape sequences of ISO 2022 and decide. A message that mixes sets which no codec joins is
    read in the first.

    Raises:
        MessageError: a name that is not of the table, or a set that Python does not have (code 103, MSH-18).
    """
    names = [_known(name) for name in declared.split(repetition)] if declared else []
    japanese = next((name for name in names if CODECS.get(name) == "iso2022_jp_1"), None)
    first = japanese or next(filter(None, names), None) or _known(default)
    return Charset(CODECS[first], first)


def _known(name: str) -> str:
    plain = name.strip().upper()
    plain = _ALIASES.get(plain, plain)
    if plain and plain not in CODECS:
        listed = ", ".join(CODECS)
        raise MessageError(
            f"the character set is none of HL7 table 0211 that can be read; known: {listed}",
            103,
            line=1,
            segment="MSH",
            number=18,
        )
    return plain
