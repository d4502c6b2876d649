"""Identifiers out, surrogates in, originals back."""

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from careplane.errors import Refused, ShieldError
from careplane.records.model import Message
from careplane.shield import Protected, lifelike, protect
from careplane.shield.checked import citations
from careplane.shield.spans import Span, layered

CHART: list[dict[str, Any]] = [
    {
        "resourceType": "Patient",
        "id": "pat-000123",
        "name": [{"family": "Muñoz", "given": ["Maria", "Elena"]}],
        "birthDate": "1980-02-03",
        "telecom": [{"system": "phone", "value": "(555) 234-5678"}],
        "identifier": [{"type": {"coding": [{"code": "MR"}]}, "value": "00123456"}],
        "address": [{"line": ["12 Elm Street"], "city": "Springfield", "postalCode": "62704"}],
        "contact": [{"name": {"family": "Okafor", "given": ["Daniel"]}}],
    },
    {"resourceType": "Practitioner", "name": [{"text": "Dr. John Q. Smith"}]},
    {"resourceType": "Organization", "name": "Olson Clinic"},
]


def sent(text: str, policy: str = "deidentified", surrogates: str = "bracketed", chart: Any = CHART) -> Protected:
    return protect([Message(role="user", content=text)], chart, policy, surrogates)


@pytest.mark.parametrize(
    "words",
    [
        "Maria Muñoz",
        "Munoz, Maria",
        "MARIA E. MUNOZ",
        "maria\u00a0elena mun\u0303oz",
        "Ma\u200bria",
        "Mu\u00adñoz",
        "Maria_Munoz",
        "Ｍａｒｉａ",
        "2/3/80",
        "February 3rd, 1980",
        "3 Feb 1980",
        "1980-02-03",
        "555.234.5678",
        "+1 (555) 234-5678",
        "123456",
        "00123456",
        "00-123456",
        "12 elm st",
        "SPRINGFIELD",
        "62704",
        "Okafor",
        "J. Smith",
        "olson clinic",
        "pat-000123",
    ],
)
def test_what_the_chart_knows_is_found_however_it_is_written(words: str) -> None:
    outgoing = sent(f"before {words} after").messages[0].content
    assert words not in outgoing
    assert outgoing.startswith("before [")
    assert outgoing.endswith("] after")


@pytest.mark.parametrize(
    ("text", "identifier"),
    [
        ("Call 312-555-0188.", "312-555-0188"),
        ("Mail me at a.b@example.com.", "a.b@example.com"),
        ("Mail me at john_doe@example.com.", "john"),
        ("Seen at Lakeview Medical Center.", "Lakeview"),
        ("From Dayton, OH.", "Dayton"),
        ("SSN 123-45-6789", "123-45-6789"),
        ("Seen on March 5, 2024", "March 5, 2024"),
        ("Seen 03/05/2024.", "03/05/2024"),
        ("a 93-year-old woman", "93"),
        ("see https://example.org/x?y", "https://example.org/x?y"),
        ("from 10.1.2.3", "10.1.2.3"),
        ("Account number 4455667788", "4455667788"),
        ("Member ID: YXA158616291", "YXA158616291"),
        ("Dr. Alice Wong called", "Alice Wong"),
        ("my daughter Maria", "Maria"),
        ("lives at 77 Oak Hollow Road", "77 Oak Hollow Road"),
    ],
)
def test_patterns_find_what_no_chart_names(text: str, identifier: str) -> None:
    assert identifier not in sent(text, chart=()).messages[0].content


@pytest.mark.parametrize(
    "text",
    [
        "lisinopril 10 mg twice a day, BP 120/80, A1c 7.2 % [1], see [12].",
        "Since 2019 a 72-year-old with type 2 diabetes; hemoglobin 13.5 g/dL.",
        "Will this hurt? It may. Mark the date.",
    ],
)
def test_clinical_text_is_left_alone(text: str) -> None:
    assert sent(text, chart=()).messages[0].content == text


def test_one_person_keeps_one_number_and_no_surrogate_is_a_citation() -> None:
    protected = sent("Maria Munoz came. MUNOZ left. Maria Munoz slept.")
    words = [word.strip(".") for word in protected.messages[0].content.split() if word.startswith("[")]
    assert words[0] == words[2]
    assert words[1] == words[0].replace("]", "-2]")
    assert protected.count == 2
    assert citations(protected.messages[0].content) == []


def test_policies() -> None:
    text = "Maria Munoz of Springfield, seen 2024-03-05, 12 Elm Street"
    assert sent(text, "identifiable").messages[0].content == text
    limited = sent(text, "limited").messages[0].content
    assert "Springfield" in limited
    assert "2024-03-05" in limited
    assert "Munoz" not in limited
    assert "Elm" not in limited
    with pytest.raises(Refused) as refused:
        sent(text, "none")
    assert "Munoz" not in str(refused.value)
    assert sent("nothing to hide", "none").messages[0].content == "nothing to hide"


@pytest.mark.parametrize(
    ("policy", "surrogates", "chart"),
    [
        ("whatever", "bracketed", CHART),
        ("deidentified", "whatever", CHART),
        ("deidentified", "bracketed", ["not a resource"]),
        ("deidentified", "bracketed", [{"resourceType": "Patient", "name": [{"family": 5}]}]),
    ],
)
def test_when_it_cannot_work_nothing_leaves(policy: str, surrogates: str, chart: Any) -> None:
    with pytest.raises(ShieldError):
        sent("Maria Munoz", policy, surrogates, chart)


@pytest.mark.parametrize(
    "rewrite",
    [
        str.lower,
        lambda text: text.replace("[", "").replace("]", ""),
        lambda text: text.replace("[", "\\[").replace("]", "\\]"),
        lambda text: text.replace("-", "\u2011"),
        lambda text: text.replace("-", "\u00a0"),
        lambda text: f"**{text}**",
    ],
)
def test_rewritten_surrogates_come_back(rewrite: Any) -> None:
    protected = sent("Maria Munoz")
    assert "Maria Munoz" in protected.restore(rewrite(protected.messages[0].content))


def test_text_that_looks_like_a_surrogate_is_left_alone() -> None:
    text = " ".join(f"[NAME-{number}]" for number in range(100, 990)) + " Maria Munoz"
    protected = sent(text)
    assert protected.restore(protected.messages[0].content) == text


NAMES = ("Maria", "Munoz", "MUÑOZ", "Maria Munoz", "Dr. Wong", "Okafor", "555-234-5678", "2/3/80", "a_b@co.uk")
MARKS = ("[1]", "[", "]", "\\", "NAME-", "-2", "[NAME-417]", "10 mg", "\n", "_", "\u00a0", "İß", "e\u0301", ",", ".")
WORDS = st.sampled_from(NAMES + MARKS)
TEXTS = st.lists(WORDS | st.text(max_size=4), max_size=14).flatmap(
    lambda words: st.sampled_from(["", " "]).map(lambda gap: gap.join(words))
)


@settings(max_examples=150, deadline=None)
@given(TEXTS, st.sampled_from(["bracketed", "realistic"]), st.sampled_from(["deidentified", "limited"]))
def test_restoring_gives_the_text_byte_for_byte(text: str, surrogates: str, policy: str) -> None:
    protected = sent(text, policy, surrogates)
    assert protected.restore(protected.messages[0].content) == text


@settings(max_examples=150, deadline=None)
@given(TEXTS, st.sampled_from(["bracketed", "realistic"]), st.booleans(), st.lists(st.integers(1, 9), min_size=5))
def test_any_cutting_of_a_stream_gives_the_whole(text: str, surrogates: str, twice: bool, steps: list[int]) -> None:
    protected = sent(f"Maria Munoz {text}", surrogates=surrogates)
    outgoing = protected.messages[0].content
    reply = outgoing + outgoing.lower() if twice else outgoing
    restorer = protected.restorer()
    out, at = "", 0
    for step in itertools.cycle(steps):
        out += restorer.feed(reply[at : at + step])
        assert restorer.held <= protected.aliases.longest
        at += step
        if at >= len(reply):
            break
    assert out + restorer.finish() == protected.restore(reply)


def test_what_is_left_of_an_overlapped_find_is_no_place_when_it_is_only_a_space() -> None:
    overlapping = [Span(0, 6, "STREET", "a"), Span(4, 7, "GEO", "b")]
    assert layered("12 Oak , x", overlapping) == [Span(0, 6, "STREET", "a")]
    assert lifelike.draw("GEO", " ", lambda _: True) is None
