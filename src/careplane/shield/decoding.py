"""Reading through encodings: HTML entities, URL and quoted-printable encoding, escapes, base64, hexadecimal.

What is decoded here is only searched, never sent: the spans that are found lead back to the encoded stretch.
"""

import base64
import binascii
import html
import re
from collections.abc import Collection, Iterator
from functools import lru_cache
from typing import Any
from urllib.parse import unquote_to_bytes

import re2

from careplane.shield.folding import Folded, Offsets, rewrite

_CODES = r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z]{2,8}\d{0,2});|(?:%[0-9a-fA-F]{2})+|(?:=[0-9A-F]{2})+|\\u\{[0-9a-fA-F]{2,6}\}|\\u[0-9a-fA-F]{4}|\\x[0-9a-fA-F]{2}"  # noqa: E501
_HEX = r"\b(?:0x)?(?:[2-7][0-9a-fA-F][ :]?){3,}[2-7][0-9a-fA-F]\b"
_SIGN_64 = r"[A-Za-z0-9+/_-]"
_TURN = r"(?:[a-z][A-Z0-9]|[A-Z0-9]{2}[a-z]|[0-9][a-z])"
_MIXED = rf"{_SIGN_64}{{4,}}={{1,2}}|{_SIGN_64}{_TURN}{_SIGN_64}|{_TURN}{_SIGN_64}{{2}}|{_SIGN_64}{{2}}{_TURN}"
_BASE64 = rf"{_SIGN_64}*{_TURN}{_SIGN_64}*(?:=|%3[dD]){{0,2}}|{_SIGN_64}{{4,}}(?:=|%3[dD]){{1,2}}"
SIGNS = {"codes": _CODES, "hexadecimal": _HEX, "base64": _MIXED}
"""Signs that a text may hold something encoded, for the automaton; base64 shows by its mixture of letters."""
_UNITS = {"codes": _CODES, "hexadecimal": _HEX, "base64": _BASE64}
_CODE = r"(?:%[0-9a-fA-F]{2}|&#?\w{2,8};|=[0-9A-F]{2}|\\u[0-9a-fA-F]{4}|\\u\{[0-9a-fA-F]{2,6}\}|\\x[0-9a-fA-F]{2})+"
_BEFORE, _AFTER = re.compile(_CODE + "$"), re.compile(_CODE)
_LONGEST = 4_000_000
"""Base64 of more characters is a file, not a disguised identifier."""


def decoded(folded: Folded, signs: Collection[str]) -> tuple[str, Offsets] | None:
    """The plain text with what is encoded in it decoded, and the way back; nothing if there is nothing to decode.

    ``signs`` are those of :data:`SIGNS` that the text shows.
    """
    found = sorted(unit for sign in _UNITS if sign in signs for unit in _units(folded, sign))
    edits: list[tuple[int, int, str]] = []
    for start, end, new in found:
        if not edits or start >= edits[-1][1]:
            edits.append((start, end, new))
    return rewrite(folded.plain, edits) if edits else None


def _units(folded: Folded, sign: str) -> Iterator[tuple[int, int, str]]:
    decode = _DECODERS[sign]
    for unit in _compiled(sign).finditer(folded.octets):
        start, end = unit.span()
        new = decode(folded.plain[start:end])
        if new:
            yield start, end, new


@lru_cache(maxsize=3)
def _compiled(sign: str) -> Any:
    return re2.compile(_UNITS[sign].encode())  # type: ignore[no-untyped-call] # it has no types


def widened(text: str, start: int, end: int) -> tuple[int, int]:
    """A stretch together with the encoded signs that touch it, such as an encoded bracket of a phone number."""
    before, after = _BEFORE.search(text, max(0, start - 40), start), _AFTER.match(text, end, end + 40)
    return before.start() if before else start, after.end() if after else end


def _codes(unit: str) -> str:
    if unit[0] == "&":
        new = html.unescape(unit)
        return new if new != unit else ""
    if unit[0] == "\\":
        code = int(unit[2:].strip("{}"), 16)
        return chr(code) if code < 0xD800 or 0xDFFF < code < 0x110000 else ""
    return unquote_to_bytes(unit.replace("=", "%")).decode("utf-8", "replace")


def _hex(unit: str) -> str:
    digits = re.sub(r"[ :]", "", unit.removeprefix("0x"))
    return _readable(bytes.fromhex(digits)) if len(digits) % 2 == 0 else ""


def _base64(unit: str) -> str:
    bare = re.sub(r"(?:=|%3[dD])+$", "", unit).replace("-", "+").replace("_", "/")
    if not 4 <= len(bare) <= _LONGEST or len(bare) % 4 == 1:
        return ""
    try:
        return _readable(base64.b64decode(bare + "=" * (-len(bare) % 4)))
    except binascii.Error:
        return ""


def _readable(octets: bytes) -> str:
    """Text, if that is what the octets are."""
    try:
        text = octets.decode("utf-8")
    except UnicodeDecodeError:
        return ""
    return text if all(char.isprintable() or char in "\t\r\n" for char in text) else ""


_DECODERS = {"codes": _codes, "hexadecimal": _hex, "base64": _base64}
