"""A draft as the desk shows it: sentence by sentence, each with the sources it cites and the findings about it."""

import re

from careplane.records import Record
from careplane.records.run import Draft, Finding

_CITATION = re.compile(r"\s*\[(\d+(?:\s*,\s*\d+)*)\]")


CHECK_NAMES = {
    "advice": "Unsafe advice",
    "allergies": "Allergy",
    "citations": "Citation",
    "crisis": "Crisis",
    "drugs": "Drug or dose",
    "echo": "Prompt words",
    "injection": "Instruction in the text",
    "laterality": "Left or right",
    "links": "Link",
    "negation": "Present or absent",
    "numbers": "Number or date",
    "surrogates": "Placeholder",
    "urgent": "Emergency",
}
"""What a finding is about, for the reviewer; a check that is not listed is shown by its own name."""

ACT_NOW = frozenset({"crisis", "urgent"})
"""Checks whose findings are about a person in danger; they stand at the top of the page."""

_WORST = ("critical", "caution", "info")


class Line(Record, frozen=True):
    """One sentence. ``before`` is the white space that stood in front of it in the draft."""

    number: int
    before: str
    text: str
    cites: tuple[int, ...]
    findings: tuple[Finding, ...]

    @property
    def severity(self) -> str:
        """The gravest severity of its findings, empty without any."""
        found = {finding.severity for finding in self.findings}
        return next((name for name in _WORST if name in found), "")


def draft_lines(draft: Draft) -> list[Line]:
    """The sentences of a draft in order, with the white space between them kept."""
    lines = []
    position = 0
    for number, sentence in enumerate(draft.sentences):
        found = draft.text.find(sentence, position)
        start = position if found < 0 else found
        lines.append(
            Line(
                number=number,
                before=draft.text[position:start],
                text=_CITATION.sub("", sentence),
                cites=tuple(int(n) for group in _CITATION.findall(sentence) for n in group.split(",")),
                findings=tuple(finding for finding in draft.findings if finding.sentence == number),
            )
        )
        position = start + len(sentence) if found >= 0 else position
    return lines
