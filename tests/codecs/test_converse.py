"""Converse: what has no place in it is refused by name, and a stream is read the same in any pieces."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from careplane.codecs import converse, converse_reply
from careplane.codecs.event_stream import encode
from careplane.errors import InputError, UpstreamBusy, UpstreamError, UpstreamRejected, UpstreamTimeout


def request(*messages: dict[str, Any], **body: Any) -> dict[str, Any]:
    return converse.request({"messages": list(messages), **body})


def test_neighbours_of_one_role_are_joined_and_empty_texts_left_out() -> None:
    sent = request(
        {"role": "user", "content": "One."},
        {"role": "user", "content": [{"type": "text", "text": ""}, {"type": "text", "text": "Two."}]},
        {"role": "assistant", "content": ""},
        {"role": "tool", "tool_call_id": "c", "content": ""},
    )
    assert sent["messages"] == [
        {
            "role": "user",
            "content": [
                {"text": "One."},
                {"text": "Two."},
                {"toolResult": {"toolUseId": "c", "content": [{"text": "(empty)"}]}},
            ],
        }
    ]
    assert set(sent) == {"messages"}


@pytest.mark.parametrize(
    ("part", "field"),
    [
        ({"type": "image_url", "image_url": {"url": "https://example.org/x.png"}}, "messages[0].content[0]"),
        ({"type": "image_url", "image_url": {"url": "data:image/tiff;base64,AAAA"}}, "messages[0].content[0]"),
        ({"type": "image_url", "image_url": {"url": "data:image/png;base64,A!"}}, "messages[0].content[0]"),
        ({"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}, "messages[0].content[0]"),
        ({"type": "file", "file": {"file_data": "data:application/zip;base64,AAAA"}}, "messages[0].content[0]"),
    ],
)
def test_what_converse_does_not_take_is_named(part: dict[str, Any], field: str) -> None:
    with pytest.raises(InputError) as failed:
        request({"role": "user", "content": [part]})
    assert failed.value.field == field


def test_free_json_is_refused() -> None:
    with pytest.raises(InputError, match="response_format"):
        request({"role": "user", "content": "x"}, response_format={"type": "json_object"})


def test_no_tools_when_none_may_be_called_unless_the_conversation_has_calls() -> None:
    tools = [{"type": "function", "function": {"name": "f"}}]
    asked: dict[str, Any] = {"role": "user", "content": "x"}
    assert "toolConfig" not in request(asked, tools=tools, tool_choice="none")
    used = {"role": "tool", "tool_call_id": "c", "content": "y"}
    spec = {"name": "f", "inputSchema": {"json": {"type": "object", "properties": {}}}}
    assert request(asked, used, tools=tools, tool_choice="none")["toolConfig"] == {"tools": [{"toolSpec": spec}]}


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("throttlingException", UpstreamBusy),
        ("serviceUnavailableException", UpstreamBusy),
        ("modelTimeoutException", UpstreamTimeout),
        ("validationException", UpstreamRejected),
        ("internalServerException", UpstreamError),
        ("modelStreamErrorException", UpstreamError),
        ("", UpstreamError),
    ],
)
def test_exceptions_in_a_stream(kind: str, error: type[UpstreamError]) -> None:
    frame = encode({":message-type": "exception", ":exception-type": kind}, b'{"message": "canary"}')
    with pytest.raises(error) as failed:
        converse_reply.Reply().feed(frame)
    assert type(failed.value) is error
    assert "canary" not in str(failed.value)


@given(st.lists(st.integers(0, 2000), max_size=20))
def test_any_pieces_give_the_same_chunks(at: list[int]) -> None:
    def event(kind: str, payload: str) -> bytes:
        return encode({":message-type": "event", ":event-type": kind}, payload.encode())

    data = b"".join(
        (
            event("messageStart", '{"role": "assistant"}'),
            event("contentBlockDelta", '{"contentBlockIndex": 0, "delta": {"text": "Grüße"}}'),
            event(
                "contentBlockStart", '{"contentBlockIndex": 1, "start": {"toolUse": {"toolUseId": "c", "name": "f"}}}'
            ),
            event("contentBlockDelta", '{"contentBlockIndex": 1, "delta": {"toolUse": {"input": "{}"}}}'),
            event("somethingNew", "{}"),
            event("messageStop", '{"stopReason": "tool_use"}'),
            event("metadata", '{"usage": {"inputTokens": 5, "outputTokens": 2, "cacheWriteInputTokens": 3}}'),
        )
    )
    places = sorted({place % (len(data) + 1) for place in at})
    reader = converse_reply.Reply()
    found = [
        chunk
        for start, end in zip([0, *places], [*places, len(data)], strict=True)
        for chunk in reader.feed(data[start:end])
    ]
    assert found == converse_reply.Reply().feed(data)
    assert "".join(chunk.text for chunk in found) == "Grüße"
    assert found[-1].input_tokens == 8
    assert reader.finished
