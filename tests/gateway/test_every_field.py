"""Every field of every API in which a person may write: an identifier in it that the chart knows does not leave.

A field may be refused instead; nothing of it may reach the model as it was.
"""

from typing import Any

import httpx
import pytest

from .conftest import Site
from .obliging import CHART, NAME, Obliging, sent

SAID = f"about {NAME} today"
SCHEMA = {"type": "object", "title": SAID, "properties": {"a": {"type": "string", "description": SAID, "enum": [SAID]}}}
CALL: dict[str, Any] = {
    "id": "c1",
    "type": "function",
    "function": {"name": "weather", "arguments": f'{{"who": "{NAME}"}}'},
}
CALLING = {"role": "assistant", "tool_calls": [CALL]}
HELLO = {"role": "user", "content": "Hello"}
CHAT: dict[str, dict[str, Any]] = {
    "system": {"messages": [{"role": "system", "content": SAID}, HELLO]},
    "part": {"messages": [{"role": "user", "content": [{"type": "text", "text": SAID}]}]},
    "name": {"messages": [{**HELLO, "name": NAME}]},
    "assistant": {"messages": [HELLO, {"role": "assistant", "content": SAID}, HELLO]},
    "refusal": {"messages": [HELLO, {"role": "assistant", "refusal": SAID}, HELLO]},
    "refusal part": {"messages": [{"role": "assistant", "content": [{"type": "refusal", "refusal": SAID}]}, HELLO]},
    "arguments": {"messages": [CALLING, {"role": "tool", "tool_call_id": "c1", "content": "x"}]},
    "call id": {
        "messages": [
            {"role": "assistant", "tool_calls": [{**CALL, "id": NAME}]},
            {"role": "tool", "tool_call_id": NAME, "content": "x"},
        ]
    },
    "result": {"messages": [CALLING, {"role": "tool", "tool_call_id": "c1", "content": SAID}]},
    "tool": {"tools": [{"type": "function", "function": {"name": "a", "description": SAID, "parameters": SCHEMA}}]},
    "format": {
        "response_format": {"type": "json_schema", "json_schema": {"name": "a", "description": SAID, "schema": SCHEMA}}
    },
    "stop": {"stop": [NAME]},
    "user": {"user": NAME, "metadata": {"a": NAME}, "safety_identifier": NAME, "prompt_cache_key": NAME},
    "file name": {
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "file", "file": {"file_data": "data:text/plain;base64,YQ==", "filename": f"{NAME}.txt"}}
                ],
            }
        ]
    },
    "image url": {
        "messages": [
            {
                "role": "user",
                "content": [{"type": "image_url", "image_url": {"url": f"https://example.org/{NAME}.png"}}],
            }
        ]
    },
}


def post(site: Site, path: str, body: dict[str, Any]) -> httpx.Response:
    headers = {"Authorization": f"Bearer {site.key}"}
    return httpx.post(f"{site.url}/v1/{path}", json={"model": "default", "careplane": CHART, **body}, headers=headers)


def check(response: httpx.Response, model: Obliging) -> None:
    assert response.status_code in (200, 400, 403), response.text
    assert bool(model.seen) is (response.status_code == 200)
    assert not any(word in sent(model.seen).lower() for word in ("zebulon", "quackenbush"))


@pytest.mark.parametrize("field", CHAT)
def test_chat_completions(obliging_site: tuple[Site, Obliging], model: Obliging, field: str) -> None:
    site, _ = obliging_site
    check(post(site, "chat/completions", {"messages": [HELLO], **CHAT[field]}), model)


def test_responses(obliging_site: tuple[Site, Obliging], model: Obliging) -> None:
    site, _ = obliging_site
    items = [
        {"role": "user", "content": [{"type": "input_text", "text": SAID}]},
        {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": CALL["function"]["arguments"]},
        {"type": "function_call_output", "call_id": "c1", "output": [{"type": "input_text", "text": SAID}]},
    ]
    tools = [{"type": "function", "name": "weather", "description": SAID, "parameters": SCHEMA}]
    check(post(site, "responses", {"input": items, "instructions": SAID, "tools": tools, "user": NAME}), model)
    assert model.seen


def test_messages(obliging_site: tuple[Site, Obliging], model: Obliging) -> None:
    site, _ = obliging_site
    messages = [
        {"role": "user", "content": [{"type": "text", "text": SAID}]},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "c1", "name": "weather", "input": {"who": NAME}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1", "content": SAID, "is_error": True}]},
    ]
    tools = [{"name": "weather", "description": SAID, "input_schema": SCHEMA}]
    body = {"max_tokens": 9, "messages": messages, "system": SAID, "tools": tools, "metadata": {"user_id": NAME}}
    check(post(site, "messages", body), model)
    assert model.seen


SPOILT: list[tuple[str, dict[str, Any]]] = [
    ("chat/completions", {"messages": [HELLO], NAME: 1}),
    ("chat/completions", {"messages": [{**HELLO, NAME: 1}]}),
    ("chat/completions", {"messages": [{**HELLO, "role": NAME}]}),
    ("chat/completions", {"messages": [HELLO], "tools": [{"type": "function", "function": {"name": "a", NAME: 1}}]}),
    ("chat/completions", {"messages": [HELLO], "careplane": {NAME: 1}}),
    ("chat/completions", {"messages": [HELLO], "model": NAME}),
    ("responses", {"input": [{"role": "user", "content": "x", NAME: 1}]}),
    ("messages", {"max_tokens": 1, "messages": [{"role": "user", "content": [{"type": NAME}]}]}),
    ("embeddings", {"input": "x", NAME: 1}),
]


@pytest.mark.parametrize(("path", "body"), SPOILT)
def test_the_record_of_a_refusal_holds_nothing_of_the_clients_own(
    obliging_site: tuple[Site, Obliging], path: str, body: dict[str, Any]
) -> None:
    site, _ = obliging_site
    before = len(list(site.ledger.records()))
    response = post(site, path, body)
    assert response.status_code in (400, 404)
    written = [str(record) for record in site.ledger.records()][before:]
    assert len(written) == 1
    assert "Zebulon" not in written[0]
    assert "Quackenbush" not in written[0]


def test_logs_and_numbers_hold_nothing_of_a_request(
    obliging_site: tuple[Site, Obliging], model: Obliging, caplog: pytest.LogCaptureFixture
) -> None:
    site, _ = obliging_site
    with caplog.at_level(0):
        for path, body in SPOILT:
            post(site, path, body)
        for text in (SAID, f"be busy {SAID}", f"be full {SAID}", f"break off {SAID}"):
            for stream in (False, True):
                post(site, "chat/completions", {"messages": [{"role": "user", "content": text}], "stream": stream})
    logged = " ".join(str(vars(record)) for record in caplog.records if not record.name.startswith("httpcore"))
    page = site.gateway.parts.telemetry.page().decode()
    assert "default" in page
    for word in ("Zebulon", "Quackenbush", "555-0188"):
        assert word not in logged
        assert word not in page
    kept = " ".join(str(record) for record in site.ledger.records())
    assert "Zebulon" not in kept
    assert "Quackenbush" not in kept
