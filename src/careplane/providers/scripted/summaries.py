"""Summaries for clinicians: a section per kind of source, every line with its citation."""

from collections.abc import Sequence

from careplane.providers.scripted.prompt import Line, Prompt
from careplane.providers.scripted.sentences import bullet, cite

_PREVISIT = (
    ("Problems", ("Condition",)),
    ("Medications", ("MedicationRequest", "MedicationStatement")),
    ("Allergies", ("AllergyIntolerance",)),
    ("Results", ("Observation", "DiagnosticReport")),
    ("Recent care", ("Encounter", "Procedure", "DocumentReference", "Immunization")),
    ("Planned", ("Appointment", "ServiceRequest", "CarePlan", "Task")),
)
_DISCHARGE = (
    ("Hospital course", ("Encounter", "DocumentReference", "Procedure", "DiagnosticReport", "Observation")),
    ("Diagnoses", ("Condition",)),
    ("Medications", ("MedicationRequest", "MedicationStatement", "MedicationAdministration")),
    ("Follow-up", ("Appointment", "ServiceRequest", "CarePlan", "Task")),
)
_PER_SECTION = 6


def summarise(prompt: Prompt) -> str:
    """A chart summary before a visit."""
    return _sections(prompt, _PREVISIT)


def discharge_summary(prompt: Prompt) -> str:
    """Hospital course, diagnoses, medications and follow-up."""
    return _sections(prompt, _DISCHARGE)


def huddle_brief(prompt: Prompt) -> str:
    """One line per bed, barrier or task, owners as the sources name them."""
    lines = [bullet(line) for line in prompt.sources if not line.has("Patient")]
    if not lines:
        return "Bed huddle:\nThe sources list no bed, barrier or task."
    return "\n".join(("Bed huddle:", *lines))


def generic(prompt: Prompt) -> str:
    """The sources on the task, one sentence each; without sources, an honest echo of the question."""
    if prompt.sources:
        return "\n".join(cite("The record says:", line) for line in prompt.sources[:_PER_SECTION])
    asked = " ".join(prompt.ask.split())[:200]
    return f"This is a scripted reply without any AI. You wrote: {asked}"


def _sections(prompt: Prompt, sections: Sequence[tuple[str, tuple[str, ...]]]) -> str:
    left = list(prompt.sources)
    parts: list[str] = []
    for title, kinds in sections:
        chosen = [line for line in left if _is(line, kinds)]
        left = [line for line in left if line not in chosen]
        if chosen:
            parts.append("\n".join((f"{title}:", *(bullet(line) for line in chosen[:_PER_SECTION]))))
    return "\n\n".join(parts) or generic(prompt)


def _is(line: Line, kinds: tuple[str, ...]) -> bool:
    head = line.text.split(":", 1)[0].replace(" ", "").lower()
    return any(kind.lower() in head for kind in kinds)
