"""A scripted judge: it reads a draft with its sources and names what it can tell by rules, and misses the rest.

It stands in for a judge model as the other tasks stand in for a writer: right often enough to be calibrated against
people, wrong often enough that its rates must be corrected.
"""

import json
import re

from careplane.providers.scripted.prompt import Prompt

_SENTENCE = re.compile(r"^\s*(\d{1,3})\.\s+(.+?)\s*$", re.M)
_CITED = re.compile(r"\[(\d{1,3})\]")
_PROSE_NUMBER = re.compile(r"(?<![\w\[.-])\d+(?:\.\d+)?(?![\w\]])")
_TAKEN = re.compile(r"\b(?:take|takes|taking)\s+([a-z]{5,})\s+\d", re.I)
_SIDE = re.compile(r"\b(left|right)\b", re.I)
_CLAIM = re.compile(r"\b(?:has been normal|was normal|fully resolved)\b", re.I)
_PUBLIC = frozenset({"911", "988", "24", "7"})


def judge_quality(prompt: Prompt) -> str:
    """The verdict as JSON."""
    draft = re.search(r"<draft>\s*(.*?)\s*</draft>", prompt.ask, re.S)
    known = " ".join([prompt.message, *(line.text for line in prompt.sources)]).lower()
    numbers = {line.n for line in prompt.sources}
    errors = []
    for number, sentence in _SENTENCE.findall(draft[1] if draft else ""):
        kind = _error(sentence, known, numbers)
        if kind is not None:
            errors.append({"kind": kind[0], "sentence": int(number), "reason": kind[1]})
    return json.dumps({"errors": errors}, ensure_ascii=False)


def _error(sentence: str, known: str, numbers: set[int]) -> tuple[str, str] | None:
    """The first error of a sentence, and why."""
    if {int(one) for one in _CITED.findall(sentence)} - numbers:
        return "wrong_attribution", "It cites a source that is not there."
    drug = _TAKEN.search(sentence)
    if drug and drug[1].lower() not in known:
        return "fabrication", "No source names this medicine."
    if _CLAIM.search(sentence) and not _CITED.search(sentence):
        return "fabrication", "No source says so."
    strange = [one for one in _PROSE_NUMBER.findall(sentence) if one not in known and one not in _PUBLIC]
    if strange:
        return "wrong_value", "A number is in no source."
    sides = {one.lower() for one in _SIDE.findall(sentence)}
    if sides and _CITED.search(sentence) and not any(side in known for side in sides):
        return "wrong_laterality", "No source names this side."
    return None
