"""What clinical teams write down: a visit note from a transcript, a shift handoff, candidates for surveillance."""

import re

from careplane.providers.scripted.prompt import Line, Prompt
from careplane.providers.scripted.sentences import bullet

_SPEAKER = re.compile(r"\b(Clinician|Patient):\s*")
_CONSENT = re.compile(r"consent to record:\s*(?:given|yes)", re.I)
_PLAN = re.compile(r"\b(?:plan|we will|continue|repeat|refer)\b", re.I)
_GREW = re.compile(r"\bgrowth of\b|\bgrew\b|\bpositive\b", re.I)
_MOST = 8
NO_CONSENT = "The sources show no consent to the recording, so no note is drafted."


def visit_note(prompt: Prompt) -> str:
    """What patient and clinician said, under the headings of a note; nothing without consent to the recording."""
    spoken = next((line for line in prompt.sources if _SPEAKER.search(line.text)), None)
    if spoken is None:
        return "The sources hold no transcript, so there is nothing to draft a note from."
    if not _CONSENT.search(spoken.text):
        return f"{NO_CONSENT} [{spoken.n}]."
    turns = _turns(spoken.text)
    told = [text for who, text in turns if who == "Patient" and len(text.split()) > 2]
    planned = [text for who, text in turns if who == "Clinician" and _PLAN.search(text) and not text.endswith("?")]
    problems = [line for line in prompt.sources if _is(line, "Condition")]
    parts = [
        _part("Subjective", [f"The patient says: {_plain(text)} [{spoken.n}]." for text in told]),
        _part("Problems on the list", [bullet(line) for line in problems[:4]]),
        _part("Examination", [f"No examination is spoken of [{spoken.n}]."]),
        _part("Plan", [f"{_plain(text)} [{spoken.n}]." for text in planned]),
    ]
    return "\n\n".join(filter(None, parts))


def shift_handoff(prompt: Prompt) -> str:
    """The unit by the letters of I-PASS, each line with its citation."""
    stays = [line for line in prompt.sources if _is(line, "Encounter")]
    watch = [line for line in prompt.sources if _is(line, "Flag")]
    tasks = [line for line in prompt.sources if _is(line, "Task")]
    if not stays and not watch and not tasks:
        return "Shift handoff: the sources list no stay, no warning and no task for this unit."
    parts = (
        _part("Watch first", [bullet(line) for line in watch[:_MOST]]),
        _part("Patient summary", [bullet(line) for line in stays[:_MOST]]),
        _part("Action list", [bullet(line) for line in tasks[:_MOST]]),
        "Synthesis by the receiver: read back the warnings and the open tasks.",
    )
    return "\n\n".join(filter(None, parts))


def infection_candidates(prompt: Prompt) -> str:
    """Cultures with growth after an operation, as candidates to look at; the others as looked at and not candidates."""
    cultures = [line for line in prompt.sources if line.has("culture")]
    grown = [line for line in cultures if _GREW.search(line.text) and not line.has("no growth")]
    clear = [line for line in cultures if line not in grown]
    operations = [line for line in prompt.sources if _is(line, "Procedure")]
    parts = (
        _part("Candidates to review", [bullet(line) for line in grown]) or "Candidates to review: none in the sources.",
        _part("Looked at, no sign of infection", [bullet(line) for line in clear[:_MOST]]),
        _part("Operations in the sources", [bullet(line) for line in operations[:_MOST]]),
        "A candidate is no case: an infection preventionist decides by the definition of the programme.",
    )
    return "\n\n".join(filter(None, parts))


def _turns(text: str) -> list[tuple[str, str]]:
    """Who said what, in order."""
    pieces = _SPEAKER.split(text)
    return [(who, " ".join(said.split())) for who, said in zip(pieces[1::2], pieces[2::2], strict=True)]


def _plain(text: str) -> str:
    """A turn as one sentence, so that its citation stands at its end."""
    return re.sub(r"[.!?]+(?=\s|$)", ";", text).rstrip("; ")


def _part(title: str, lines: list[str]) -> str:
    return "\n".join((f"{title}:", *lines)) if lines else ""


def _is(line: Line, kind: str) -> bool:
    return line.kind == kind


__all__ = ["NO_CONSENT", "infection_candidates", "shift_handoff", "visit_note"]
