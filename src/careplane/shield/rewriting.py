"""How models rewrite what they were given: the brackets, hyphens, spaces and emphasis that come back otherwise.

Compiled expressions only. Each construct that may be cut by a stream has a second expression that says "the text ends
inside of it", so that a restorer knows when to wait.
"""

import re
import unicodedata
from dataclasses import dataclass

INVISIBLE = "\u00ad\u180e\u200b-\u200f\u2060\ufeff"
_HYPHENS = "\\-\u2010-\u2015\u2212\ufe63\uff0d"
_EMPHASIS = "*_~`\uff3f"
_ENTITY = r"&(?:nbsp|shy|hyphen|dash|ndash|mdash|minus|lowbar|num|zwn?j|e[nm]sp|thinsp|\#x?[0-9a-f]{2,5});"
_ESCAPE = r"\\u(?:0020|002d|005f|00a0|00ad|201[0-5]|200[b-f]|202f|2212|2060|feff)|\\[nrt]"
_URL = r"%(?:25)?(?:20|23|2d|5f|c2%a0)"
_UNIT = rf"{_ENTITY}|{_ESCAPE}|{_URL}|[\s{_HYPHENS}{_EMPHASIS}{INVISIBLE}+\\]"
_TAG = r"</?[a-z]{1,6} ?/?>"
_TAG_CUT = r"</?(?:[a-z]{1,6} ?)?/?"
_CUT = r"(?:&(?:\#x?[0-9a-f]{0,5}|[a-z]{0,6})|%[0-9a-f%]{0,6}|\\{1,2}(?:[ux][0-9a-f]{0,4})?)"
"""The beginning of an entity or an escape, where a text ends inside of it."""


def _compile(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


TOKEN = re.compile(rf"[^\W\d_]+(?:[{INVISIBLE}]+[^\W\d_]+)*|\d+(?:[{INVISIBLE}]+\d+)*")
"""A run of letters, or a run of digits."""

_HIDDEN = re.compile(f"[{INVISIBLE}]")
DISGUISED = re.compile(f"[{INVISIBLE}\uff10-\uff5a]")
"""Invisible or full-width characters: an automaton does not see the word that they are in."""
ENDS_HIDDEN = re.compile(rf"[{INVISIBLE}]+\Z")
LAST_RUN = re.compile(rf"(?:[^\W\d_]+(?:[{INVISIBLE}]+[^\W\d_]*)*|\d+(?:[{INVISIBLE}]+\d*)*)\Z")
BEFORE_INITIAL = re.compile(r"(?<![^\W_])([A-Z])(?:\.[ \u00a0]?|[ \u00a0])\Z")
TAIL_INITIAL = re.compile(r"(?<![^\W_])([A-Z])(?:\.[ \u00a0]?|[ \u00a0])?\Z")


def plain_token(token: str) -> str:
    """A token in lower case, full-width forms narrow, digits of other scripts as 0 to 9, invisible characters gone."""
    if token.isascii():
        return token.lower()
    plain = unicodedata.normalize("NFKC", _HIDDEN.sub("", token)).lower()
    if plain.isascii() or not plain.isdecimal():
        return plain
    return "".join(str(unicodedata.decimal(char)) for char in plain)


@dataclass(frozen=True, slots=True)
class Joint:
    """What may stand between two parts of a surrogate: ``whole`` always matches, ``cut`` when a text ends in it."""

    whole: re.Pattern[str]
    cut: re.Pattern[str]


def _joint(first: str, unit: str, most: int, word: str = "", begun: str = "") -> Joint:
    """``begun`` is the beginning of a ``word``, where a text ends inside of it."""
    body = rf"{first}(?:{unit}){{0,{most}}}"
    whole = rf"{body}(?:{word}(?:{unit}){{0,3}})?" if word else body
    cut = rf"{whole}(?:{_CUT}|{_TAG_CUT})\Z" if _TAG in unit else rf"{whole}{_CUT}\Z"
    return Joint(_compile(whole), _compile(rf"{cut}|{body}{begun}\Z" if begun else cut))


CODE = _joint(
    "",
    rf"{_UNIT}|{_TAG}|[.,:;/|()\[\]@=\#>\u00b7\u2022\u2192\u2116]",
    6,
    r"(?:no|nr|num|number|id)\b\.?",
    "(?:n(?:u(?:m(?:be?)?)?)?|i)",
)
"""Within a code, a phone or a record number."""
NAME = _joint(",?", _UNIT, 4)
"""Within a name: also ``Last, First``."""
SPACED = _joint("[ \u00a0\u2007\u2009\u202f]{0,2}", f"[{INVISIBLE}]", 1)
"""Between the digits of a number that is spaced out."""
TURNED = _joint("", rf"[{_HYPHENS}_]|&(?:hyphen|dash|\#45|\#x2d|\#8209);|%2d|\\", 3)
"""Between a number and the word after it, where the two changed places."""
INITIAL = _joint(r"\.?", _UNIT, 4)
"""After an initial."""
SPELLING = _joint("", rf"{_UNIT}|[.:/\#]", 4)
"""The same inside of brackets, where what follows belongs to the surrogate."""
FORM = _joint("", rf"[{_HYPHENS}_]|&(?:hyphen|dash|\#45|\#x2d|\#8209);|\\u(?:002d|201[01])|%2d|[{INVISIBLE}\\]", 3)
"""Before the number of a spelling: hyphens only, because "[NAME-417] 2 tablets" may lose its brackets."""


@dataclass(frozen=True, slots=True)
class Bracket:
    """One family of brackets: ``open`` and ``double`` look back, ``close`` and ``twice`` match one and two closing
    ones, and ``cut`` matches when a text ends inside of them."""

    open: re.Pattern[str]
    double: re.Pattern[str]
    close: re.Pattern[str]
    twice: re.Pattern[str]
    cut: re.Pattern[str]


_FAMILIES: tuple[tuple[str, str], ...] = (
    (
        r"\[|\uff3b|\u3010|\u3014|&(?:\#0*91|\#x0*5b|lsqb|lbrack);|%(?:25)?5b|\\u005b|\\uff3b|\\x5b",
        r"\]|\uff3d|\u3011|\u3015|&(?:\#0*93|\#x0*5d|rsqb|rbrack);|%(?:25)?5d|\\u005d|\\uff3d|\\x5d",
    ),
    (r"\(|\uff08|&(?:\#0*40|\#x0*28|lpar);|%28|\\u0028", r"\)|\uff09|&(?:\#0*41|\#x0*29|rpar);|%29|\\u0029"),
    (
        r"<|\uff1c|\u2039|\u3008|\u27e8|&(?:\#0*60|\#x0*3c|lt);|%3c|\\u003c",
        r"/?>|</[a-z]{2,9}>|\uff1e|\u203a|\u3009|\u27e9|&(?:\#0*62|\#x0*3e|gt);|%3e|\\u003e",
    ),
    (
        r"\{|\uff5b|&(?:\#0*123|\#x0*7b|lcub|lbrace);|%7b|\\u007b",
        r"\}|\uff5d|&(?:\#0*125|\#x0*7d|rcub|rbrace);|%7d|\\u007d",
    ),
)
_INSIDE = rf"[*_~`]{{0,3}}[ \u00a0{INVISIBLE}]?"
OPEN_WINDOW = 28
"""No opening bracket with its escapes is longer."""


def _bracket(opening: str, closing: str) -> Bracket:
    inside = rf"[ \u00a0{INVISIBLE}]?[*_~`]{{0,3}}"
    closes = rf"(?:\\{{0,2}}(?:{closing}))"
    return Bracket(
        open=_compile(rf"\\{{0,2}}(?:{opening}){_INSIDE}\Z"),
        double=_compile(rf"\\{{0,2}}(?:{opening})\\{{0,2}}(?:{opening}){_INSIDE}\Z"),
        close=_compile(inside + closes),
        twice=_compile(inside + closes + "{2}"),
        cut=_compile(rf"{inside}{closes}?\\{{0,2}}(?:{_CUT}|</?[a-z]{{0,9}}|/)?\Z"),
    )


BRACKETS: tuple[Bracket, ...] = tuple(_bracket(*family) for family in _FAMILIES)

OPENS = frozenset("[(<{;bBcC8\uff3b\u3010\u3014\uff08\uff1c\u2039\u3008\u27e8\uff5b*_~` \u00a0") | frozenset(
    "\u00ad\u180e\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"
)
"""What an opening bracket, emphasis and space after it included, may end with."""

SIGNS = re.compile(f"[\\[(<{{&%\\\\\uff3b\u3010\u3014\uff08\uff1c\u2039\u3008\u27e8\uff5b{INVISIBLE}\uff10-\uff5a]")
"""An opening bracket, an entity or an escape begins with one of these; or a word is in disguise."""

_ANY_OPEN = "|".join(opening for opening, _ in _FAMILIES)
TAIL_OPEN = _compile(
    rf"(?:(?:\\{{0,2}}(?:{_ANY_OPEN})){{1,2}}{_INSIDE}|(?:\\{{0,2}}(?:{_ANY_OPEN}))?\\{{0,2}}{_CUT})\Z"
)
"""The end of a text that a surrogate in brackets may follow."""

AFTER_ESCAPE = re.compile(r"(?<!\\)(?:\\\\)*\\(?:[bfnrt]|u[0-9a-fA-F]{4})\Z")
"""In JSON text: what comes next starts a word, although a letter stands before it."""
