"""Small apps of a site that answer hooks, written as folders."""

from pathlib import Path

_MANIFEST = """\
id: {ident}
title: {title}
version: 1.0.0
area: clinical
problem: A synthetic problem of a test.
owner: Owner
sponsor: Sponsor
technical_owner: Engineer
goals: [workforce]
task: summarise
tier: {{patient_impact: 1, autonomy: 0, audience: 1, data: 1, reach: 1}}
trigger: {{kind: hook, 'on': {hook}}}
context:
{context}
route: {{model: {model}}}
output: {{kind: DocumentReference, title: {title}, citations: optional, min_words: 1, max_words: 300}}
review: {{role: Clinician, reasons: [wrong fact, not needed]}}
measures: {{primary: [utilisation], balancing: [error_rate], equity: [language]}}
stop_rule: Any harm.
fallback: Read the chart yourself.
"""
_PROMPT = """\
TASK: summarise
Summarise.
---user---
{{ title }}
<sources>
{% for source in sources %}
[{{ source.n }}] {{ source.text }}
{% endfor %}
</sources>
"""
_LESSON = """\
# Lesson

Read it.

## Quiz
### Who signs?
- [x] A person
- [ ] The model
> Always a person.
"""
CONDITIONS = """\
  - {resource: Patient, search: '_id={patient}', fields: [name, birthDate], limit: 1}
  - {resource: Condition, search: 'patient={patient}&clinical-status=active', fields: [code], limit: 20}"""

MODELS = """\
[providers.quick]
kind = "scripted"
fault_percent = 0

[providers.slow]
kind = "scripted"
fault_percent = 0
delay_ms = {delay}

[[routes]]
alias = "default"
targets = [{{provider = "quick"}}]

[[routes]]
alias = "slow"
targets = [{{provider = "slow"}}]
"""


def write_app(
    folder: Path, ident: str, hook: str = "patient-view", model: str = "default", context: str = CONDITIONS
) -> None:
    """Put an app into a site's folder of apps."""
    home = folder / ident
    home.mkdir(parents=True)
    title = ident.replace("_", " ").capitalize()
    manifest = _MANIFEST.format(ident=ident, title=title, hook=hook, model=model, context=context)
    (home / "app.yaml").write_text(manifest, encoding="utf-8")
    (home / "prompt.md").write_text(_PROMPT, encoding="utf-8")
    (home / "lesson.md").write_text(_LESSON, encoding="utf-8")


def write_models(path: Path, delay: int = 3000) -> None:
    """A gateway's file with a quick model (``default``) and one that takes ``delay`` milliseconds (``slow``)."""
    path.write_text(MODELS.format(delay=delay), encoding="utf-8")
