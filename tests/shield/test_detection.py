"""What is found: offsets, charts of every shape, names that are words, slips, people and places of no chart."""

import importlib.util
import json
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from careplane.errors import MissingExtra, ShieldError
from careplane.shield.detect import Detector, Detectors, detector_for
from careplane.shield.folding import Folded, canonical, rewrite
from careplane.shield.identifiers import known_identifiers
from careplane.shield.known import one_slip
from careplane.shield.presidio import presidio
from careplane.shield.spans import Span, layered

WHITE: list[dict[str, Any]] = [
    {"resourceType": "Patient", "name": [{"family": "White", "given": ["William"]}], "birthDate": "1961-04-09"},
    {"resourceType": "RelatedPerson", "name": [{"family": "Rodriguez", "given": ["Elizabeth"]}]},
    {"resourceType": "Organization", "name": "North Ridge Medical Center"},
    {"resourceType": "Encounter", "period": {"start": "2024-05-06T10:00:00Z", "end": "2024-05-06"}},
]
ODD = st.text(
    st.one_of(
        st.characters(codec="utf-8"),
        st.sampled_from("\u200b\u00ad\u0301\ufb01\u0130\u00df\uff21\u0430\u738b \n\t-_.@&;%=/0123456789abcXYZ"),
    )
)


def found(text: str, chart: Any = (), *, tagger: bool = True) -> list[str]:
    return [text[span.start : span.end] for span in Detector(known_identifiers(chart), tagger=tagger).find(text)]


@settings(max_examples=200, deadline=None)
@given(ODD)
def test_every_word_leads_back_to_where_it_stands(text: str) -> None:
    folded = Folded(text)
    at = 1
    for word in folded.words:
        start, end = folded.place(*folded.spot(at, at + len(word)))
        assert 0 <= start < end <= len(text)
        assert word in Folded(text[start:end]).canonical
        at += len(word) + 1


@settings(max_examples=200, deadline=None)
@given(ODD, st.sampled_from(["William White", "04/09/1961", "https://a.example/b", "J o h n"]))
def test_spans_are_in_order_apart_and_within_the_text(text: str, inside: str) -> None:
    whole = f"{text} {inside} {text}"
    spans = Detector(known_identifiers(WHITE)).find(whole)
    ends = [0, *(span.end for span in spans)]
    assert all(end <= span.start < span.end <= len(whole) for end, span in zip(ends, spans, strict=False))


def test_replacements_of_another_length_stand_for_the_whole() -> None:
    text, offsets = rewrite("a&amp;b%41c", [(1, 6, "&"), (7, 10, "AAAA")])
    assert text == "a&bAAAAc"
    assert offsets.source(1, 2) == (1, 6)
    assert offsets.source(4, 5) == (7, 10)
    assert offsets.source(7, 8) == (10, 11)


def test_an_earlier_layer_wins_and_nothing_found_stays_open() -> None:
    text = "Ana Cruz, Dayton OH 45402"
    known = [Span(4, 8, "NAME", "p", known=True)]
    patterns = [Span(0, 8, "NAME", "x"), Span(6, 25, "GEO", "y")]
    spans = layered(text, known, patterns)
    assert [(text[span.start : span.end], span.category) for span in spans] == [
        ("Ana Cruz", "NAME"),
        (", Dayton OH 45402", "GEO"),
    ]


@pytest.mark.parametrize(
    ("resource", "where"),
    [
        ("Maria", "Resource 1"),
        ({}, "Resource 1"),
        ({"resourceType": "Patient", "name": "Quackenbush"}, "Patient.name"),
        ({"resourceType": "Patient", "name": [{"given": "Quackenbush"}]}, "Patient.name.given"),
        ({"resourceType": "Patient", "name": [{"family": 5}]}, "Patient.name.family"),
        ({"resourceType": "Patient", "telecom": [["Quackenbush"]]}, "Patient.telecom"),
        ({"resourceType": "Patient", "address": [{"line": [{"a": "Quackenbush"}]}]}, "Patient.address.line"),
        ({"resourceType": "Patient", "birthDate": ["Quackenbush"]}, "Patient.birthDate"),
        ({"resourceType": "Coverage", "subscriberId": 77}, "Coverage.subscriberId"),
        (
            {"resourceType": "Device", "identifier": [{"type": "Quackenbush", "value": "12345"}]},
            "Device.identifier.type",
        ),
        ({"resourceType": "Encounter", "period": {"start": 2024}}, "Encounter.period.start"),
    ],
)
def test_an_odd_chart_is_refused_by_place_and_without_its_values(resource: Any, where: str) -> None:
    with pytest.raises(ShieldError, match=where) as refused:
        known_identifiers([resource])
    assert "Quackenbush" not in str(refused.value)


def test_a_chart_with_nothing_in_it_is_fine() -> None:
    empty: dict[str, Any] = {
        "resourceType": "Patient",
        "name": [{}],
        "telecom": [{}],
        "address": [{}],
        "identifier": [{}],
        "contact": None,
    }
    assert known_identifiers([empty, {"resourceType": "Observation"}]) == ()


FHIR = "http://hl7.org/fhir/StructureDefinition"
XYLANDER = [{"family": "Xylander", "given": ["Ute"]}]


@pytest.mark.parametrize(
    ("resource", "text", "expected"),
    [
        (
            {"resourceType": "Bundle", "entry": [{"resource": {"resourceType": "Patient", "name": XYLANDER}}]},
            "signed by xylander",
            "xylander",
        ),
        (
            {
                "resourceType": "Patient",
                "extension": [{"url": f"{FHIR}/patient-mothersMaidenName", "valueString": "Quillfeather"}],
            },
            "a family of quillfeather",
            "quillfeather",
        ),
        (
            {
                "resourceType": "Patient",
                "extension": [{"url": f"{FHIR}/patient-birthPlace", "valueAddress": {"city": "Zanesfield"}}],
            },
            "grew up in zanesfield",
            "zanesfield",
        ),
        ({"resourceType": "Organization", "contact": [{"name": XYLANDER[0]}]}, "ask xylander", "xylander"),
        ({"resourceType": "ServiceRequest", "identifier": [{"value": "ORDQX7788"}]}, "see ORDQX7788", "ORDQX7788"),
        ({"resourceType": "Specimen", "accessionIdentifier": {"value": "QX77881"}}, "see QX77881", "QX77881"),
        ({"resourceType": "FamilyMemberHistory", "name": "Ute Xylander"}, "aunt xylander", "xylander"),
        ({"resourceType": "Observation", "note": [{"authorString": "Ute Xylander"}]}, "xylander wrote", "xylander"),
        (
            {
                "resourceType": "Patient",
                "generalPractitioner": [{"reference": "urn:uuid:0-1", "display": "Ute Xylander"}],
            },
            "xylander signs",
            "xylander",
        ),
        ({"resourceType": "CareTeam", "telecom": [{"value": "413 555 1234"}]}, "ring 4135551234 now", "4135551234"),
    ],
)
def test_what_else_a_chart_says_of_people(resource: dict[str, Any], text: str, expected: str) -> None:
    assert found(text, [resource], tagger=False) == [expected]


def test_the_numbers_of_what_belongs_to_nobody_stay() -> None:
    chart = [{"resourceType": "Medication", "identifier": [{"value": "NDCQX7788"}]}]
    assert known_identifiers(chart) == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Mr. White came.", ["White"]),
        ("mr. white came", ["white"]),
        ("WHITE, WILLIAM", ["WHITE, WILLIAM"]),
        ("Bill called; Billy White agreed.", ["Bill", "Billy White"]),
        ("white blood count is normal, he will return", []),
        ("She will bill the visit.", []),
        ("Seen with Rodrigguez and Rodriguze.", ["Rodrigguez", "Rodriguze"]),
        ("Lizzie and Liz Rodriguez", ["Lizzie", "Liz Rodriguez"]),
        ("W. White and W.W. were there", ["W. White", "W.W."]),
        ("back to northridge? to North Ridge, or NRMC", ["North Ridge", "NRMC"]),
        ("on 5/6 and May 6th, not 5-6 tablets", ["5/6", "May 6th"]),
        ("white_william@x and WilliamWhite", ["white_william", "WilliamWhite"]),
    ],
)
def test_names_that_are_words_short_forms_and_slips(text: str, expected: list[str]) -> None:
    assert found(text, WHITE, tagger=False) == expected


def test_people_and_places_that_references_name() -> None:
    chart = [
        {
            "resourceType": "Encounter",
            "participant": [{"individual": {"display": "Dr. Ingrid Lindqvist"}}],
            "serviceProvider": {"reference": "Organization/7", "display": "Ashford Heights Hospital"},
            "subject": {"reference": "Patient/1", "display": "Okafor, Tobias"},
            "type": [{"text": "visit", "coding": [{"display": "Office visit"}]}],
            "contained": [{"resourceType": "RelatedPerson", "name": [{"text": "Beatrice Ibsen"}]}],
        }
    ]
    text = "office visit: lindqvist at ashford heights, tobias okafor and b. ibsen"
    assert found(text, chart, tagger=False) == ["lindqvist", "ashford heights", "tobias okafor", "b. ibsen"]


@pytest.mark.parametrize(
    ("given", "family", "text", "expected"),
    [
        (
            "Anh",
            "\u0110\u1ed7",
            "\u0110\u1ed7 was seen; do rest. Saw \u0111\u1ed7's son.",
            ["\u0110\u1ed7", "\u0111\u1ed7"],
        ),
        ("Ed", "Ng", "NG tube in the ED; then Ng's son came with Ed.", ["Ng", "Ed"]),
        ("So", "Do", "So was it; no DO exam; do this. Do not drive. Mr. Do agreed.", ["Do"]),
        ("Stella", "Ek", "Ek's son; Stella Ek's scan, STELLA EK'S", ["Ek", "Stella Ek", "STELLA EK"]),
        ("Wei", "He", "He was seen. Then he saw Dr. He again.", ["He"]),
        ("Will", "Ng", "pt will says ok; pt will return. pt ng reports pain, ng tube out", ["will", "ng"]),
        ("Xi", "O", "Mr. O agreed; 5 U of O negative", ["O"]),
    ],
)
def test_names_of_one_or_two_letters(given: str, family: str, text: str, expected: list[str]) -> None:
    chart = [{"resourceType": "Patient", "name": [{"family": family, "given": [given]}]}]
    assert found(text, chart, tagger=False) == expected


def test_a_year_of_birth_that_tells_an_age_over_89() -> None:
    old, young = ([{"resourceType": "Patient", "birthDate": f"{year}-02-23"}] for year in (1921, 2001))
    assert found("class of 1921 reunion; retired 1985", old, tagger=False) == ["1921"]
    assert found("class of 2001 reunion", young, tagger=False) == []
    assert found("born in 1921 in the south; YOB: 1919; born in 1987", tagger=False) == ["1921", "1919"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Vehicle plate BHT-4471 was seen", ["BHT-4471"]),
        ("Accession S23-69692, claim # CLM88213", ["S23-69692", "CLM88213"]),
        ("DOB02/23/1957", ["02/23/1957"]),
        ("Accession: 22-0098123", ["22-0098123"]),
        ("Her aunt died at 97; he lived to be old; she is 93.", ["97", "93"]),
        ("SpO2 is 93; he is 98 kg; died at 62", []),
        ("a ninety-two year old woman", ["ninety-two"]),
        ("Sat 3/4 and the week of 3/14, not 3/4 strength", ["3/4", "3/14"]),
        (
            "Neighbor Genevieve Tollman drove; social worker Imani Whitlock called",
            ["Genevieve Tollman", "Imani Whitlock"],
        ),
        ("Mother Denies pain. Attn Radiology. Wife Will call. Interpreter Used.", []),
    ],
)
def test_patterns_without_a_chart(text: str, expected: list[str]) -> None:
    assert found(text, tagger=False) == expected


@pytest.mark.parametrize("slip", ["marquis", "marqez", "marrquez", "marquwez", "mqrquez"])
def test_one_slip(slip: str) -> None:
    assert one_slip(slip, "marquez") is (slip != "marquis")


def test_three_letters_make_no_slip() -> None:
    assert not one_slip("wong", "wang")
    assert not one_slip("lang", "wang")
    assert one_slip("wnag", "wang")


@pytest.mark.parametrize(
    "text",
    [
        "Parkinson's disease, Crohn's disease and a Foley catheter; Babinski negative.",
        "Wells score 3, CHA2DS2-VASc 4, Framingham Risk Score 12 %, Apgar 9.",
        "Continue Lasix 40 mg and Plavix; hold Coumadin. Started Keppra in April.",
        "In May the pain will march on. Mark the date, and bill later.",
        "no murmurs, gallops or rubs. lungs are clear. knee is stable on lachman test",
        "ECG, MRI, CT, HbA1c, SpO2 and eGFR were normal. BP 120/80, pain 4/10, 2-3 tablets.",
        "Current guidelines of the ACC/AHA for COPD in an African American male",
        "Strength 5/5. L4-L5 disc. Grade 2/6 murmur. 1:1 sitter. T 37.2, HR 72, RR 16.",
    ],
)
def test_clinical_words_are_left_alone(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("She was brought in by a friend, Olga Petrova, from Tallahassee.", ["Olga Petrova", "Tallahassee"]),
        ("Discussed with Hernandez by phone.", ["Hernandez"]),
        ("best statin for Martha K., seen at Cedars-Sinai?", ["Martha K.", "Cedars-Sinai"]),
        ("[doctor] hi , brandon . how are you ?\n[patient] good , dr. white .", ["brandon", "white"]),
        ("She was seen at St. Luke's last week.", ["St. Luke's", "last week"]),
    ],
)
def test_the_tagger_finds_whom_nothing_names(text: str, expected: list[str]) -> None:
    assert found(text) == expected
    assert found(text, tagger=False) != expected


def test_a_detector_is_kept_by_chart_in_bounds() -> None:
    kept = Detectors(size=2)
    first = kept.of(WHITE)
    assert kept.of(json.loads(json.dumps(WHITE))) is first
    assert kept.of(WHITE[:1]) is not first
    kept.of(WHITE[:2])
    assert kept.of(WHITE) is not first
    old = Detectors(seconds=-1.0)
    assert old.of(WHITE) is not old.of(WHITE)
    with pytest.raises(ShieldError):
        kept.of([{"resourceType": "Patient", "name": object()}])


def test_the_files_of_the_tagger_are_small_and_hold_single_words() -> None:
    folder = files("careplane.shield")
    sizes = [
        len(folder.joinpath(*path).read_bytes())
        for path in (("words", "lexicon.txt.gz"), ("tagger", "weights.json.gz"))
    ]
    assert sum(sizes) < 3_000_000
    assert folder.joinpath("tagger", "MODEL_CARD.md").is_file()


def test_presidio_says_how_to_get_it_or_adds_what_it_finds() -> None:
    if importlib.util.find_spec("presidio_analyzer") is None:
        with pytest.raises(MissingExtra, match="uv sync --extra presidio"):
            presidio()
        return
    detector = Detector((), tagger=False, more=[presidio()])
    assert [(span.start, span.end) for span in detector.find("John Smith left.")] == [(0, 10)]


@pytest.mark.parametrize(("corpus", "least"), [("ctxnotes_fhir_context", 0.998), ("asq_phi", 0.99)])
def test_corpora_through_the_command_line(shared: Path, tmp_path: Path, corpus: str, least: float) -> None:
    """A guard against regressions: the shipped tagger was trained on these texts, its model card has honest figures."""
    labelled = shared / "data/privacy" / f"{corpus}.jsonl"
    cases = subprocess.run([sys.executable, shared / "tools/phi_cases.py", labelled], capture_output=True, check=True)
    scan = [sys.executable, "-m", "careplane", "shield", "scan", "--input", "-"]
    answered = subprocess.run(scan, input=cases.stdout, capture_output=True, check=True)
    (tmp_path / "found.jsonl").write_bytes(answered.stdout)
    score: list[str | Path] = [
        sys.executable,
        shared / "tools/phi_score.py",
        labelled,
        tmp_path / "found.jsonl",
        "--json",
    ]
    figures = json.loads(subprocess.run(score, capture_output=True, check=True).stdout)
    assert figures["recall"] >= least
    assert figures["over"] <= 0.01
    if figures["known"]:
        hit, all_known = figures["known"]["known"]
        assert hit / all_known >= 0.998


def test_canonical_forms() -> None:
    assert canonical("M\u00dc\u00d1OZ,  Mar\u200b\u00eda_Elena") == "munoz maria elena"


@pytest.mark.parametrize("text", ["x00482917", "617-442-9085h", "tel6174429085home", "mrn04829170now"])
def test_long_numbers_of_the_chart_are_found_whatever_letters_adjoin(text: str) -> None:
    chart = [
        {
            "resourceType": "Patient",
            "id": "p",
            "identifier": [{"value": "00482917"}, {"value": "4829170"}],
            "telecom": [{"system": "phone", "value": "617-442-9085"}],
        }
    ]
    (span,) = [one for one in detector_for(chart, tagger=False).find(text) if one.known]
    assert "".join(filter(str.isdigit, text)) == "".join(filter(str.isdigit, text[span.start : span.end]))
