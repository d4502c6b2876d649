"""Risk tiers: five scores of 0-3 and four overrides.

Source: governance content of the platform's design, section 1 (same three paths as Duke's registration, fast-track and
full review). Cut points are defaults of this site and shown as such.
"""

from typing import Literal

from careplane.records import Record
from careplane.records.app import TierAnswers

Path = Literal["register", "fast_track", "full_review"]

MODERATE_FROM = 5
HIGH_FROM = 9

SCORES: dict[str, str] = {
    "patient_impact": "patient impact",
    "autonomy": "autonomy",
    "audience": "audience",
    "data": "data",
    "reach": "reach and reversibility",
}
OVERRIDES: dict[str, str] = {
    "informs_diagnosis_treatment_triage": "It informs diagnosis, treatment or triage.",
    "patient_facing_without_review": "It reaches patients without review before.",
    "coverage_or_eligibility_decision": "It takes part in a coverage or eligibility decision.",
    "fails_fda_cds_criterion": "It fails a criterion of the FDA's guidance on clinical decision support.",
}
_PATHS: dict[int, Path] = {1: "register", 2: "fast_track", 3: "full_review"}


class Tier(Record, frozen=True):
    """A tier (1 low, 2 moderate, 3 high) with the score, the review path it leads to, and why."""

    tier: int
    score: int
    path: Path
    reasons: tuple[str, ...]


def tier(answers: TierAnswers) -> Tier:
    """The tier that the answers give: the sum (1: up to 4, 2: 5-8, 3: 9 and more), or 3 by any override."""
    score = sum(getattr(answers, name) for name in SCORES)
    parts = ", ".join(f"{title} {getattr(answers, name)}" for name, title in SCORES.items())
    overrides = tuple(text for name, text in OVERRIDES.items() if getattr(answers, name))
    number = 3 if overrides or score >= HIGH_FROM else 2 if score >= MODERATE_FROM else 1
    return Tier(tier=number, score=score, path=_PATHS[number], reasons=(f"Score {score}: {parts}.", *overrides))
