"""Seeded faults: a stated share of drafts gets one realistic error, so that checks and reviewers have work to do.

Which drafts, and which error, follows from a SHA-256 of the messages with the shield's placeholders left out (they are
random), so the same prompt always gets the same draft.
"""

import hashlib
import re
from collections.abc import Callable, Sequence

from careplane.records.model import Message

_PLACEHOLDER = re.compile(r"\[([A-Z]+)-\d+(?:-\d+)?\]")
_NUMBER = re.compile(r"(?<![\w\[.-])\d+(?:\.\d+)?(?= ?(?:mg|mcg|mL|g|units?|mmol|%)\b)", re.I)
_CITATION = re.compile(r" \[\d+\](?=[.!?])")
_SIDE = re.compile(r"\b(left|right)\b(?! away| now)", re.I)
_UNSUPPORTED = (
    "Your kidney function has been normal for the past three years.",
    "You were seen for this problem last month and it had fully resolved.",
    "Your last colonoscopy was normal.",
)
_STRANGE_DRUGS = ("warfarin 5 mg", "metoprolol 25 mg", "prednisone 20 mg", "gabapentin 300 mg")


def digest(messages: Sequence[Message]) -> bytes:
    """What decides the fault: 32 bytes that follow from the messages only."""
    joined = "\x1e".join(f"{message.role}\x1f{message.content}" for message in messages)
    return hashlib.sha256(_PLACEHOLDER.sub(r"[\1]", joined).encode()).digest()


def with_fault(text: str, seed: bytes, percent: float) -> str:
    """The draft, or in ``percent`` of all seeds the draft with one fault."""
    if int.from_bytes(seed[:4], "big") / 2**32 >= percent / 100:
        return text
    kinds = FAULTS[seed[4] % len(FAULTS) :] + FAULTS
    for fault in kinds:
        changed = fault(text, seed[5])
        if changed != text:
            return changed
    return text


def altered_number(text: str, pick: int) -> str:
    """A dose or result ten times too high or doubled."""
    factor = 10 if pick % 2 else 2
    return _NUMBER.sub(lambda found: f"{float(found.group()) * factor:g}", text, count=1)


def strange_drug(text: str, pick: int) -> str:
    """A drug that the chart does not hold."""
    return _after_first_citation(text, f"You also take {_STRANGE_DRUGS[pick % len(_STRANGE_DRUGS)]} daily.")


def missing_citation(text: str, _pick: int) -> str:
    """A factual sentence that lost its citation."""
    return _CITATION.sub("", text, count=1)


def wrong_side(text: str, _pick: int) -> str:
    """Left for right, or right for left."""
    return _SIDE.sub(lambda found: "right" if found.group().lower() == "left" else "left", text, count=1)


def unsupported(text: str, pick: int) -> str:
    """A sentence that no source supports."""
    return _after_first_citation(text, _UNSUPPORTED[pick % len(_UNSUPPORTED)])


def _after_first_citation(text: str, sentence: str) -> str:
    found = re.search(r"\[\d+\]\.", text)
    return text if found is None else f"{text[: found.end()]} {sentence}{text[found.end() :]}"


FAULTS: tuple[Callable[[str, int], str], ...] = (
    altered_number,
    strange_drug,
    missing_citation,
    wrong_side,
    unsupported,
)
