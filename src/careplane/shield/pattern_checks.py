"""Second looks at what a pattern found, where the words around or the word lists decide."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.resources import files

from careplane.shield.folding import Folded
from careplane.shield.vocabulary import EVERYDAY, NAME, Word, vocabulary

Check = Callable[[str, Folded, int], int]
"""How many leading characters of what was found do not belong to it; negative when all is wrong."""


def digits(least: int) -> Check:
    return lambda words, _folded, _at: 0 if sum(map(str.isdigit, words)) >= least else -1


def facility(words: str, folded: Folded, at: int) -> int:
    """Without what stands before the name, such as ``The`` or ``Dr. Ramos at``; not a heading in capitals."""
    line = folded.plain[folded.plain.rfind("\n", 0, at) + 1 : at + len(words) + 60].partition("\n")[0]
    if line.isupper():
        return -1
    cut = max((lead.end() for lead in _LEAD.finditer(words)), default=0)
    return cut if any(map(str.isalpha, words[cut:])) and " " in words[cut:].strip() else -1


def in_title(words: str, _folded: Folded, _at: int) -> int:
    """A name after a title: not a word that merely follows one."""
    known = vocabulary()
    first = words.split()[0].lower().strip(".'")
    flags = known.get(first, 0)
    if first in _NEVER:
        return -1
    if words[0].isupper():
        return 0
    if flags & EVERYDAY:
        return 0 if flags & Word.USUAL and flags & NAME else -1
    return 0 if len(first) > 2 else -1


def on_the_lists(words: str, _folded: Folded, _at: int) -> int:
    """A name of the lists; in lower case only one that is no everyday word."""
    first = words.split()[0].lower().strip(".'")
    flags = vocabulary().get(first, 0)
    if not flags & NAME or first in _NEVER:
        return -1
    return 0 if words[0].isupper() or not flags & EVERYDAY else -1


def likely_name(words: str, _folded: Folded, _at: int) -> int:
    """A name of the lists, a capitalised word of no list, or several words, of which none is an everyday word."""
    flags = [vocabulary().get(word.lower().strip(".'"), 0) for word in words.split()]
    if words.split()[0].lower() in _NEVER or (flags[0] & EVERYDAY and not flags[0] & NAME):
        return -1
    if flags[0] & NAME and not flags[0] & EVERYDAY:
        return 0
    if len(flags) == 1:
        return 0 if not flags[0] and words.istitle() and len(words) > 3 else -1
    return -1 if flags[-1] & EVERYDAY else 0


def town(words: str, _folded: Folded, _at: int) -> int:
    return -1 if words.endswith((" MD", " DO", " PA", ",MD")) else 0


def telling_year(year: str) -> tuple[str, ...]:
    """The year of a birth that tells an age over 89, which 45 CFR 164.514(b)(2)(i)(C) counts as an identifier."""
    told = year.isdecimal() and len(year) == 4 and datetime.now(UTC).year - int(year) > _OLDEST
    return (year,) if told else ()


def born_long_ago(words: str, _folded: Folded, _at: int) -> int:
    return 0 if telling_year(words) else -1


def vin(words: str, _folded: Folded, _at: int) -> int:
    return 0 if 3 <= sum(map(str.isdigit, words)) <= 14 else -1


def no_registry(words: str, _folded: Folded, _at: int) -> int:
    return -1 if words.startswith(("NCT", "CPT", "RS", "ISRCTN", "PMID", "ICD")) else 0


_OLDEST = 89
"""Ages up to this one are no identifiers."""
_LEAD = re.compile(
    r"\b(?:The|At|In|From|To|Our|Your|Dr|Mr|Mrs|Ms|Seen|Visit|By|On|And|For|A|An|This|That|With|Local|Please|Contact|Call"
    r"|the|of the)\b\.? "
    r"|\b(?:at|the) |(?:^|\. )[A-Z][a-z]+\. (?=[A-Z])(?<!St\. )(?<!Mt\. )(?<!Ft\. )"
)
_NEVER = frozenset(files(__package__).joinpath("words", "not_names.txt").read_text(encoding="utf-8").split())
"""Everyday words that census lists hold as names, or that follow a title without being one."""
