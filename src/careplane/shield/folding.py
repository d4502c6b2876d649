# ruff: noqa: E501 - the tables of look-alike letters
"""Folding text for matching while keeping the exact place of every character.

Three forms of one text, each with its way back to the original:

- *plain*: compatibility forms become simple (NFKD without combining marks, so ``José`` is ``Jose`` and full-width is
  narrow), look-alike letters of other scripts become Latin, and invisible characters vanish. Most texts are ASCII, for
  which this is the text itself.
- *canonical*: what known identifiers are matched on. Lower case, every run of anything but letters and digits is one
  space, and one space stands at either end, so a key with a space at either end matches whole words only.
- *octets*: what patterns are matched on. As long as the plain text, one ASCII byte for each character.
"""

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Collection, Iterable
from functools import lru_cache
from itertools import accumulate

_PLAIN = bytes(range(0x20, 0x7F)) + b"\t\n\r"
_ODD_RUN = re.compile(r"[^\t\n\r -~]+")
_SPACED = bytes(
    code | 0x20 if 0x41 <= code <= 0x5A else code if 0x61 <= code <= 0x7A or 0x30 <= code <= 0x39 else 0x20
    for code in range(256)
)
_LINES = b"\x00" + _SPACED[1:]
_GAP = re.compile(r" {2,}")
_SPACE = re.compile(r"\s+")
_BREAKS = re.compile(r"[\W_]+")

_LOOK_ALIKES = (
    ("\u0430\u0435\u0451\u043e\u0440\u0441\u0443\u0445\u0456\u0458\u0455\u0501\u051b\u051d\u04bb\u04cf", "aeeopcyxijsdqwhl"),
    ("\u0432\u043a\u043c\u043d\u0442\u0433\u043f\u044c\u0437\u0493", "bkmhtrnb3f"),
    ("\u0410\u0412\u0415\u0401\u041a\u041c\u041d\u041e\u0420\u0421\u0422\u0423\u0425\u0406\u0408\u0405\u0417", "ABEEKMHOPCTYXIJS3"),
    ("\u03b1\u03b2\u03b3\u03b5\u03b7\u03b9\u03ba\u03bd\u03bf\u03c1\u03c4\u03c5\u03c7\u03c9\u03f2\u03f3", "abyenikvoptuxwcj"),
    ("\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7\u03f9\u037f", "ABEZHIKMNOPTYXCJ"),
    ("\u0131\u0142\u0141\u00f8\u00d8\u0111\u0110\u00f0\u00d0\u0127\u0126\u0167\u0166\u0180\u0237\u0251\u0261\u026a\u0578\u057d\u0585", "ilLoOdDdDhHtTbjagInuo"),
    ("\u1d00\u0299\u1d04\u1d05\u1d07\u0262\u029c\u1d0a\u1d0b\u029f\u1d0d\u0274\u1d0f\u1d18\u0280\ua731\u1d1b\u1d1c\u1d20\u1d21\u028f\u1d22", "ABCDEGHJKLMNOPRSTUVWYZ"),
    ("\u2018\u2019\u02bc\u02bb\u02b9\u00b4\u201b", "'''''''"),
    ("\u2212\u2043\u00b7", "--."),
)  # fmt: skip
"""Letters of other scripts that look like Latin ones: Cyrillic, Greek, Latin with strokes, Armenian, small capitals."""
_SINGLE = {look: plain for looks, plains in _LOOK_ALIKES for look, plain in zip(looks, plains, strict=True)}
_SEVERAL = {"\u00df": "ss", "\u1e9e": "SS", "\u00e6": "ae", "\u00c6": "AE", "\u0153": "oe", "\u0152": "OE", "\u00fe": "th", "\u00de": "Th"}  # fmt: skip
_BLANK = frozenset("\u115f\u1160\u3164\uffa0")


class Offsets:
    """The way back from a derived text to the text that it was derived from, as pieces.

    Piece ``i`` begins at ``starts[i]`` of the derived text. It stands for the source from ``begins[i]`` on, character
    by character, or (``ends[i]`` is not 0) each of its characters stands for the whole of ``begins[i]:ends[i]``.
    """

    __slots__ = ("begins", "ends", "starts")

    def __init__(self) -> None:
        self.starts = [0]
        self.begins = [0]
        self.ends = [0]

    def piece(self, start: int, begin: int, end: int = 0) -> None:
        """Add a piece; one that would be empty is replaced."""
        if self.starts[-1] == start:
            self.begins[-1], self.ends[-1] = begin, end
            return
        self.starts.append(start)
        self.begins.append(begin)
        self.ends.append(end)

    def source(self, start: int, end: int) -> tuple[int, int]:
        """The place in the source of a stretch of the derived text that is not empty."""
        starts = self.starts
        if len(starts) == 1:
            return start + self.begins[0], end + self.begins[0]
        i, j = bisect_right(starts, start) - 1, bisect_right(starts, end - 1) - 1
        first = self.begins[i] if self.ends[i] else self.begins[i] + start - starts[i]
        return first, self.ends[j] or self.begins[j] + end - starts[j]


def rewrite(text: str, edits: Iterable[tuple[int, int, str]]) -> tuple[str, Offsets]:
    """A text with stretches (in order, apart) replaced, and the way back.

    A replacement as long as its stretch stands for it character by character, any other for the whole of it.
    """
    out: list[str] = []
    offsets = Offsets()
    at = length = 0
    for start, end, new in edits:
        out += (text[at:start], new)
        length += start - at
        if len(new) != end - start:
            if new:
                offsets.piece(length, start, end)
            offsets.piece(length + len(new), end)
        length += len(new)
        at = end
    out.append(text[at:])
    return "".join(out), offsets


class Folded:
    """A text in its three forms."""

    __slots__ = ("_gaps", "_offsets", "_spaced", "canonical", "octets", "original", "plain", "words")

    def __init__(self, text: str) -> None:
        """Fold a text."""
        self.original = text
        self._offsets: Offsets | None = None
        if text.isascii() and not text.encode().translate(None, _PLAIN):
            self.plain = text
        else:
            self.plain, self._offsets = rewrite(text, _odd(text))
        self.octets = self.plain.encode("ascii", "replace")
        if self.plain.isascii():
            spaced = self.octets.translate(_SPACED).decode("ascii")
        else:
            spaced = _BREAKS.sub(lambda run: " " * len(run[0]), _lower(self.plain))
        self.words = spaced.split()
        self.canonical = f" {' '.join(self.words)} "
        self._spaced = spaced
        self._gaps: Offsets | None = None

    def place(self, start: int, end: int) -> tuple[int, int]:
        """The place in the original of ``plain[start:end]`` (not empty); octets count alike."""
        if self._offsets is None:
            return start, end
        first, last = self._offsets.source(start, end)
        while last < len(self.original) and self.original[last] > "\x7f" and not fold_character(self.original[last]):
            last += 1
        return first, last

    def disguised(self, start: int, end: int) -> bool:
        """Whether the original writes ``plain[start:end]`` with other signs: invisible ones, look-alikes, wide letters."""
        if self._offsets is None:
            return False
        first, last = self._offsets.source(start, end)
        return self.original[first:last] != self.plain[start:end]

    def spot(self, start: int, end: int) -> tuple[int, int]:
        """The place in the plain form of ``canonical[start:end]``, which neither starts nor ends with a space."""
        if self._gaps is None:
            self._gaps = _gaps(self._spaced)
        return self._gaps.source(start, end)


def _gaps(spaced: str) -> Offsets:
    """From the canonical form to the plain one: only runs of two and more spaces make a difference."""
    offsets = Offsets()
    lead = len(spaced) - len(spaced.lstrip(" "))
    gaps = [gap.span() for gap in _GAP.finditer(spaced, lead)]
    shifts = accumulate((end - start - 1 for start, end in gaps), initial=lead - 1)
    offsets.starts = [0, *(start + 1 - shift for (start, _), shift in zip(gaps, shifts, strict=False))]
    offsets.begins = [lead - 1, *(end for _, end in gaps)]  # the canonical form begins with a space of its own
    offsets.ends = [0] * len(offsets.starts)
    return offsets


def _odd(text: str) -> Iterable[tuple[int, int, str]]:
    for run in _ODD_RUN.finditer(text):
        for at, char in enumerate(run[0], run.start()):
            yield at, at + 1, fold_character(char)


class Flat:
    """A text as one line: its plain form with every run of white space as one space.

    ``raw`` keeps underscores, in ``text`` and its lower-case form ``lower`` each is a space. All three are of one length.
    """

    __slots__ = ("_folded", "_offsets", "lower", "raw", "text")

    def __init__(self, text: str) -> None:
        """Fold a text."""
        self._folded = Folded(text)
        runs = ((*run.span(), " ") for run in _SPACE.finditer(self._folded.plain) if run[0] != " ")
        self.raw, self._offsets = rewrite(self._folded.plain, runs)
        self.text = self.raw.replace("_", " ")
        self.lower = _lower(self.text)

    def original(self, start: int, end: int) -> tuple[int, int]:
        """The place in the original of ``text[start:end]`` (not empty)."""
        return self._folded.place(*self._offsets.source(start, end))


def fold(text: str) -> Flat:
    """The text as one line in plain form."""
    return Flat(text)


def fold_key(text: str) -> str:
    """The flat, lower-case form of a short text, without outer space."""
    return Flat(text).lower.strip()


@lru_cache(maxsize=4096)
def fold_character(char: str) -> str:
    """The plain form of a character that is not printable ASCII; empty when it is invisible."""
    known = _SINGLE.get(char) or _SEVERAL.get(char)
    if known:
        return known
    category = unicodedata.category(char)
    if category in ("Cf", "Mn", "Me", "Cc", "Cn") or char in _BLANK:
        return "\n" if char in "\x0b\x0c\x1c\x1d\x1e\x85" else ""
    if category in ("Zs", "Zl", "Zp"):
        return "\n" if category != "Zs" else " "
    if category == "Pd":
        return "-"
    if category == "Nd":
        return str(unicodedata.digit(char))
    parts = (part for part in unicodedata.normalize("NFKD", char) if not unicodedata.combining(part))
    plain = "".join(" " if part.isspace() else _SINGLE.get(part, part) for part in parts)
    if category[0] in "PS" and not plain.isascii():
        return '"' if category in ("Pi", "Pf") else "*"
    return plain


def _lower(text: str) -> str:
    """Lower case of the same length, whatever the script."""
    lower = text.lower()
    if len(lower) == len(text):
        return lower
    return "".join(char.lower() if len(char.lower()) == 1 else char for char in text)


def canonical(text: str) -> str:
    """The canonical form of a short text, without outer space."""
    if text.isascii():
        return " ".join(text.encode().translate(_SPACED).decode("ascii").split())
    return Folded(text).canonical.strip()


def canonicals(texts: Collection[str]) -> list[str]:
    """The canonical forms of many short texts, without outer space, in their order."""
    joined = "\x00".join(texts)
    if not joined.isascii() or joined.count("\x00") != len(texts) - 1:
        return [canonical(text) for text in texts]
    lines = joined.encode().translate(_LINES).decode("ascii").split("\x00")
    return [" ".join(line.split()) for line in lines]
