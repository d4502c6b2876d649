"""What a text hides: Base64, hexadecimal, percent and HTML encoding, spaced or reversed letters, digits for letters."""

import base64
import binascii
import re
from codecs import decode
from collections.abc import Iterator
from html import unescape
from urllib.parse import unquote

from careplane.shield.folding import fold

_BASE64 = re.compile(r"(?<![\w+/=-])[A-Za-z0-9+/_-]{16,}={0,2}(?![\w+/=])")
_HEX = re.compile(r"(?<![\w])(?:[0-9a-fA-F]{2}[\s:]?){10,}(?![\w])")
_ESCAPES = re.compile(r"(?:\\x[0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}){4,}")
_SPACED = re.compile(r"(?<!\w)(?:\w[ .\-_*|]{1,3}){6,}\w(?!\w)")
_LEET = str.maketrans("013457@$!|", "oieastasil")
_LEET_WORD = re.compile(r"\b(?=[^\W\d_]*[0-9@$!])(?=\w*[a-z])[\w@$!]{4,}", re.IGNORECASE)
_LOOKALIKES = str.maketrans("аеорсухіјѕԁһɡոԛԝνωАВЕКМНОРСТХІЈЅ", "aeopcyxijsdhgnqwvwABEKMHOPCTXIJS")
_LONGEST = 20_000
_COMMON = re.compile(
    r"\b(?:the|and|you|your|all|ignore|instructions?|system|prompt|show|reveal|rules|previous|patient)\b", re.I
)


def views(text: str) -> Iterator[str]:
    """The text itself (look-alike letters and unseen characters undone), then each way of reading it that says more."""
    plain = text if text.isascii() or len(text) > _LONGEST else fold(text).raw
    first = text.translate(_LOOKALIKES)
    yield first
    seen = {first}
    for hidden in _hidden(text[:_LONGEST], plain):
        if hidden and hidden not in seen:
            seen.add(hidden)
            yield hidden


def _hidden(text: str, plain: str) -> Iterator[str]:
    decoded = unescape(unquote(text))
    if decoded != text:
        yield decoded
    yield "\n".join(_texts_in_base64(text))
    yield "\n".join(_texts_in_hex(text))
    if _ESCAPES.search(text):
        yield _ESCAPES.sub(lambda found: decode(found.group(), "unicode_escape"), text)
    spaced = _SPACED.findall(plain)
    if spaced:
        yield "\n".join(_unspaced(part) for part in spaced)
    if len(_LEET_WORD.findall(plain)) >= 2:
        yield _LEET_WORD.sub(lambda found: found.group().translate(_LEET), plain)
    for turned in (plain[::-1], decode(plain, "rot13")):
        if len(_COMMON.findall(turned)) > max(1, len(_COMMON.findall(plain))):
            yield turned


def _texts_in_base64(text: str) -> Iterator[str]:
    for found in _BASE64.finditer(text):
        body = found.group().rstrip("=").replace("-", "+").replace("_", "/")
        try:
            yield _readable(base64.b64decode(body + "=" * (-len(body) % 4)))
        except binascii.Error:
            continue


def _texts_in_hex(text: str) -> Iterator[str]:
    for found in _HEX.finditer(text):
        yield _readable(bytes.fromhex(re.sub(r"[\s:]", "", found.group())))


def _readable(data: bytes) -> str:
    """The bytes as text when they are text, else nothing."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return ""
    printable = sum(char.isprintable() or char.isspace() for char in text)
    return text if text and printable == len(text) and " " in text.strip() else ""


def _unspaced(text: str) -> str:
    """``i g n o r e   a l l`` as ``ignore all``: wider gaps are the spaces."""
    gaps = re.findall(r"(?<=\w)[ .\-_*|]+(?=\w)", text)
    narrow = min(gaps, key=len)
    if all(len(gap) == len(narrow) for gap in gaps):
        return re.sub(r"[ .\-_*|]+", "", text)
    return " ".join(re.sub(r"[ .\-_*|]", "", part) for part in re.split(r"[ .\-_*|]{2,}", text))
