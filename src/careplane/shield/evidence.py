"""Whether a word that is both a name of the chart and an everyday word (``white``, ``may``) means the person."""

import re

from careplane.shield.vocabulary import EVERYDAY, Word, vocabulary

_BEFORE = re.compile(
    r"(?:^|[^a-z])(?:m(?:r|rs|s|x|iss|ister|isses)|drs?|doctor|prof|professor|nurse|hi|hey|hello|dear|thanks"
    r"|thank you|name is|name's|named|(?:morning|afternoon|evening|bye|goodbye|see you|welcome) ?,)[\s:.,]{0,3}$",
    re.IGNORECASE,
)
_AFTER = re.compile(
    r"(?:['\u2019]s\b|,? (?:is|was|has|had|reports?|reported|states?|stated|denies|denied|called|calls"
    r"|presents?|presented|says?|said|feels?|felt|came|comes|returns?|returned|requests?|requested|will|did|does|wants?"
    r"|sat|went|took|takes?|ran|fell|ate|drank|slept|got|told|gave|made|knew|lives?|works?|needs?|asks?|agrees?|saw|met"
    r"|complains?|understands?|understood|tolerated|remains?|wakes?|woke|stood|lay|walks?|may|can|cannot|does|has|had)\b"
    r"|,? M\.?D\b|,? (?:and )?[A-Z]|[.,;)\n]|$)"
)
_INITIALS = re.compile(r"[A-Z]\.[ -]?(?:[A-Z]\.[ -]?)*[A-Z]\.?|[A-Z]{2,4}")
_NAMES_FIRST = frozenset({"bob", "jack", "ken", "manning", "smith", "wills"})
"""Frequent words of English because they are names, not names that happen to be words."""
_BODY_AND_LAB = frozenset(
    {"ray", "gene", "iris", "rod", "temple", "gall", "palm", "shin", "chin", "heel", "crown", "colon"}
)
"""Names that a note uses as words."""
_STARTS = frozenset(".!?:;\n\u2022-*#(\"'")


def meant_as_name(key: str, text: str, start: int, end: int) -> bool:
    """Whether ``text[start:end]``, which reads as the known name ``key``, is the name.

    Several words together are; so is a word that is no everyday word. An everyday word has to be written or placed like
    a name; initials have to be capitals.
    """
    if len(key.replace(" ", "")) <= 4 and all(len(part) == 1 for part in key.split()):
        return _INITIALS.fullmatch(text[start:end]) is not None
    if " " in key:
        return _words_together(key, text[start:end])
    if _PATIENT_BEFORE.search(text[max(0, start - 12) : start]) and _DOES.match(text, end):
        return True  # pt will says
    if len(key) == 2:
        return _two_letters(key, text, start, end)
    flags = vocabulary().get(key, 0)
    if key in _NAMES_FIRST or (flags & Word.FIRST and not flags & Word.FREQUENT):
        return True
    if not flags & (Word.FREQUENT | Word.COMMON):
        return len(key) > 3 or text[start].isupper() or flags & Word.FIRST > 0
    if _BEFORE.search(text[max(0, start - 24) : start]):
        return True
    return _written_as_name(key, text, start, end, often=flags & Word.FREQUENT > 0)


_PRONOUNS = frozenset({"he", "me", "we", "my", "it", "us", "am", "so", "no", "as"})
"""And other words that begin sentences: names after a title only."""
_PATIENT_BEFORE = re.compile(r"(?i)(?:^|[^a-z])(?:pt|patient):? $")
_DOES = re.compile(r",? (?:says|reports|states|denies|presents|complains|c/o|asks|wants|feels|is|was|has)\b")
_SAID_OF_A_PERSON = re.compile(
    r"['\u2019]s\b| (?:is|was|has|had|reports?|states?|denies|presents?|presented|came|says?|said|called)\b"
)


def _two_letters(key: str, text: str, start: int, end: int) -> bool:
    """Whether a name of two letters is meant: capitals are rather an abbreviation (``NG``, ``ED``)."""
    written = text[start:end]
    if any(char.isalpha() and not char.isascii() for char in written) or _BEFORE.search(
        text[max(0, start - 24) : start]
    ):
        return True
    if not written.istitle() or key in _PRONOUNS:
        return False
    before = text[max(0, start - 4) : start].rstrip(" ")
    if not vocabulary().get(key, 0) & EVERYDAY or (before and before[-1] not in _STARTS):
        return True
    return _SAID_OF_A_PERSON.match(text, end) is not None


def _written_as_name(key: str, text: str, start: int, end: int, *, often: bool) -> bool:
    """Whether an everyday word is written like a name; ``often``: it is among the most frequent words."""
    written = text[start:end]
    if not (written.islower() or written.isupper() or written.istitle()):
        return True
    if written.islower():
        return not often and (_lower_case(text, start) or _seldom_a_word(key, text, start))
    if written.isupper() and len(written) > 1 and _shouted(text, start, end):
        return False
    before = text[max(0, start - 4) : start].rstrip(" ")
    if before and before[-1] not in _STARTS:
        return True
    return _AFTER.match(text, end) is not None


def _words_together(key: str, written: str) -> bool:
    """A first and a last name; one of them may be an initial, which then has a capital or a full stop."""
    if all(len(part) > 1 for part in key.split()):
        return True
    if re.search(r"['\u2019]s\Z", written):  # a possessive, no initial
        return False
    letters = [part for part in re.split(r"[^A-Za-z']+", written) if len(part) == 1]
    return not letters or all(part.isupper() for part in letters) or "." in written or written.islower()


def _seldom_a_word(key: str, text: str, start: int) -> bool:
    return key not in _BODY_AND_LAB and text[start - 1 : start] != "-"


def _lower_case(text: str, at: int) -> bool:
    """Whether a text writes names in lower case: hardly any capital around."""
    around = text[max(0, at - 300) : at + 300]
    return sum(map(str.isupper, around)) * 50 <= len(around)


def _shouted(text: str, start: int, end: int) -> bool:
    """Whether the line is in capitals, so that capitals say nothing."""
    line = text[max(text.rfind("\n", 0, start) + 1, start - 60) : end + 40].split("\n")[0]
    letters = [char for char in line if char.isalpha()]
    return sum(map(str.isupper, letters)) > 0.8 * len(letters) and len(letters) > (end - start) + 3
