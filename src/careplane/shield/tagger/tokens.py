"""Words of a text, which of them may belong to a name, and runs of such words."""

import re
import string
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files

from careplane.shield.variants import MONTHS
from careplane.shield.vocabulary import EVERYDAY, NAME, Word

_TOKEN = re.compile(r"[A-Za-z]+\d[A-Za-z0-9]*|[A-Za-z]+|\d[\d/.,:-]*|\n\s*|[^\sA-Za-z0-9]")
_SENTENCE_END = frozenset('.?!:\n\u2022*;"(')
TITLES = frozenset({"dr", "drs", "mr", "mrs", "ms", "miss", "mx", "doctor", "nurse", "prof", "professor", "mister"})
_LINKS = frozenset(
    {"of", "and", "the", "&", "'", "-", ".", ",", "s", "de", "la", "van", "von", "der", "del", "for", "at"}
)
_LONGEST_LINK = 3
_UPPER, _LOWER = string.ascii_uppercase.encode(), string.ascii_lowercase.encode()
_CUES = frozenset(
    {
        "mrn",
        "ssn",
        "dob",
        "dos",
        "id",
        "ids",
        "npi",
        "vin",
        "dea",
        "emr",
        "ehr",
        "hicn",
        "mbi",
        "acct",
        "zip",
        "fax",
        "tel",
    }
)
"""Words that announce an identifier and are none."""
_MONTHS = frozenset({form for forms in MONTHS for form in forms})
_AFTER_VERBS = frozenset(
    {"the", "a", "an", "your", "my", "his", "her", "this", "that", "these", "it", "any", "all", "no", "of", "up"}
)
"""After these a word that begins a sentence is a verb: ``Mark the date``."""
_BEFORE_MONTHS = frozenset(
    {"in", "since", "until", "till", "of", "last", "next", "this", "early", "late", "mid", "during", "before", "after"}
)
_EVERYDAY, _NAME, _ANY = EVERYDAY.value, NAME.value, (NAME | Word.TOWN | Word.OF_TOWN).value
_FREQUENT, _USUAL = Word.FREQUENT.value, Word.USUAL.value


@lru_cache(maxsize=1)
def never() -> frozenset[str]:
    """Everyday words that are on lists of names."""
    return frozenset(files("careplane.shield").joinpath("words", "not_names.txt").read_text(encoding="utf-8").split())


class Tokens:
    """The words and signs of a text: as written, in lower case, where they lie, and what the lists say of them."""

    __slots__ = ("_found", "flags", "in_lower_case", "lows", "written")

    def __init__(self, text: str, known: Mapping[str, int]) -> None:
        """Take a text apart; ``known`` are the flags of words (:class:`careplane.shield.vocabulary.Word`).

        A text in capitals is read as one in lower case: in either, case says nothing.
        """
        capitals, letters = _count(text)
        if capitals * 2 > letters:
            text = text.lower()
        self._found = list(_TOKEN.finditer(text))
        self.written = [token[0] for token in self._found]
        self.lows = [word.lower() for word in self.written]
        self.flags = [known.get(word, 0) for word in self.lows]
        capitals, words = _count("".join([word[0] for word in self.written]))
        self.in_lower_case = capitals * 40 <= words

    def span(self, first: int, last: int) -> tuple[int, int]:
        """Where the tokens from ``first`` to ``last`` lie in the text."""
        return self._found[first].start(), self._found[last].end()

    def runs(self) -> list[list[int]]:
        """Runs of words that may be part of a name; between two words of a run there are at most linking words."""
        runs: list[list[int]] = []
        last = -10
        for i in self._candidates():
            joined = i - last == 1 or (
                i - last <= _LONGEST_LINK and all(low in _LINKS for low in self.lows[last + 1 : i])
            )
            if joined:
                runs[-1].append(i)
            else:
                runs.append([i])
            last = i
        return runs

    def _candidates(self) -> list[int]:
        check = self._in_lower_case if self.in_lower_case else self._in_mixed_case
        lows, flags = self.lows, self.flags
        out = []
        for i, word in enumerate(self.written):
            if not word.isalpha():
                continue
            low = lows[i]
            before = lows[i - 1] if i else ""
            plain_word = word == low and flags[i] & _EVERYDAY and before != "." and before not in TITLES
            if plain_word and not self.in_lower_case:  # most words, so it is asked first
                continue
            if low not in _CUES and check(i, word) and not self._is_month(i):
                out.append(i)
        return out

    def _is_month(self, i: int) -> bool:
        return self.lows[i] in _MONTHS and i > 0 and self.lows[i - 1] in _BEFORE_MONTHS

    def _in_lower_case(self, i: int, word: str) -> bool:
        low, flags = self.lows[i], self.flags[i]
        before = self.lows[i - 1] if i else "\n"
        if low in never():
            return False
        if before in TITLES or (before == "." and i > 1 and self.lows[i - 2] in TITLES):
            return True
        if word[0].isupper() and not flags & _EVERYDAY:
            return True
        if flags & _FREQUENT:
            return bool(flags & _USUAL) and len(low) > 2
        if flags & _EVERYDAY:
            return bool(flags & _NAME) and len(low) > 2
        return len(low) > 2

    def _in_mixed_case(self, i: int, word: str) -> bool:
        flags, before = self.flags[i], self.written[i - 1] if i else "\n"
        title = before.lower() in TITLES or (before == "." and i > 1 and self.lows[i - 2] in TITLES)
        if not word[0].isupper():
            return (title and self.lows[i] not in never()) or bool(
                flags & _NAME and not flags & _EVERYDAY and len(word) > 2
            )
        if title or not flags & _EVERYDAY:
            return self.lows[i] not in TITLES
        if before[-1] not in _SENTENCE_END:
            return not word.isupper() or len(word) < 2 or not before.isupper() or bool(flags & _ANY)
        after = self.written[i + 1] if i + 1 < len(self.written) else ""
        if flags & _FREQUENT and after in _AFTER_VERBS:
            return False
        return bool(flags & _NAME) or (after[:1].isupper() and after[1:2].islower())


def _count(text: str) -> tuple[int, int]:
    """How many capitals and how many letters there are, of ASCII."""
    octets = text.encode("ascii", "replace")
    capitals = len(octets) - len(octets.translate(None, _UPPER))
    return capitals, capitals + len(octets) - len(octets.translate(None, _LOWER))
