"""Tools by allow-list, arguments by schema, and one patient per run."""

import json
from typing import Any

import pytest

from careplane.errors import InputError
from careplane.records.model import ToolCall, ToolDelta
from careplane.shield.guards import PatientScope, ToolPolicy, ToolStream, one_patient

PATIENT = {
    "resourceType": "Patient",
    "id": "123",
    "identifier": [{"system": "urn:mrn", "value": "MRN-00441"}, {"value": "XK-7781"}],
    "name": [{"family": "Quill", "given": ["Maria", "José"]}],
}
SCOPE = PatientScope.of("Patient/123", [PATIENT, {**PATIENT, "id": "9", "identifier": [{"value": "other"}]}])
SCHEMA = {
    "type": "object",
    "properties": {"code": {"type": "string", "pattern": "^[0-9-]+$"}, "limit": {"type": "integer", "maximum": 50}},
    "required": ["code"],
    "additionalProperties": False,
}


def call(arguments: Any, name: str = "find") -> ToolCall:
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    return ToolCall(id="1", name=name, arguments=text)


@pytest.mark.parametrize(
    "arguments",
    [
        {"patient": "Patient/123"},
        {"patient_id": "123"},
        {"patientId": 123},
        {"mrn": "00441"},
        {"mrn": "mrn 441"},
        {"patient": {"id": "123", "name": "Quill, Maria"}},
        {"patient": {"identifier": {"system": "urn:mrn", "value": "XK7781"}}},
        {"patient_name": "María José Quill"},
        {"query": "Observation?patient=123&code=2345-7"},
        {"url": "https://ehr.example/fhir/Patient/123/$everything"},
        {"query": "Patient?identifier=urn:mrn|MRN-00441"},
        {"subject": "Your lab results", "text": "The patient = stable. MRN: MRN-00441."},
        {"encounter": "Encounter/77", "practitioner": "Practitioner/9"},
    ],
)
def test_the_own_patient_passes(arguments: dict[str, Any]) -> None:
    assert ToolPolicy(["find"], patient=SCOPE).judge(call(arguments)).allowed


@pytest.mark.parametrize(
    "arguments",
    [
        {"patient": "Patient/9"},
        {"patient": "patient/9"},
        {"patient": "*"},
        {"patient": "all"},
        {"patients": ["123", "9"]},
        {"patientId": 124},
        {"patient-id": "Patient/123x"},
        {"mrn": "442"},
        {"person": {"id": "9"}},
        {"patient": {"reference": "Patient/9"}},
        {"patient": "John Doe"},
        {"patient": {"name": {"family": "Doe"}}},
        {"patientName": "Doe, John"},
        {"query": "Observation?subject:Patient=9"},
        {"query": "Observation?patient.identifier=urn:mrn|999"},
        {"query": "Observation?code=1&patient%3D9"},
        {"query": "Patient?name=Doe"},
        {"query": "Patient?_id=123&_id=9"},
        {"url": "https://ehr.example/fhir/Patient%2F9/$everything"},
        {"url": "Patient\\/9"},
        {"url": "Patient/$match"},
        {"body": '{"subject": {"reference": "Patient/9"}}'},
        {"text": "Look up MRN 9912345 too"},
        {"a": [{"b": {"c": "see Patient/9"}}]},
    ],
)
def test_another_patient_is_denied(arguments: dict[str, Any]) -> None:
    said = ToolPolicy(["find"], patient=SCOPE).judge(call(arguments))
    assert not said.allowed
    assert {reason.rule for reason in said.reasons} == {"one_patient"}
    assert "Doe" not in said.text
    assert "9912345" not in said.text


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ({"code": "1"}, ""),
        ({"code": 1}, "$.code: must be of type string"),
        ({"code": "x"}, "$.code: does not meet pattern"),
        ({"limit": 99, "code": "1"}, "$.limit: does not meet maximum 50"),
        ({"code": "1", "other": 1}, "has a property"),
        ({}, "lacks code"),
        ('{"code": "1", "code": "2"}', "twice"),
        ('{"code": "1", "limit": NaN}', "NaN"),
        ("[]", "no JSON object"),
        ("{", "is not JSON"),
        ("[" * 100_000, "deeply"),
    ],
)
def test_arguments_meet_their_schema(arguments: Any, part: str) -> None:
    said = ToolPolicy(["find"], {"find": SCHEMA}).judge(call(arguments))
    assert said.allowed == (part == "")
    assert part in said.text


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "https://evil.example/schema.json"},
        {"$ref": "file:///etc/passwd"},
        {"type": "nonsense"},
        {"properties": {"a": {"pattern": "(a)\\1"}}},
        {"patternProperties": {"(a+)+$": {}}},
    ],
)
def test_dangerous_schemas_are_refused(schema: dict[str, Any]) -> None:
    with pytest.raises(InputError) as error:
        ToolPolicy(["find"], {"find": schema})
    assert error.value.field == "tools.find.parameters"


def test_endless_schema_and_slow_pattern_end() -> None:
    assert not ToolPolicy(["find"], {"find": {"$ref": "#"}}).judge(call({})).allowed
    slow = {"properties": {"a": {"type": "string", "pattern": "^(a+)+$"}}}
    assert not ToolPolicy(["find"], {"find": slow}).judge(call({"a": "a" * 5000 + "b"})).allowed


def test_only_named_functions_are_offered_and_called() -> None:
    tools = [{"type": "function", "function": {"name": name, "parameters": SCHEMA}} for name in ("find", "order")]
    policy = ToolPolicy.of_body(["find"], {"tools": tools})
    assert policy.offer([*tools, {"type": "web_search"}]) == ([tools[0]], ["order", "web_search"])
    assert not policy.judge(call({"code": "1"}, "order")).allowed
    assert not policy.judge(call({"code": 1})).allowed
    assert not ToolPolicy([]).judge(call({})).allowed


def test_streamed_calls_are_judged_whole() -> None:
    stream = ToolStream(ToolPolicy(["find"], {"find": SCHEMA}))
    got = stream.feed(
        [
            ToolDelta(index=0, id="a", name="find", arguments='{"co'),
            ToolDelta(index=0, arguments='de": "1"}'),
            ToolDelta(index=1, id="b", name="order", arguments="{}"),
            ToolDelta(index=0, name="find", arguments='{"code": "2"}'),
        ]
    )
    got += stream.finish()
    assert [(one.call.id, one.call.name, one.verdict.allowed) for one in got] == [
        ("a", "find", True),
        ("b", "order", False),
        ("", "find", False),
    ]
    assert got[0].call.arguments == '{"code": "1"}'


def test_a_streamed_call_cannot_change_its_name_or_grow_without_end() -> None:
    stream = ToolStream(ToolPolicy(["find"]), longest=10)
    stream.feed([ToolDelta(index=0, name="find", arguments="{}"), ToolDelta(index=0, name="order")])
    assert [one.verdict.allowed for one in stream.finish()] == [False]
    stream.feed([ToolDelta(index=1, name="find", arguments=" " * 11)])
    assert [one.verdict.allowed for one in stream.finish()] == [False]
    assert stream.finish() == []


def observation(patient: str, **more: Any) -> dict[str, Any]:
    return {"resourceType": "Observation", "id": "o", "subject": {"reference": patient}, **more}


def bundle(*resources: dict[str, Any], **urls: str) -> dict[str, Any]:
    entries = [
        {"resource": one, **({"fullUrl": urls[one["id"]]} if one.get("id") in urls else {})} for one in resources
    ]
    return {"resourceType": "Bundle", "entry": entries}


@pytest.mark.parametrize(
    "chart",
    [
        bundle(PATIENT, observation("Patient/123")),
        bundle(PATIENT, observation("https://ehr.example/fhir/Patient/123/_history/2")),
        bundle({**PATIENT, "id": "123"}, observation("urn:uuid:1"), **{"123": "urn:uuid:1"}),
        bundle({**PATIENT, "link": [{"other": {"reference": "Patient/old"}}]}, observation("Patient/old")),
        bundle({"resourceType": "Practitioner", "id": "9"}),
        {"resourceType": "Bundle"},
    ],
)
def test_a_chart_of_one_patient_passes(chart: dict[str, Any]) -> None:
    assert one_patient(chart, "Patient/123").allowed
    assert one_patient(chart).allowed


@pytest.mark.parametrize(
    "chart",
    [
        bundle(PATIENT, observation("Patient/9")),
        bundle(PATIENT, {**PATIENT, "id": "9"}),
        bundle(PATIENT, observation("Patient/123", focus=[{"reference": "Patient/9"}])),
        bundle(PATIENT, bundle(observation("Patient/9"))),
        bundle(PATIENT, observation("9", subject={"type": "Patient", "reference": "urn:uuid:9"})),
        bundle(PATIENT, observation("Patient/123", contained=[observation("Patient/9")])),
        bundle(PATIENT, {"resourceType": "Patient"}),
    ],
)
def test_a_chart_of_two_patients_is_refused(chart: dict[str, Any]) -> None:
    assert not one_patient(chart, "Patient/123").allowed
    assert not one_patient(chart).allowed


def test_a_chart_of_another_patient_is_refused() -> None:
    assert not one_patient(bundle(PATIENT), "Patient/9").allowed
    assert not one_patient([observation("Patient/123")], "Patient/9").allowed
