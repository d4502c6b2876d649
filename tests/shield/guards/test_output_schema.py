"""Replies that promise JSON."""

from typing import Any

import pytest

from careplane.errors import InputError
from careplane.shield.guards import schema_of, validate_output

SCHEMA = {
    "type": "object",
    "properties": {"codes": {"type": "array", "items": {"type": "string"}}, "sure": {"type": "boolean"}},
    "required": ["codes"],
    "additionalProperties": False,
}


@pytest.mark.parametrize("text", ['{"codes": ["a"]}', ' {"codes": [], "sure": true}\n', '```json\n{"codes": []}\n```'])
def test_a_reply_that_meets_its_schema_passes(text: str) -> None:
    assert validate_output(SCHEMA, text).allowed


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("Sure, here it is", "is not JSON"),
        ('{"codes": ["a", 1]}', "$.codes[1] must be of type string"),
        ('{"codes": "SECRET"}', "$.codes must be of type array"),
        ('{"codes": [], "SECRET": 1}', "$ has a property"),
        ("{}", "$ lacks codes"),
        ('{"codes": []} and more', "is not JSON"),
        ('{"codes": [], "codes": []}', "twice"),
        ("", "is not JSON"),
    ],
)
def test_a_reply_that_does_not_is_refused_with_its_place(text: str, part: str) -> None:
    said = validate_output(SCHEMA, text)
    assert not said.allowed
    assert part in said.text
    assert "SECRET" not in said.text


def test_json_object_asks_for_an_object_only() -> None:
    assert validate_output(None, '{"a": 1}').allowed
    assert not validate_output(None, "[1]").allowed


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, (False, None)),
        ({"type": "text"}, (False, None)),
        ({"type": "json_object"}, (True, None)),
        ({"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}, (True, SCHEMA)),
    ],
)
def test_response_formats(given: Any, expected: Any) -> None:
    assert schema_of(given) == expected


@pytest.mark.parametrize(
    "given",
    ["json", {}, {"type": "xml"}, {"type": "json_schema"}, {"type": "json_schema", "json_schema": {"schema": 1}}],
)
def test_wrong_response_formats_are_named(given: Any) -> None:
    with pytest.raises(InputError) as error:
        schema_of(given)
    assert error.value.field == "response_format"
