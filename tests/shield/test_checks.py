"""The output checks, on small labelled cases; the figures of the shield's README come from ``labelled.json``."""

import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from careplane.records.app import Output
from careplane.records.run import Finding, Source
from careplane.shield.checks import CHECKS, Checked, run_checks, sentences
from careplane.shield.guards.crisis import red_flag

CASES = json.loads((Path(__file__).parent / "labelled.json").read_text(encoding="utf-8"))
SOURCES = tuple(
    Source(n=n, reference=f"X/{n}", label=line["label"], text=line["text"], date=line.get("date"))
    for n, line in enumerate(CASES["sources"], start=1)
)


def findings(text: str, message: str = "", **output: Any) -> tuple[Finding, ...]:
    settings = {"kind": "text", "min_words": 0, "citations": "required", **output}
    checked = Checked(
        text=text, sentences=sentences(text), sources=SOURCES, output=Output(**settings), request_text=message
    )
    return run_checks(checked)


@pytest.mark.parametrize("case", CASES["cases"], ids=lambda case: case["draft"][:50])
def test_labelled(case: dict[str, Any]) -> None:
    found = {finding.check for finding in findings(case["draft"], case.get("message", ""))}
    assert found == set(case["checks"])


def test_length_grade_and_phrases() -> None:
    text = (
        "Consequently, antihypertensive pharmacotherapy necessitates individualised multidisciplinary reconsideration."
    )
    found = findings(
        f"{text} {text}",
        citations="none",
        max_words=5,
        max_reading_grade=8.0,
        required_phrases=("call us",),
        forbidden_phrases=("Pharmacotherapy",),
    )
    assert [f.check for f in found if f.check == "phrases"] == ["phrases", "phrases"]
    assert {"length", "phrases"} <= {finding.check for finding in found}
    assert "reading_grade" in {f.check for f in findings(f"{text} " * 3, citations="none", max_reading_grade=8.0)}


def test_easy_text_passes_the_reading_grade() -> None:
    text = "We got your note. We will send the pills to the shop on your street. Please call us if you feel worse. " * 2
    assert not findings(text, citations="none", max_reading_grade=6.0)


def test_findings_come_gravest_first_and_say_where() -> None:
    found = findings("You take lisinopril daily. You take warfarin daily [1].")
    assert [(finding.check, finding.severity, finding.sentence) for finding in found] == [
        ("drugs", "critical", 1),
        ("citations", "caution", 0),
    ]


def test_a_title_or_an_initial_ends_no_sentence() -> None:
    assert sentences("See Dr. Wong today. J. Smith left. It is 7.2 now [1]. Done") == (
        "See Dr. Wong today.",
        "J. Smith left.",
        "It is 7.2 now [1].",
        "Done",
    )


@given(st.text(max_size=200))
def test_sentences_keep_every_word_and_no_check_fails(text: str) -> None:
    cut = sentences(text)
    assert " ".join(cut).split() == text.split()
    checked = Checked(text=text, sentences=cut, sources=SOURCES, output=Output(kind="text"), request_text=text)
    for check in CHECKS.values():
        assert all(finding.sentence is None or finding.sentence < len(cut) for finding in check(checked))


@pytest.mark.parametrize(
    "message",
    [
        "Also since this morning I have a heavy pressure in my chest.",
        "There is a tightness across\nmy chest",
        "My chest feels really tight",
        "It is like an elephant sitting on my chest",
        "pain in the left side of my chest",
        "I have no fever but chest pressure",
        "I can’t breathe",
        "I took a double dose and now I can hardly breathe.",
        "I have not been well: chest pain",
        "My face looks droopy on one side",
        "Everybody would be better off without me",
        "Tengo presión en el pecho",
        "TENGO UNA OPRESION MUY FUERTE EN EL PECHO",
        "Dolor de pecho desde ayer",
        "Me duele mucho el pecho",
        "no puedo respirar",
        "Me cuesta respirar",
    ],
)
def test_words_of_an_emergency_are_seen(message: str) -> None:
    assert red_flag(message)
    assert red_flag(unicodedata.normalize("NFD", message.upper()))


@pytest.mark.parametrize(
    "message",
    [
        "I bought a pressure cooker for my chest freezer lid",
        "The weight of the chest of drawers hurt my foot",
        "My blood pressure was 120/80; when is the chest x-ray?",
        "My blood pressure on the day of my chest x-ray was fine",
        "I have no pressure in my chest",
        "I don’t have chest pain",
        "My chest is fine",
        "No tengo dolor de pecho",
        "Mi presión arterial está bien y compré una olla a presión",
    ],
)
def test_benign_words_are_no_emergency(message: str) -> None:
    assert red_flag(message) is None


def test_finding_quotes_the_message_in_its_own_words() -> None:
    found = findings("We will call you.", "Tengo presión\nen el pecho.", citations="none")
    assert [f.text for f in found if f.check == "urgent"] == [
        "The message mentions “presión en el pecho”, but the draft does not direct the patient to urgent care."
        " Call the patient now; if there is no answer, send help (911)."
    ]
