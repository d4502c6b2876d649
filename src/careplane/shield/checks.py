"""The output checks that every draft passes before a reviewer sees it, by name.

A check is one function, :data:`Check`; it flags for the reviewer and never rewrites. What each was measured to catch is
in ``README.md`` of this folder.
"""

from collections.abc import Mapping

from careplane.records.run import Finding
from careplane.shield import form, grounding, safety
from careplane.shield.checked import Check, Checked, sentences

CHECKS: Mapping[str, Check] = {
    "empty": form.empty,
    "truncated": form.truncated,
    "length": form.length,
    "repetition": form.repetition,
    "reading_grade": form.reading_grade,
    "phrases": form.phrases,
    "citations": grounding.citations_present,
    "numbers": grounding.numbers,
    "drugs": grounding.drugs,
    "laterality": grounding.laterality,
    "negation": grounding.negation,
    "urgent": safety.urgent,
    "surrogates": safety.surrogates,
    "links": safety.links,
    "echo": safety.echo,
    "injection": safety.injection,
}
_ORDER = {"critical": 0, "caution": 1, "info": 2}


def run_checks(checked: Checked, checks: Mapping[str, Check] = CHECKS) -> tuple[Finding, ...]:
    """All findings of all checks, the gravest first, then in the order of the sentences."""
    found = [finding for check in checks.values() for finding in check(checked)]
    return tuple(sorted(found, key=lambda finding: (_ORDER[finding.severity], _place(finding))))


def _place(finding: Finding) -> int:
    return -1 if finding.sentence is None else finding.sentence


__all__ = ["CHECKS", "Check", "Checked", "run_checks", "sentences"]
