"""The output checks that every draft passes before a reviewer sees it, by name.

A check is one function, :data:`Check`; it flags for the reviewer and never rewrites. What each was measured to catch is
in the README of its folder under ``guards``.
"""

from collections.abc import Mapping

from careplane.records.run import Finding
from careplane.shield.checked import Check, Checked, sentences
from careplane.shield.guards import advice, crisis, form, grounding, leftovers
from careplane.shield.guards.injection import check as injected
from careplane.shield.guards.links import check as linked

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
    "allergies": grounding.allergies,
    "urgent": crisis.urgent,
    "crisis": crisis.crisis,
    "advice": advice.advice,
    "surrogates": leftovers.surrogates,
    "links": linked.links,
    "echo": leftovers.echo,
    "injection": injected.injection,
}
_ORDER = {"critical": 0, "caution": 1, "info": 2}


def run_checks(checked: Checked, checks: Mapping[str, Check] = CHECKS) -> tuple[Finding, ...]:
    """All findings of all checks, the gravest first, then in the order of the sentences."""
    found = [finding for check in checks.values() for finding in check(checked)]
    return tuple(sorted(found, key=lambda finding: (_ORDER[finding.severity], _place(finding))))


def _place(finding: Finding) -> int:
    return -1 if finding.sentence is None else finding.sentence


__all__ = ["CHECKS", "Check", "Checked", "run_checks", "sentences"]
