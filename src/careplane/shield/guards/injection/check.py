"""The injection signal on what a draft was made from, as a finding for its reviewer."""

from collections.abc import Sequence

from careplane.records.run import Finding
from careplane.shield.checked import Checked
from careplane.shield.guards.injection import THRESHOLD, injection_score


def injection(checked: Checked) -> Sequence[Finding]:
    """A message or a source that reads like an instruction to the model: a signal, not a boundary."""
    found = []
    if injection_score(checked.request_text) >= THRESHOLD:
        text = "The message reads like an instruction to the model; check that the draft does not follow it."
        found.append(Finding(check="injection", severity="caution", text=text))
    together = "\n".join(source.text for source in checked.sources)
    if injection_score(together) < THRESHOLD:
        return found
    alone = [source for source in checked.sources if injection_score(source.text) >= THRESHOLD]
    named = ", ".join(f"[{source.n}]" for source in alone)
    subject = f"Source {named} reads" if len(alone) == 1 else f"Sources {named} read" if alone else "A source reads"
    text = f"{subject} like an instruction to the model; check that the draft does not follow it."
    return [*found, Finding(check="injection", severity="caution", text=text)]
