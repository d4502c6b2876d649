"""Left and right: the side that a draft gives to a part of the body, against the sources."""

import re
from collections.abc import Iterable, Sequence

from careplane.records.run import Finding
from careplane.shield.checked import Checked
from careplane.shield.guards.grounding.claims import finding

_SIDE = re.compile(
    r"\b(left|right|bilateral(?:ly)?|both|lt|rt|l|r|izquierd[ao]s?|derech[ao]s?)\b(?:[- ]sided\b)?"
    r"((?:\W+(?!left\b|right\b|and\b|or\b|but\b)[a-záéíóúñ]+){0,3})",
    re.IGNORECASE,
)
_AFTER = re.compile(
    r"\b([a-záéíóúñ]{3,})\W{1,3}(?:(?:on|of|in|to) the )?(left|right|bilateral(?:ly)?|izquierd[ao]s?|derech[ao]s?)\b",
    re.IGNORECASE,
)
_NOT_A_SIDE = re.compile(
    r"\bright (?:away|now|here|after|before|to|back|amount|dose|time|thing|way|choice)\b|\ball right\b"
    r"|\b(?:is|are|be) right\b|\b(?:has|have|had|was|is) left\b"
    r"|\bleft (?:the|without|for|over|at|work|home|against)\b|\b(?:l|r)\b(?=\s*[/\d])"
    r"|\d\s*l\b",
    re.IGNORECASE,
)
_SIDES = {"left": "left", "lt": "left", "l": "left", "izq": "left", "right": "right", "rt": "right", "r": "right"}
_EMPTY_WORDS = (
    "the her his your was and for with lower upper distal proximal medial lateral anterior posterior side sided "
    "pain acute chronic mild total of in on is at from that this than has had are more side, structure"
)
_EMPTY = frozenset(_EMPTY_WORDS.split())


def laterality(checked: Checked) -> Sequence[Finding]:
    """A side that the sources give to the same part of the body the other way round.

    Where a sentence cites, the cited sources decide; where none of them names the part, or nothing is cited, all do.
    Cited sources that name one side only contradict a sentence that says the other, whatever the part is called.
    """
    everywhere = _parts_of(source.text for source in checked.sources)
    found: list[Finding] = []
    for i, sentence in enumerate(checked.sentences):
        cited = _parts_of(source.text for source in checked.cited(sentence))
        for side, words in _mentions(sentence):
            told = _sides_of(cited, words) or _sides_of(everywhere, words) or set[str]().union(*cited.values())
            if told and side not in told and "bilateral" not in told and side != "bilateral":
                text = f"The draft says {side}; the source says {' and '.join(sorted(told))}."
                found.append(finding("laterality", "critical", text, i))
            elif told and side == "bilateral" and len(told) == 1:
                text = f"The draft says both sides; the source says {next(iter(told))}."
                found.append(finding("laterality", "caution", text, i))
    return list(dict.fromkeys(found))


def _mentions(text: str) -> list[tuple[str, tuple[str, ...]]]:
    """The sides of a text, each with the words that may be its part of the body."""
    plain = _NOT_A_SIDE.sub(" ", text)
    found = []
    for side, after in _SIDE.findall(plain):
        name = _side(side)
        if name is None or (len(side) == 1 and not side.isupper()):
            continue
        before = [word for word, other in _AFTER.findall(plain) if _side(other) == name]
        words = tuple(word for word in (*_words(after), *_words(" ".join(before))) if word not in _EMPTY)
        found.append((name, words))
    return found


def _parts_of(texts: Iterable[str]) -> dict[str, set[str]]:
    """The sides that texts give, by word; a side without a word stands under the empty one."""
    found: dict[str, set[str]] = {}
    for text in texts:
        for side, words in _mentions(text):
            for word in words or ("",):
                found.setdefault(word, set()).add(side)
    return found


def _sides_of(parts: dict[str, set[str]], words: Sequence[str]) -> set[str]:
    return set[str]().union(*(parts.get(word, set()) for word in words))


def _words(text: str) -> list[str]:
    return [word.rstrip("s") for word in re.findall(r"[a-záéíóúñ]{3,}", text.lower())]


def _side(said: str) -> str | None:
    said = said.lower()
    if said.startswith("bilateral"):
        return "bilateral"
    if said == "both":
        return None
    return _SIDES.get(said) or ("left" if said.startswith("izq") else "right")
