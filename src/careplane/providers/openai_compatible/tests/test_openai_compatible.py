"""An endpoint as it may be in the field: over a real socket, well-behaved and not. No prompt ever reaches an error."""

import asyncio
import json

import pytest

from careplane.errors import SettingsError, UpstreamError, UpstreamTimeout
from careplane.providers import ChatRequest, Chunk, openai_compatible

CANARY = "canary-7391"


def asked() -> ChatRequest:
    messages = [{"role": "user", "content": f"Say hello to {CANARY}."}]
    return ChatRequest(key="call-1", model="", body={"messages": messages, "max_tokens": 20})


def event(**choice: object) -> str:
    return f"data: {json.dumps({'choices': [choice]})}\n\n"


def talk(body: str, status: str = "200 OK", **settings: str) -> tuple[list[Chunk], str]:
    """What the provider makes of one raw answer, and the request it sent."""
    heard: list[str] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = int(head.lower().partition("content-length: ")[2].split("\r\n", 1)[0])
        heard.append(head + (await reader.readexactly(length)).decode())
        raw = body.encode()
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(raw)}\r\nConnection: close\r\n\r\n".encode() + raw)
        await writer.drain()
        writer.close()

    async def run() -> list[Chunk]:
        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            given = {"base_url": f"http://127.0.0.1:{port}/v1/", "model": "a-model", "api_key": "secret", **settings}
            return [chunk async for chunk in openai_compatible.open(given).chat(asked())]

    return asyncio.run(run()), heard[0]


def test_a_stream_is_read_to_its_end_with_its_tokens() -> None:
    usage = 'data: {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 2}}\n\n'
    pieces = event(delta={"content": "Hel"}) + ": a comment\n\n" + event(delta={"content": "lo"}, finish_reason="stop")
    chunks, _ = talk(pieces + usage + "data: [DONE]\n\n")
    assert "".join(chunk.text for chunk in chunks) == "Hello"
    assert [chunk.finish_reason for chunk in chunks if chunk.finish_reason] == ["stop"]
    assert (chunks[-1].input_tokens, chunks[-1].output_tokens) == (7, 2)


def test_the_request_carries_key_model_limits_and_the_call_it_belongs_to() -> None:
    _, sent = talk(event(delta={"content": "x"}, finish_reason="stop"))
    head, _, body = sent.partition("\r\n\r\n")
    assert head.startswith("POST /v1/chat/completions ")
    assert "authorization: bearer secret" in head.lower()
    assert "idempotency-key: call-1" in head.lower()
    said = json.loads(body)
    assert (said["model"], said["max_tokens"], said["stream"]) == ("a-model", 20, True)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (event(delta={"content": "half a"}), "200 OK"),
        (f'data: {{"error": {{"message": "{CANARY}"}}}}\n\n', "200 OK"),
        ("data: {not json\n\n", "200 OK"),
        ("data: [1, 2]\n\n", "200 OK"),
        (f'{{"error": "bad prompt: {CANARY}"}}', "400 Bad Request"),
        (CANARY, "500 Internal Server Error"),
    ],
    ids=["cut stream", "error in the stream", "not json", "not an object", "HTTP 400", "HTTP 500"],
)
def test_a_failing_endpoint_is_an_error_without_the_prompt(body: str, status: str) -> None:
    with pytest.raises(UpstreamError) as failed:
        talk(body, status)
    assert CANARY not in str(failed.value)


def test_a_whole_reply_that_is_no_completion_is_an_error() -> None:
    with pytest.raises(UpstreamError, match="not a chat completion"):
        talk("<html>It works!</html>", stream="false")


def test_a_timeout_at_the_far_end_is_told_apart() -> None:
    with pytest.raises(UpstreamTimeout, match="504"):
        talk("", "504 Gateway Timeout")


def test_nobody_listening_is_an_upstream_error() -> None:
    async def run() -> None:
        server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        server.close()
        await server.wait_closed()
        provider = openai_compatible.open({"base_url": f"http://127.0.0.1:{port}/v1", "model": "m"})
        async for _ in provider.chat(asked()):
            pass

    with pytest.raises(UpstreamError, match="ConnectError"):
        asyncio.run(run())


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"base_url": "ftp://x", "model": "m"},
        {"base_url": "http://x/v1"},
        {"base_url": "http://x/v1", "model": "m", "timeout": "soon"},
    ],
)
def test_an_endpoint_needs_its_settings(settings: dict[str, str]) -> None:
    with pytest.raises(SettingsError):
        openai_compatible.open(settings)
