"""How one message is written: its separators and its character set, and the escape sequences that follow from them.

HL7 v2 section 2.5.4 (message delimiters) and 2.7 (use of escape sequences in text fields).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from re import Match, Pattern

_KNOWN = (
    r"[FSRTEPHN]|X(?:[0-9A-Fa-f]{2})+|C[0-9A-Fa-f]{4}|M[0-9A-Fa-f]{4}(?:[0-9A-Fa-f]{2})?|Z[^%s]*"
    r"|\.(?:br|fi|nf|ce|sp\+?\d{0,2}|sk\+?\d{1,3}|in[+-]?\d{1,3}|ti[+-]?\d{1,3})"
)
_MAX_LINES = 20


@dataclass(frozen=True, slots=True)
class Encoding:
    """Separators of a message as MSH-1 and MSH-2 declare them, and the Python codec of its text.

    ``truncation`` is empty before version 2.7.
    """

    field: str = "|"
    component: str = "^"
    repetition: str = "~"
    escape: str = "\\"
    subcomponent: str = "&"
    truncation: str = ""
    codec: str = "utf-8"

    @property
    def characters(self) -> str:
        """MSH-2 as it is written."""
        return f"{self.component}{self.repetition}{self.escape}{self.subcomponent}{self.truncation}"

    @property
    def codes(self) -> dict[str, str]:
        """The escape sequence of each separator, without the escape characters around it."""
        codes = {
            self.escape: "E",
            self.field: "F",
            self.component: "S",
            self.repetition: "R",
            self.subcomponent: "T",
        }
        return {**codes, self.truncation: "P"} if self.truncation else codes


def unescape(text: str, encoding: Encoding) -> str:
    r"""The text that a leaf of a message means.

    ``\F\ \S\ \R\ \T\ \E\ \P\`` are separators, ``\Xdd..\`` bytes in the message's character set, ``\.br\``, ``\.sp\``
    and ``\.ce\`` line breaks, other formatting and ``\H\ \N\`` nothing. A sequence that is local (``\Z..\``), switches
    the character set (``\C..\ \M..\``), is unknown or not ended stays as it is written: nothing of a text is lost.
    """
    if encoding.escape not in text:
        return text
    return _pattern(encoding.escape).sub(_meaning(encoding), text)


def escape(text: str, encoding: Encoding) -> str:
    """The text as it may stand in a leaf of a message; line breaks become ``.br``."""
    mark, codes = encoding.escape, encoding.codes
    codes = {**codes, "\n": ".br"}
    whole = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(f"{mark}{codes[one]}{mark}" if one in codes else one for one in whole)


def is_well_escaped(text: str, encoding: Encoding) -> bool:
    """Whether every escape character of a leaf belongs to a sequence that HL7 knows, and its bytes are text."""
    if encoding.escape not in text:
        return True
    pattern, meaning = _pattern(encoding.escape), _meaning(encoding)
    if encoding.escape in pattern.sub("", text):
        return False
    return all(match[1][0] != "X" or meaning(match) != match[0] for match in pattern.finditer(text))


@lru_cache(maxsize=64)
def _pattern(mark: str) -> Pattern[str]:
    quoted = re.escape(mark)
    return re.compile(f"{quoted}({_KNOWN % quoted}){quoted}")


@lru_cache(maxsize=64)
def _meaning(encoding: Encoding) -> Callable[[Match[str]], str]:
    separators = {code: one for one, code in encoding.codes.items()}

    def meaning(match: Match[str]) -> str:
        code = match[1]
        if code in separators:
            return separators[code]
        if code[0] == "X":
            return _decoded(code[1:], encoding.codec) or match[0]
        if code[0] == ".":
            return _formatted(code)
        return "" if code in ("H", "N") else match[0]

    return meaning


def _decoded(digits: str, codec: str) -> str:
    try:
        return bytes.fromhex(digits).decode(codec)
    except UnicodeDecodeError:
        return ""


def _formatted(code: str) -> str:
    if code in (".br", ".ce"):
        return "\n"
    if code.startswith(".sp"):
        return "\n" * min(int(code[3:].lstrip("+") or "1"), _MAX_LINES)
    return ""
