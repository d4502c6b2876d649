"""Grounding against FHIR: what a draft says and a structured chart does not."""

import pytest

from careplane.records import JSON
from careplane.records.app import Output
from careplane.shield.checked import Checked, sentences
from careplane.shield.guards import grounding
from careplane.shield.guards.grounding.lexicon import classes_of, drugs_in, misspelt
from careplane.shield.guards.grounding.quantities import dates_in, quantities_in

RESOURCES: list[JSON] = [
    {
        "resourceType": "MedicationRequest",
        "id": "1",
        "status": "active",
        "medicationCodeableConcept": {"text": "metoprolol 500 mg tablet"},
    },
    {
        "resourceType": "AllergyIntolerance",
        "id": "2",
        "clinicalStatus": {"coding": [{"code": "active"}]},
        "code": {"text": "Penicillin V"},
    },
    {
        "resourceType": "Condition",
        "id": "3",
        "clinicalStatus": {"coding": [{"code": "active"}]},
        "code": {"text": "Osteoarthritis of left knee"},
    },
    {
        "resourceType": "Condition",
        "id": "4",
        "clinicalStatus": {"coding": [{"code": "resolved"}]},
        "code": {"text": "Pneumonia"},
    },
    {"resourceType": "DocumentReference", "id": "5", "description": "Denies chest pain. Reports fatigue."},
]
SOURCES = grounding.sources_of(RESOURCES)


def found(text: str, message: str = "") -> set[tuple[str, str]]:
    """(check, severity) of all grounding findings."""
    output = Output(kind="text", citations="optional", min_words=0)
    draft = Checked(text=text, sentences=sentences(text), sources=SOURCES, output=output, request_text=message)
    checks = (grounding.numbers, grounding.drugs, grounding.laterality, grounding.negation, grounding.allergies)
    return {(finding.check, finding.severity) for check in checks for finding in check(draft)}


@pytest.mark.parametrize(
    "draft",
    [
        "You take Lopressor 500 mg [1].",
        "You take metoprolol 0.5 g [1].",
        "Your beta blocker stays the same [1].",
        "You are allergic to penicillin [2].",
        "The pain is in the left knee [3].",
        "Your knees were examined; the left knee is worse.",
        "Pneumonia has resolved [4].",
        "You have no chest pain [5].",
        "There is fatigue [5].",
        "Please call us right away. You have one question left.",
    ],
)
def test_what_the_chart_says_in_other_words_passes(draft: str) -> None:
    assert found(draft) == set()


@pytest.mark.parametrize(
    ("draft", "expected"),
    [
        ("You take atenolol [1].", ("drugs", "critical")),
        ("You take metoprlol [1].", ("drugs", "caution")),
        ("You take warfarrin [1].", ("drugs", "critical")),
        ("You take a statin [1].", ("drugs", "caution")),
        ("You take metoprolol 5 g [1].", ("drugs", "critical")),
        ("The pain is in the right knee [3].", ("laterality", "critical")),
        ("The right knee hurts.", ("laterality", "critical")),
        ("The currently active pneumonia needs care [4].", ("negation", "caution")),
        ("You have chest pain [5].", ("negation", "caution")),
        ("The patient has chest pain today.", ("negation", "caution")),
        ("The patient denies fatigue.", ("negation", "caution")),
        ("Please take amoxicillin for a week.", ("allergies", "critical")),
        ("Please start cephalexin.", ("allergies", "caution")),
        ("You have no known drug allergies.", ("allergies", "critical")),
        ("NKDA.", ("allergies", "critical")),
    ],
)
def test_what_the_chart_does_not_say_is_flagged(draft: str, expected: tuple[str, str]) -> None:
    assert expected in found(draft)


def test_an_allergy_that_has_ended_is_none() -> None:
    ended = {**RESOURCES[1], "clinicalStatus": {"coding": [{"code": "resolved"}]}}
    draft = Checked(
        text="No known allergies.",
        sentences=("No known allergies.",),
        sources=grounding.sources_of([ended]),
        output=Output(kind="text"),
    )
    assert not grounding.allergies(draft)


def test_drug_words() -> None:
    assert drugs_in("Tylenol, furosemide and Lipitor; lorem someone") == {"acetaminophen", "furosemide", "atorvastatin"}
    assert {"penicillin", "antibiotic"} <= classes_of("amoxicillin")
    assert misspelt("metfornin and provide", ()) == {"metfornin": "metformin"}


def test_spelt_numbers_are_read_in_sources_only() -> None:
    assert [(float(q.value), q.unit) for q in quantities_in("one hundred and twenty milligrams", spelt=True)] == [
        (120, "mg")
    ]
    assert quantities_in("one of us") == ()


def test_a_word_that_begins_like_a_month_is_no_date() -> None:
    assert dates_in("glp 1 agonist, 3 marked, 2 decided, 5 mayor") == ()
    assert len(dates_in("3 March 2024, Sept 4, 5 de agosto de 2023, Jun. 7")) == 4
