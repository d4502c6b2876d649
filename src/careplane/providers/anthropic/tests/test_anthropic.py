"""Settings of Anthropic's API that change what is sent; the format is in the contract suite (``tests/providers``)."""

import asyncio
import json
from typing import Any

import pytest

from careplane.errors import SettingsError, UpstreamError
from careplane.providers import ChatRequest, anthropic

KEY = {"model": "claude-sonnet-4-5", "api_key": "sk-ant-secret"}


def sent(body: dict[str, Any], **settings: str) -> tuple[str, dict[str, Any]]:
    """Head and body of a request, as a socket saw it."""
    seen: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0])
        seen.extend((head, await reader.readexactly(length)))
        writer.close()

    async def run() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        provider = anthropic.open(KEY | {"base_url": f"{url}/v1"} | settings)
        asked = ChatRequest(key="k", model="", body={"messages": [{"role": "user", "content": "Hello."}], **body})
        with pytest.raises(UpstreamError):
            [chunk async for chunk in provider.chat(asked)]
        server.close()
        await server.wait_closed()

    asyncio.run(run())
    return seen[0].decode().lower(), json.loads(seen[1])


def test_a_limit_is_always_sent() -> None:
    assert sent({})[1]["max_tokens"] == 4096
    assert sent({}, max_tokens="99")[1]["max_tokens"] == 99
    assert sent({"max_tokens": 5}, max_tokens="99")[1]["max_tokens"] == 5


def test_later_versions_of_the_api_get_no_temperature() -> None:
    head, body = sent({"temperature": 0.5})
    assert "anthropic-version: 2023-06-01" in head
    assert body["temperature"] == 0.5
    head, body = sent({"temperature": 0.5, "top_p": 0.5}, version="2026-10-21", beta="a,b")
    assert "anthropic-version: 2026-10-21" in head
    assert "anthropic-beta: a,b" in head
    assert not {"temperature", "top_p", "top_k"} & body.keys()


def test_thinking_comes_on_top_of_the_limit_and_only_where_the_api_takes_it() -> None:
    _, body = sent({"max_tokens": 100, "temperature": 0.5}, thinking_tokens="2000")
    assert body["thinking"] == {"type": "enabled", "budget_tokens": 2000}
    assert body["max_tokens"] == 2100
    assert "temperature" not in body
    tools = [{"type": "function", "function": {"name": "f", "parameters": {}}}]
    assert "thinking" not in sent({"tools": tools, "tool_choice": "required"}, thinking_tokens="2000")[1]


@pytest.mark.parametrize(
    ("settings", "field"),
    [({"api_key": ""}, "api_key"), ({"model": ""}, "model"), ({"thinking_tokens": "5"}, "thinking_tokens")],
)
def test_a_wrong_setting_is_named(settings: dict[str, str], field: str) -> None:
    with pytest.raises(SettingsError) as failed:
        anthropic.open(KEY | settings)
    assert failed.value.field == field
