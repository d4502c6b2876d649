"""Good requests with something wrong in them: each is answered, or refused as a fault of the client."""

import copy
import json
import random
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from .conftest import Site
from .obliging import CHART, SCHEMA, TEXT, Obliging, tool

VALUES: list[Any] = [None, True, 0, -1, 1.5, 10**25, "", "x", "\x00", [], {}, [[]], [{}], {"a": {}}, ["x"]]
VALUES += [
    {"type": "text"},
    {"type": "function"},
    [{"type": "text", "text": "hi"}],
    "user",
    "tool",
    "data:image/png;base64,AA",
]
NAMES = ["extra", "type", "role", "content", "text", "name", "id"]
ARGUMENTS = '{"city": "x", "degrees": 1}'
GOOD: dict[str, Any] = {
    "chat/completions": {
        "messages": [
            {"role": "system", "content": "s"},
            {"role": "user", "content": [{"type": "text", "text": TEXT}]},
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": ARGUMENTS}}
                ],
            },
            {"role": "tool", "tool_call_id": "c1", "content": "sunny"},
            {"role": "user", "content": "And now?"},
        ],
        "tools": [{"type": "function", "function": tool(parameters=SCHEMA, strict=True)}],
        "tool_choice": "auto",
        "response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": SCHEMA}},
        "stop": ["x"],
        "max_tokens": 20,
        "temperature": 0.2,
        "stream_options": {"include_usage": True},
        "careplane": {**CHART, "patient": "Patient/p1", "untrusted": [3], "site": "north", "cache": False},
    },
    "responses": {
        "instructions": "i",
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": TEXT}]},
            {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": ARGUMENTS},
            {"type": "function_call_output", "call_id": "c1", "output": "x"},
        ],
        "tools": [{"type": "function", **tool(parameters=SCHEMA)}],
        "text": {"format": {"type": "json_schema", "name": "a", "schema": SCHEMA}},
        "reasoning": {"effort": "low"},
        "careplane": CHART,
    },
    "messages": {
        "max_tokens": 20,
        "system": [{"type": "text", "text": "s"}],
        "messages": [
            {"role": "user", "content": TEXT},
            {
                "role": "assistant",
                "content": [{"type": "tool_use", "id": "c1", "name": "weather", "input": {"city": "x", "degrees": 1}}],
            },
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1", "content": "x"}]},
        ],
        "tools": [tool(input_schema=SCHEMA)],
        "tool_choice": {"type": "auto"},
        "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}},
        "careplane": CHART,
    },
    "embeddings": {"input": [TEXT, "b"], "encoding_format": "float", "careplane": CHART},
}


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of everything inside a JSON value."""
    if path:
        yield path
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield from places(value[key], (*path, key))


def spoilt(dice: random.Random, body: Any) -> Any:
    """A copy in which something has another value, is gone, or is too much."""
    body = copy.deepcopy(body)
    for _ in range(dice.choice([1, 1, 1, 2, 3])):
        *path, last = dice.choice(list(places(body)))
        inside = body
        for key in path:
            inside = inside[key]
        kind = dice.random()
        if kind < 0.6:
            inside[last] = copy.deepcopy(dice.choice(VALUES))
        elif kind < 0.8:
            del inside[last]
        elif isinstance(inside, dict):
            inside[dice.choice(NAMES)] = copy.deepcopy(dice.choice(VALUES))
        else:
            inside.append(copy.deepcopy(dice.choice(VALUES)))
    return body


@pytest.mark.parametrize("path", GOOD)
def test_a_spoilt_request_is_answered_or_refused(obliging_site: tuple[Site, Obliging], path: str) -> None:
    site, _ = obliging_site
    dice = random.Random(path)
    statuses = set()
    with httpx.Client(headers={"Authorization": f"Bearer {site.key}"}) as client:
        for _ in range(60):
            body = {"model": "default", **spoilt(dice, GOOD[path])}
            if path != "embeddings" and dice.random() < 0.3:
                body["stream"] = True
            response = client.post(f"{site.url}/v1/{path}", content=json.dumps(body).encode())
            statuses.add(response.status_code)
            told = "invalid_output" in response.text  # the model did not keep to a schema: that is not about us
            assert response.status_code in (200, 400, 403) or told, (body, response.text)
            assert '"code":"fault"' not in response.text
    assert {200, 400} <= statuses
