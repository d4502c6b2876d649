"""Whole requests: every text of them is protected, tool-call JSON stays JSON, and all of it comes back."""

import json
import re
from datetime import date, datetime
from typing import Any

import pytest
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st

from careplane.errors import Refused, ShieldError
from careplane.shield import Shield

CHART: list[dict[str, Any]] = [
    {
        "resourceType": "Patient",
        "id": "pat-000123",
        "name": [{"family": "Mu\u00f1oz", "given": ["Maria", "Elena"]}],
        "birthDate": "1980-02-03",
        "telecom": [{"system": "phone", "value": "(413) 867-5309"}],
        "identifier": [{"type": {"coding": [{"code": "MR"}]}, "value": "00731946"}],
        "address": [{"line": ["12 Elm Street"], "city": "Springfield", "postalCode": "62704"}],
    },
    {"resourceType": "Practitioner", "id": "d1", "name": [{"family": "Okafor", "given": ["Daniel"]}]},
]
SECRETS = (
    "Mu\u00f1oz",
    "Munoz",
    "Maria",
    "Springfield",
    "867-5309",
    "731946",
    "Okafor",
    "Elm Street",
    "62704",
    "\\u00f1oz",
)
ARGUMENTS = (
    '{ "patient" : "Mar\\u0069a Mu\\u00f1oz", "mrn":731946,"note":"saw \\"Mu\u00f1oz\\"\\n\\tin Springfield \\\\",'
    '"Maria Munoz": [true, null, 1.5e3, {"dob": "1980-02-03", "n": "00731946"}], "smile": "\\ud83d\\ude00 Okafor"}'
)
BODY: dict[str, Any] = {
    "messages": [
        {"role": "system", "content": "You help Dr. Okafor."},
        {"role": "user", "name": "Maria_Munoz", "content": [{"type": "text", "text": "Maria Munoz of Springfield"}]},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "call_1", "type": "function", "function": {"name": "find_patient", "arguments": ARGUMENTS}}
            ],
        },
        {
            "role": "tool",
            "tool_call_id": "call_1",
            "content": '{"found": "Mar\\u0069a Munoz", "phone": "413-867-5309"}',
        },
        {"role": "assistant", "content": "MUNOZ was seen 2024-03-05.", "refusal": None},
    ],
    "tools": [
        {
            "type": "function",
            "function": {
                "name": "find_patient",
                "description": "Finds patients of Dr. Okafor",
                "parameters": {
                    "type": "object",
                    "properties": {"name": {"type": "string", "description": "e.g. Maria Munoz", "enum": ["Munoz"]}},
                    "required": ["name"],
                },
            },
        }
    ],
    "response_format": {"type": "json_schema", "json_schema": {"name": "out", "schema": {"title": "About Munoz"}}},
    "metadata": {"case": "00731946"},
    "user": "Maria Munoz",
    "stop": ["Munoz"],
    "max_tokens": 100,
    "temperature": 0.5,
}
STYLES: list[dict[str, Any]] = [
    {"surrogates": "bracketed"},
    {"surrogates": "realistic"},
    {"surrogates": "bracketed", "dates": "shifted"},
    {"surrogates": "realistic", "dates": "shifted"},
]


@pytest.mark.parametrize("options", STYLES)
def test_nothing_known_is_left_anywhere_in_the_request(options: dict[str, Any]) -> None:
    before = json.dumps(BODY)
    protected = Shield(CHART, **options).request(BODY)
    sent = json.dumps(protected.body, ensure_ascii=False)
    found = [secret for secret in SECRETS if secret.lower() in sent.lower()]
    assert not found, sent
    assert json.dumps(BODY) == before
    assert protected.body["max_tokens"] == 100
    assert [message["role"] for message in protected.body["messages"]] == [m["role"] for m in BODY["messages"]]
    assert protected.body["tools"][0]["function"]["name"] == "find_patient"
    assert protected.body["tools"][0]["function"]["parameters"]["required"] == ["name"]


@pytest.mark.parametrize("options", STYLES)
@pytest.mark.parametrize("size", [1, 3, 7, 1000])
def test_tool_arguments_stay_json_and_come_back_byte_for_byte(options: dict[str, Any], size: int) -> None:
    protected = Shield(CHART, **options).request(BODY)
    sent = protected.body["messages"][2]["tool_calls"][0]["function"]["arguments"]
    assert set(json.loads(sent)) > {"patient", "mrn", "note", "smile"}
    assert "Maria Munoz" not in json.loads(sent)
    restorer = protected.json_restorer()
    back = "".join(restorer.feed(sent[at : at + size]) for at in range(0, len(sent), size)) + restorer.finish()
    assert back == ARGUMENTS
    assert protected.restore_json(sent) == ARGUMENTS


def test_originals_are_escaped_where_they_go_into_json() -> None:
    odd = 'Q"u\\o\nt\u00e9 Smith'
    chart = [{"resourceType": "Organization", "id": "o", "name": odd}]
    protected = Shield(chart).texts([f"from {odd} today"])
    surrogate = re.search(r"\[GEO-\d+\]", protected.texts[0])
    assert surrogate
    for written in (surrogate.group(), surrogate.group().lower(), surrogate.group()[1:-1]):
        for text in (
            json.dumps({"a": f"x {written} y", written: [written]}),
            json.dumps({"a": f"\n{written}\n", "b": f'"{written}"'}, indent=1),
            json.dumps({"a": f"\\[{written.strip('[]')}\\]"}),
            '{"a": "\\u005b' + written.strip("[]").replace("-", "\\u002d") + '\\u005d"}',
        ):
            restored = json.loads(protected.restore_json(text))
            assert any(odd in value for value in restored.values() if isinstance(value, str)), text


def test_the_same_words_get_the_same_surrogate_and_one_person_one_number() -> None:
    protected = Shield(CHART).request(BODY)
    numbers = set(re.findall(r"\[NAME-(\d+)(?:-\d+)?\]", json.dumps(protected.body)))
    assert len(numbers) == 2  # the patient and the clinician
    assert protected.body["stop"] == protected.body["tools"][0]["function"]["parameters"]["properties"]["name"]["enum"]


def test_one_person_keeps_one_invented_name() -> None:
    text = "Maria Munoz came; Munoz, Maria went; MUNOZ ate; before Maria after; M. Munoz left"
    out = Shield(CHART, surrogates="realistic").texts([text]).texts[0]
    first, last = out.split()[:2]
    assert out == (
        f"{first} {last} came; {last}, {first} went; {last.upper()} ate; before {first} after; {first[0]}. {last} left"
    )


@pytest.mark.parametrize("options", STYLES)
def test_surrogates_are_random_and_hold_no_original(options: dict[str, Any]) -> None:
    text = (
        "Maria Elena Munoz, 12 Elm Street, Springfield 62704, (413) 867-5309, mm@mail.example, MRN 00731946, "
        "Dr. Okafor, SSN 219-09-9999, born 1980-02-03, seen March 5, 2024, 10.1.2.3, https://x.example/y, "
        "account 77881234, a 93-year-old"
    )
    outgoing = [Shield(CHART, **options).texts([text]) for _ in range(12)]
    assert len({one.texts[0] for one in outgoing}) == 12
    for one in outgoing:
        originals = [meaning.told("") for meaning in one.aliases.exact.values()]
        for surrogate in one.aliases.exact:
            assert not any(original.lower() in surrogate.lower() for original in originals)
    again = [set(one.aliases.exact) for one in outgoing]
    kept = again[0].intersection(*again[1:])
    assert not kept


def test_lifelike_surrogates_keep_category_and_shape() -> None:
    text = "Call (413) 867-5309, mail tq77@mail.example, MRN 00731946, SSN 219-09-9999, 12 Elm Street, 10.1.2.3"
    out = Shield(CHART, surrogates="realistic").texts([text]).texts[0]
    assert re.fullmatch(
        r"Call \([2-9]\d\d\) 555-01\d\d, mail [a-z]+\d\d@example\.org, MRN [1-9]\d{7}, SSN 9\d\d-\d\d-\d{4}, "
        r"\d+ [A-Z][a-z]+ Street, (192\.0\.2|198\.51\.100|203\.0\.113)\.\d+",
        out,
    )


def test_shifted_dates_keep_interval_weekday_and_format() -> None:
    text = "Seen Tuesday 2024-03-05, again 03/12/2024 and on March 26, 2024. Born 1980-02-03, mother born 1925-01-01."
    for _ in range(10):
        out = Shield(CHART, dates="shifted").texts([text]).texts[0]
        found = re.fullmatch(
            r"Seen Tuesday (\d{4}-\d\d-\d\d), again (\d\d/\d\d/\d{4}) and on (\w+ \d+, \d{4}). "
            r"Born (\d{4}-\d\d-\d\d), mother born \[DATE-\d+\]\.",
            out,
        )
        assert found, out
        days = [
            datetime.strptime(day, form).date()  # noqa: DTZ007
            for day, form in zip(found.groups(), ("%Y-%m-%d", "%m/%d/%Y", "%B %d, %Y", "%Y-%m-%d"), strict=True)
        ]
        assert [(day - days[0]).days for day in days[:3]] == [0, 7, 21]
        assert days[0].weekday() == 1
        assert 0 < abs((days[0] - date(2024, 3, 5)).days) <= 364


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
        {"type": "file", "file": {"file_id": "f"}},
        {"type": "Maria Munoz"},
    ],
)
def test_what_is_no_text_is_refused_unless_the_policy_is_identifiable(part: dict[str, Any]) -> None:
    body = {"messages": [{"role": "user", "content": [{"type": "text", "text": "look"}, part]}]}
    for policy in ("limited", "deidentified", "none"):
        with pytest.raises(Refused) as refused:
            Shield(CHART, policy).request(body)
        assert "identifiable" in refused.value.way_out
        assert "Munoz" not in str(refused.value)
    assert Shield(CHART, "identifiable").request(body).body == body


def test_a_function_named_after_a_person_is_refused_without_the_name() -> None:
    body = {"messages": [], "tools": [{"type": "function", "function": {"name": "call_okafor", "parameters": {}}}]}
    with pytest.raises(Refused) as refused:
        Shield(CHART).request(body)
    assert "okafor" not in str(refused.value).lower()
    assert "function name" in str(refused.value)
    odd: list[dict[str, Any]] = [
        {"metadata": {"Maria Munoz": "1"}},
        {"tools": [{"parameters": {"properties": {"dr_okafor": {}}}}]},
    ]
    for fields in odd:
        with pytest.raises(Refused) as refused:
            Shield(CHART).request({"messages": [], **fields})
        assert "name of a field" in str(refused.value)


def test_the_policy_none_looks_everywhere() -> None:
    for body in (
        {"messages": [{"role": "user", "content": "hi"}], "user": "Maria Munoz"},
        {"messages": [{"role": "tool", "content": "Okafor"}]},
        {"messages": [{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": ARGUMENTS}}]}]},
        {"texts": ["fine", "62704 Springfield"]},
    ):
        with pytest.raises(Refused):
            Shield(CHART, "none").request(body)


def test_texts_for_embeddings() -> None:
    protected = Shield(CHART).texts(["Maria Munoz came", "", "fever"])
    assert protected.texts[1:] == ("", "fever")
    assert "Munoz" not in protected.texts[0]
    assert protected.count == 1


def test_without_identifiers_nothing_is_held_and_the_text_is_the_same_object() -> None:
    protected = Shield(CHART).request({"messages": [{"role": "user", "content": "any fever?"}]})
    restorer = protected.restorer()
    piece = "[NAME-"
    assert restorer.feed(piece) is piece
    assert (protected.count, restorer.held, restorer.finish()) == (0, 0, "")


def test_several_streams_do_not_disturb_each_other() -> None:
    protected = Shield(CHART).texts(["Maria Munoz", "Okafor"])
    one, two = protected.texts
    first, second, third = protected.restorer(), protected.restorer(), protected.json_restorer()
    out = ["", "", ""]
    for at in range(12):
        out[0] += first.feed(one[at : at + 1])
        out[1] += second.feed(two[at : at + 1])
        out[2] += third.feed(f'"{one}"'[at : at + 1])
    assert out[0] + first.finish() == "Maria Munoz"
    assert out[1] + second.finish() == "Okafor"
    assert out[2] + third.finish() == '"Maria Munoz"'


@pytest.mark.parametrize("value", [object(), {1, 2}, b"bytes"])
def test_what_is_no_json_fails_closed(value: object) -> None:
    with pytest.raises(ShieldError):
        Shield(CHART).request({"messages": [{"role": "user", "content": value}]})
    deep: Any = "Maria"
    for _ in range(100):
        deep = [deep]
    with pytest.raises(ShieldError):
        Shield(CHART).request({"messages": [], "x": deep})


@pytest.mark.parametrize("options", [{"dates": "later"}, {"surrogates": "funny"}, {"policy": "loose"}])
def test_an_unknown_policy_fails_closed(options: dict[str, Any]) -> None:
    with pytest.raises(ShieldError):
        Shield(CHART, **options)


NAMES = ("Maria", "Munoz", "MU\u00d1OZ", "Maria Munoz", "Munoz, Maria", "Okafor", "Springfield, IL 62704", "12 elm st")
NUMBERS = ("413-867-5309", "(413) 867-5309", "00731946", "a_b@co.uk", "2/3/80", "March 5, 2024", "2024-03-05T10:00")
MARKS = (
    "[1]",
    "[",
    "]",
    "\\",
    "NAME-",
    "-2",
    "[NAME-417]",
    "10 mg",
    "\n",
    "_",
    "\u00a0",
    "\u0130\u00df",
    ",",
    '"',
    "&#91;",
)
WORDS = st.sampled_from(NAMES + NUMBERS + MARKS)
TEXTS = st.lists(WORDS | st.text(max_size=4), max_size=10).flatmap(
    lambda words: st.sampled_from(["", " "]).map(lambda gap: gap.join(words))
)
LEAVES = (
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS
)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=8
)


@settings(max_examples=150, deadline=None)
@drawn(VALUES, st.sampled_from(STYLES), st.booleans(), st.sampled_from([None, 1]), st.integers(1, 9))
def test_any_json_comes_back_byte_for_byte(
    value: Any, options: dict[str, Any], ascii_only: bool, indent: int | None, size: int
) -> None:
    source = json.dumps({"a": value}, ensure_ascii=ascii_only, indent=indent)
    body = {"messages": [{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": source}}]}]}
    protected = Shield(CHART, **options).request(body)
    sent = protected.body["messages"][0]["tool_calls"][0]["function"]["arguments"]
    json.loads(sent)
    restorer = protected.json_restorer()
    back = "".join(restorer.feed(sent[at : at + size]) for at in range(0, len(sent), size)) + restorer.finish()
    assert back == source


@settings(max_examples=150, deadline=None)
@drawn(st.lists(TEXTS, min_size=1, max_size=3), st.sampled_from(STYLES), st.integers(1, 9))
def test_any_texts_come_back_byte_for_byte(given: list[str], options: dict[str, Any], size: int) -> None:
    protected = Shield(CHART, **options).texts(given)
    for text, sent in zip(given, protected.texts, strict=True):
        restorer = protected.restorer()
        out = "".join(restorer.feed(sent[at : at + size]) for at in range(0, len(sent), size)) + restorer.finish()
        assert out == text
