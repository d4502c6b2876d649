"""Drug words: names, brands and classes (``drugs.tsv``), and words with a drug's stem.

Source of the stems: USAN Council, "Approved stems" (public list of the American Medical Association).
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

_STEM = re.compile(
    r"[a-z]{2,}(?:pril|sartan|statin|olol|azole|cillin|mycin|micin|floxacin|gliptin|gliflozin|glutide|dipine|zepam|zolam"
    r"|oxetine|triptan|parin|xaban|gatran|tinib|ciclovir|prazole|tidine|setron|thiazide|semide|lukast|codone|morphone"
    r"|profen|coxib|dronate|terol|solone|formin|gabalin|pentin|zosin|barbital|cycline|stigmine|lamide|grelor|idone"
    r"|tropium|glitazone|fibrate|zolidone|alopram|triptyline|ipramine|azine|sone|umab|ximab|zumab)"
)
_NOT_DRUGS = frozenset(
    {"april", "magazine", "someone", "anyone", "none", "done", "gone", "phone", "telephone", "headphone", "stone"}
    | {"bone", "backbone", "zone", "hormone", "milestone", "gallstone", "cornerstone", "person", "reason", "recycline"}
    | {"cholesterol", "sterol", "incline", "decline", "aprils", "unicycline"}
)
_WORD = re.compile(r"[a-z][a-z0-9-]{1,}[a-z0-9]")
_NOT_PLAIN = re.compile(r"[^a-z0-9]+")
_SHORTEST_MISSPELT = 7


@dataclass(frozen=True, slots=True)
class Drug:
    """A row of the table."""

    name: str
    classes: tuple[str, ...]
    others: tuple[str, ...]


@lru_cache(maxsize=1)
def table() -> Mapping[str, Drug]:
    """The drugs by their generic name."""
    found: dict[str, Drug] = {}
    for line in files(__package__).joinpath("drugs.tsv").read_text(encoding="utf-8").splitlines():
        if line.startswith("#") or not line.strip():
            continue
        name, classes, others = (*line.split("\t"), "", "")[:3]
        found[name] = Drug(name, _listed(classes), _listed(others))
    return found


@lru_cache(maxsize=1)
def _names() -> Mapping[str, str]:
    """Generic name by every word that means it; names of two words by their first (``insulin``, ``ferrous``)."""
    found: dict[str, str] = {}
    for drug in table().values():
        for word in (drug.name, *drug.others):
            found.setdefault(word.split()[0] if word == drug.name else word, drug.name.split()[0])
    return found


@lru_cache(maxsize=1)
def _classes() -> Mapping[str, frozenset[str]]:
    """The first words of the generic names of every class."""
    found: dict[str, set[str]] = {}
    for drug in table().values():
        for name in drug.classes:
            found.setdefault(name, set()).add(drug.name.split()[0])
    return {name: frozenset(drugs) for name, drugs in found.items()}


def drugs_in(text: str) -> set[str]:
    """The drug-like words of a text, in lower case, brands turned into their generic name."""
    names = _names()
    words = (names.get(word, word) for word in _WORD.findall(text.lower()))
    return {word for word in words if word in names or _has_stem(word)}


def classes_in(text: str) -> set[str]:
    """The classes of drugs that a text names by their class (``statin``, ``blood thinners``, ``ACE inhibitor``)."""
    plain = _class_names()
    said = f" {_NOT_PLAIN.sub(' ', text.lower())} "
    return {plain[found] for found in _class_pattern().findall(said)}


@lru_cache(maxsize=1)
def _class_names() -> Mapping[str, str]:
    return {_NOT_PLAIN.sub(" ", name): name for name in _classes()}


@lru_cache(maxsize=1)
def _class_pattern() -> re.Pattern[str]:
    names = "|".join(sorted(map(re.escape, _class_names()), key=len, reverse=True))
    return re.compile(rf"(?<= )({names})s?(?= (?!antagonist|blocker|inhibitor|agonist))")


def members(name: str) -> frozenset[str]:
    """The drugs of a class."""
    return _classes().get(name, frozenset())


def classes_of(drug: str) -> frozenset[str]:
    """The classes of a drug; also by its stem (``-cillin`` is a penicillin)."""
    found = {name for name, drugs in _classes().items() if drug in drugs}
    for ending, name in _BY_STEM:
        if drug.endswith(ending):
            found.add(name)
    return frozenset(found)


_BY_STEM = (
    ("cillin", "penicillin"),
    ("statin", "statin"),
    ("pril", "ace inhibitor"),
    ("sartan", "arb"),
    ("floxacin", "fluoroquinolone"),
    ("olol", "beta blocker"),
)


def misspelt(text: str, known: Iterable[str]) -> dict[str, str]:
    """Words that are one slip (a letter more, less, other or swapped) away from a drug, with that drug.

    ``known`` are words of the sources and the message, which count as spelt right.
    """
    right = set(known)
    names = _names()
    found = {}
    for word in set(_WORD.findall(text.lower())):
        if len(word) < _SHORTEST_MISSPELT or word in names or word in right or _has_stem(word):
            continue
        near = next((names[slip] for slip in _slips(word) if slip in names and len(slip) >= _SHORTEST_MISSPELT), None)
        if near is not None:
            found[word] = near
    return found


def _slips(word: str) -> Iterable[str]:
    letters = "abcdefghijklmnopqrstuvwxyz"
    for i in range(len(word) + 1):
        head, tail = word[:i], word[i:]
        if tail:
            yield head + tail[1:]
            yield from (head + letter + tail[1:] for letter in letters)
        if len(tail) > 1:
            yield head + tail[1] + tail[0] + tail[2:]
        yield from (head + letter + tail for letter in letters)


def _has_stem(word: str) -> bool:
    return word not in _NOT_DRUGS and _STEM.fullmatch(word) is not None


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def words_of(text: str) -> set[str]:
    """The words of a text as drug names are looked up."""
    return set(_WORD.findall(text.lower()))
