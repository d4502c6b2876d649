"""What goes to a payer: answers for prior authorisation, and an appeal against a denial; every statement is cited."""

import re
from collections.abc import Sequence

from careplane.providers.scripted.prompt import Line, Prompt
from careplane.providers.scripted.sentences import bullet, quote

_NUMBERED = re.compile(r"\[?(?:MRN|PHONE)\b")
"""What a payer does not need: lines with record or telephone numbers stay out of a letter."""

_MISSING = "Not in the sources: to be completed."


def authorisation_answers(prompt: Prompt) -> str:
    """The payer's questions, each with what the sources say."""
    order = _of(prompt, "ServiceRequest")
    answers = (
        ("What is ordered", order[:1]),
        ("For which problem", _of(prompt, "Condition")[:3]),
        ("What was tried before", [line for line in order + _of(prompt, "DocumentReference") if line.has(*_TRIED)][:3]),
        ("Current medicines", _of(prompt, "MedicationRequest")[:4]),
        ("Coverage", _of(prompt, "Coverage")[:1]),
    )
    return "\n\n".join(_answer(title, lines) for title, lines in answers)


_TRIED = ("therapy", "ibuprofen", "relief", "exercise", "tried")


def appeal_letter(prompt: Prompt) -> str:
    """A letter that names the denial, the claim, and what the record says; it asks for review and adds nothing."""
    denial, claims = _of(prompt, "ClaimResponse"), _of(prompt, "Claim")
    if not denial:
        return "The sources hold no denial, so there is nothing to appeal against. " + _MISSING
    notes = [line for line in _of(prompt, "DocumentReference") if not _NUMBERED.search(line.text)]
    record = [*_of(prompt, "Condition"), *notes, *_of(prompt, "Observation")]
    parts = [
        "To the appeals department:",
        f"We ask you to review this decision: {quote(denial[0])} [{denial[0].n}].",
        *(f"The claim is: {quote(line)} [{line.n}]." for line in claims[:1]),
    ]
    if record:
        parts.append("\n".join(("The record says:", *(bullet(line) for line in record[:6]))))
    else:
        parts.append("The record in the sources holds no clinical evidence; the appeals nurse has to add it.")
    parts.append("The records named above are enclosed. Please answer in writing.")
    return "\n\n".join(parts)


def _answer(title: str, lines: Sequence[Line]) -> str:
    said = [bullet(line) for line in lines] or [_MISSING]
    return "\n".join((f"{title}:", *said))


def _of(prompt: Prompt, kind: str) -> list[Line]:
    return [line for line in prompt.sources if line.kind == kind]


__all__ = ["appeal_letter", "authorisation_answers"]
