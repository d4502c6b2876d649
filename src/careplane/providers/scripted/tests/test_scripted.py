"""The scripted model: its drafts pass the checks, its seeded faults do not."""

import asyncio
import json
import operator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from careplane.errors import SettingsError, UpstreamRejected
from careplane.providers import ChatRequest, Chunk, scripted
from careplane.providers.scripted.faults import FAULTS, digest, with_fault
from careplane.providers.scripted.vectors import vector
from careplane.records.model import Message

SOURCES = """[1] Patient: Maria Lopez, born 1980-02-03
[2] 2024-03-05 MedicationRequest: lisinopril 10 mg. Take once daily (active)
[3] 2024-02-01 Condition: Pain in left knee (active)"""


def written(task: str, message: str = "", language: str = "en", faults: float = 0.0) -> str:
    system = f"TASK: {task}\nLANGUAGE: {language}"
    user = f"<message>{message}</message>\n<sources>\n{SOURCES}\n</sources>"
    messages = [{"role": "system", "content": system}, {"role": "user", "content": user}]
    asked = ChatRequest(key="k", model="m", body={"messages": messages, "max_tokens": 900})
    return scripted.write(asked, faults)


def test_a_reply_greets_answers_the_topic_and_cites() -> None:
    text = written("draft_reply", "I need a refill of my blood pressure pills")
    assert text.startswith("Hello Maria,")
    assert "lisinopril 10 mg; Take once daily (active) [2]." in text
    assert "pharmacy" in text


def test_an_emergency_is_sent_to_urgent_care_first() -> None:
    text = written("draft_reply", "I have chest pain and need a refill")
    assert text.index("911") < text.index("pharmacy")
    assert "988" in written("draft_reply", "I want to die")


def test_it_answers_in_spanish() -> None:
    assert written("draft_reply", "necesito una receta", "es").startswith("Hola Maria,")


@pytest.mark.parametrize("task", ["summarise", "discharge_summary", "huddle_brief"])
def test_every_line_of_a_summary_cites(task: str) -> None:
    lines = [line for line in written(task).splitlines() if line.startswith("- ")]
    assert lines
    assert all(line.endswith("].") for line in lines)


def test_about_the_stated_share_has_a_fault_and_the_same_ones_each_time() -> None:
    plain = "You take lisinopril 10 mg [1]. Your left knee hurts [2]."
    seeds = [digest((Message(role="user", content=str(i)),)) for i in range(2000)]
    drafts = [with_fault(plain, seed, 6.0) for seed in seeds]
    assert 80 <= sum(draft != plain for draft in drafts) <= 160
    assert drafts == [with_fault(plain, seed, 6.0) for seed in seeds]
    assert len({draft for draft in drafts if draft != plain}) > len(FAULTS)


def test_random_placeholders_do_not_change_the_fault() -> None:
    one, other = (digest((Message(role="user", content=f"Hello [NAME-{n}]"),)) for n in (417, 923))
    assert one == other


@pytest.mark.parametrize("value", ["many", "-1", "101"])
def test_a_bad_share_is_refused(value: str) -> None:
    with pytest.raises(SettingsError):
        scripted.open({"fault_percent": value})


TOOLS = [
    {
        "type": "function",
        "function": {
            "name": name,
            "parameters": {
                "type": "object",
                "properties": {"drug": {"type": "string"}, "n": {"type": "integer", "minimum": 2}},
                "required": ["drug", "n"],
            },
        },
    }
    for name in ("find_drug", "find_dose")
]


def chunks(messages: list[dict[str, Any]], **body: Any) -> list[Chunk]:
    async def run() -> list[Chunk]:
        asked = ChatRequest(key="k", model="", body={"messages": messages, **body})
        return [chunk async for chunk in scripted.open({}).chat(asked)]

    return asyncio.run(run())


def called(text: str, **body: Any) -> list[tuple[str, Any]]:
    """Names and arguments of the tools that it calls for a message."""
    found: dict[int, list[str]] = {}
    for delta in (d for chunk in chunks([{"role": "user", "content": text}], **body) for d in chunk.tool_calls):
        call = found.setdefault(delta.index, [delta.name or "", ""])
        call[1] += delta.arguments
    return [(name, json.loads(arguments)) for name, arguments in found.values()]


def test_it_calls_the_tools_that_a_message_names_with_the_arguments_it_gives() -> None:
    text = 'First find_dose {"drug": "Jane\'s lisinopril", "n": 3}, then find_drug; not find_drugs.'
    filled = {"drug": "scripted", "n": 2}
    assert called(text, tools=TOOLS) == [("find_dose", {"drug": "Jane's lisinopril", "n": 3}), ("find_drug", filled)]
    assert called("Nothing to call.", tools=TOOLS) == []
    assert called(text, tools=TOOLS, tool_choice="none") == []
    assert called("Nothing.", tools=TOOLS, tool_choice="required") == [("find_drug", filled)]
    named = {"type": "function", "function": {"name": "find_dose"}}
    assert called("Nothing.", tools=TOOLS, tool_choice=named) == [("find_dose", filled)]


def test_a_tools_result_is_told_and_no_tool_called_again() -> None:
    messages = [
        {"role": "user", "content": "find_drug"},
        {"role": "tool", "tool_call_id": "c", "content": "find_drug says lisinopril"},
    ]
    found = chunks(messages, tools=TOOLS)
    assert "lisinopril" in "".join(chunk.text for chunk in found)
    assert not any(chunk.tool_calls for chunk in found)


SCHEMAS: list[dict[str, Any]] = [
    {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": ["null", "integer"]}}},
    {"type": "object", "properties": {"a": {"enum": ["x", "y"]}, "b": {"const": 4}}, "required": ["b"]},
    {"type": "array", "items": {"type": "number", "minimum": 1.5}, "minItems": 2},
    {
        "$ref": "#/$defs/d",
        "$defs": {"d": {"type": "object", "properties": {"e": {"$ref": "#/$defs/f"}}}, "f": {"type": "boolean"}},
    },
    {"anyOf": [{"type": "null"}, {"type": "string", "format": "date"}]},
    {"type": "string", "minLength": 300, "maxLength": 310},
    {"type": "integer", "exclusiveMinimum": 6},
    {},
]


@pytest.mark.parametrize("schema", SCHEMAS)
def test_it_fills_in_a_schema(schema: dict[str, Any]) -> None:
    wanted = {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}
    text = "".join(chunk.text for chunk in chunks([{"role": "user", "content": "Hello."}], response_format=wanted))
    Draft202012Validator(schema).validate(json.loads(text))


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "pattern": "^[A-Z]{3}$"},
        {"$ref": "#/nowhere"},
        {"$ref": "#"},
        {"type": "object", "properties": {"a": {"$ref": "#"}}},
    ],
)
def test_it_says_which_schema_takes_more_than_filling_in(schema: dict[str, Any]) -> None:
    wanted = {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}
    with pytest.raises(UpstreamRejected):
        chunks([{"role": "user", "content": "Hello."}], response_format=wanted)


def test_its_vectors_have_length_one_and_near_texts_are_near() -> None:
    one, near, far = (vector(text) for text in ("refill lisinopril please", "Refill lisinopril!", "bed huddle"))
    assert sum(number * number for number in one) == pytest.approx(1.0)
    assert sum(map(operator.mul, one, near)) > sum(map(operator.mul, one, far)) + 0.3
    assert len(vector("", 7)) == 7
