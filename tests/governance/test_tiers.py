"""Tiers: cut points and overrides, and the tier of each use of the starter catalogue."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import careplane.apps
from careplane.apps import read_app
from careplane.governance import OVERRIDES, tier
from careplane.records.app import TierAnswers

SHELF = Path(careplane.apps.__file__).parent

CATALOGUE = {
    1: ("or_schedule", "staffing_messages", "policy_finder", "call_wrapup", "invoice_check"),
    2: (
        "ambient_note",
        "portal_reply",
        "previsit_summary",
        "discharge_summary",
        "shift_handoff",
        "referral_packet",
        "infection_surveillance",
        "chart_abstraction",
        "trial_prescreen",
        "care_gap_brief",
        "bed_huddle",
        "supply_substitution",
        "safety_event_triage",
        "prior_auth",
        "denial_appeal",
        "coding_query",
        "plain_instructions",
        "result_letter",
    ),
    3: (
        "transfer_screen",
        "incidental_followup",
        "guideline_answer",
        "reconciliation",
        "behavioural_measures",
        "tumour_board",
        "access_assistant",
    ),
}
"""The tiers of the starter catalogue of 30 uses."""

NAMES = ("patient_impact", "autonomy", "audience", "data", "reach")
scores = st.builds(TierAnswers, **{name: st.integers(0, 3) for name in NAMES})


def answers(total: int) -> TierAnswers:
    """Answers whose scores sum to ``total``."""
    first, second, third, fourth, fifth = (min(3, max(0, total - 3 * n)) for n in range(5))
    return TierAnswers(patient_impact=first, autonomy=second, audience=third, data=fourth, reach=fifth)


@pytest.mark.parametrize(("total", "expected"), [(0, 1), (4, 1), (5, 2), (8, 2), (9, 3), (15, 3)])
def test_cut_points(total: int, expected: int) -> None:
    assert (tier(answers(total)).score, tier(answers(total)).tier) == (total, expected)


@pytest.mark.parametrize("override", OVERRIDES)
def test_each_override_makes_tier_three(override: str) -> None:
    rated = tier(msgspec.structs.replace(answers(0), **{override: True}))
    assert (rated.tier, rated.path) == (3, "full_review")
    assert OVERRIDES[override] in rated.reasons


@given(scores)
def test_a_higher_score_never_lowers_the_tier(given_answers: TierAnswers) -> None:
    rated = tier(given_answers)
    assert rated.tier == 1 + (rated.score >= 5) + (rated.score >= 9)


RATED = [(number, name) for number, names in CATALOGUE.items() for name in names]


@pytest.mark.parametrize(("expected", "name"), RATED)
def test_tier_of_the_catalogue(expected: int, name: str) -> None:
    assert tier(read_app(SHELF / name).spec.tier).tier == expected


def test_catalogue_is_whole() -> None:
    shipped = {path.parent.name for path in SHELF.glob("*/app.yaml")}
    assert shipped == {name for names in CATALOGUE.values() for name in names}
    assert len(shipped) == 30
