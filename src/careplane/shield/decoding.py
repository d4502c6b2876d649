"""Reading through encodings: HTML entities, URL and quoted-printable encoding, escapes, base64, hexadecimal.

What is decoded here is only searched, never sent: the spans that are found lead back to the encoded stretch.
"""

import base64
import binascii
import html
import re
from collections.abc import Iterator
from urllib.parse import unquote_to_bytes

from careplane.shield.folding import Offsets, rewrite

ENCODED = (
    r"(?i)&(?:#\d{1,7}|#x[0-9a-f]{1,6}|[a-z]{2,8}\d{0,2});|%[0-9a-f]{2}|=[0-9A-F]{2}|\\(?:u\{?[0-9a-f]{2,6}|x[0-9a-f]{2})",
    r"[A-Za-z0-9+/_-]{6,}={1,2}|[A-Za-z0-9+/_-]{2,}(?:[a-z][A-Z0-9]|[A-Z0-9][A-Z][a-z0-9]|[0-9][A-Za-z])[A-Za-z0-9+/_-]{2,}",
    r"(?i)\b(?:0x)?(?:[2-7][0-9a-f][ :]?){6,}",
)
"""Signs that a text may hold something encoded, for the automaton."""
_UNIT = re.compile(
    r"(?P<entity>&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z]{2,8}\d{0,2});)"
    r"|(?P<percent>(?:%[0-9a-fA-F]{2})+)"
    r"|(?P<quoted>(?:=[0-9A-F]{2})+)"
    r"|(?P<escape>\\u\{[0-9a-fA-F]{2,6}\}|\\u[0-9a-fA-F]{4}|\\x[0-9a-fA-F]{2})"
    r"|(?P<hex>\b(?:0x)?(?:[2-7][0-9a-fA-F][ :]?){5,}[2-7][0-9a-fA-F]\b)"
    r"|(?P<base64>(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{6,}(?:=|%3[dD]){0,2})"
)
_BEFORE = re.compile(r"(?:%[0-9a-fA-F]{2}|&#?\w{2,8};|=[0-9A-F]{2})+$")
_AFTER = re.compile(r"(?:%[0-9a-fA-F]{2}|&#?\w{2,8};|=[0-9A-F]{2})+")
_LONGEST = 100_000
"""Base64 of more characters is a file, not a disguised identifier."""


def decoded(text: str) -> tuple[str, Offsets] | None:
    """The text with what is encoded in it decoded, and the way back; nothing if there is nothing to decode."""
    edits = list(_edits(text))
    return rewrite(text, edits) if edits else None


def widened(text: str, start: int, end: int) -> tuple[int, int]:
    """A stretch together with the encoded signs that touch it, such as an encoded bracket of a phone number."""
    before, after = _BEFORE.search(text, max(0, start - 24), start), _AFTER.match(text, end, end + 24)
    return before.start() if before else start, after.end() if after else end


def _edits(text: str) -> Iterator[tuple[int, int, str]]:
    for unit in _UNIT.finditer(text):
        new = _DECODERS[str(unit.lastgroup)](unit[0])
        if new and new != unit[0]:
            yield unit.start(), unit.end(), new


def _percent(unit: str) -> str:
    return unquote_to_bytes(unit).decode("utf-8", "replace")


def _quoted(unit: str) -> str:
    return unquote_to_bytes(unit.replace("=", "%")).decode("utf-8", "replace")


def _escape(unit: str) -> str:
    code = int(unit[2:].strip("{}"), 16)
    return chr(code) if code < 0xD800 or 0xDFFF < code < 0x110000 else ""


def _hex(unit: str) -> str:
    digits = re.sub(r"[ :]", "", unit.removeprefix("0x"))
    return _readable(bytes.fromhex(digits)) if len(digits) % 2 == 0 else ""


def _base64(unit: str) -> str:
    bare = re.sub(r"(?:=|%3[dD])+$", "", unit).replace("-", "+").replace("_", "/")
    if len(bare) % 4 == 1 or len(bare) > _LONGEST:
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


_DECODERS = {
    "entity": html.unescape,
    "percent": _percent,
    "quoted": _quoted,
    "escape": _escape,
    "hex": _hex,
    "base64": _base64,
}
