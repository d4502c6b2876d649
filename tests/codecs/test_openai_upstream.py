"""Chat Completions as a client reads them: the format, and what the many that copied it do differently."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from careplane.codecs.openai_upstream import Quirks, Reply, chat_body, read_embeddings, read_reply
from careplane.errors import UpstreamBusy, UpstreamError, UpstreamRejected
from careplane.records.model import ChatRequest, Chunk


def event(**choice: Any) -> bytes:
    return b"data: " + json.dumps({"choices": [{"index": 0, **choice}]}).encode() + b"\n\n"


def fed(*pieces: bytes) -> list[Chunk]:
    reader = Reply()
    return [chunk for piece in pieces for chunk in reader.feed(piece)]


def call(**fields: Any) -> bytes:
    return event(delta={"tool_calls": [fields]})


def joined(chunks: list[Chunk]) -> list[tuple[str, str, str]]:
    found: dict[int, tuple[str, str, str]] = {}
    for delta in (delta for chunk in chunks for delta in chunk.tool_calls):
        ident, name, arguments = found.get(delta.index, ("", "", ""))
        found[delta.index] = (delta.id or ident, delta.name or name, arguments + delta.arguments)
    return [found[index] for index in sorted(found)]


def test_calls_without_an_index_are_told_apart_by_their_ids() -> None:
    first = {"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}}
    second = {"id": "b", "type": "function", "function": {"name": "g", "arguments": "{}"}}
    whole = [("a", "f", '{"x": 1}'), ("b", "g", "{}")]
    assert joined(fed(event(delta={"tool_calls": [first, second]}))) == whole
    assert joined(fed(call(**first), call(**second))) == whole
    assert joined(fed(call(index=0, **first), call(index=0, **second))) == whole


def test_a_call_without_an_id_gets_one_that_stays() -> None:
    named = {"type": "function", "id": "", "function": {"name": "f", "arguments": ""}}
    (calls,) = joined(fed(call(index=0, **named), call(index=0, function={"arguments": "{}"})))
    assert calls[0].startswith("call_")
    assert calls[1:] == ("f", "{}")
    assert joined(fed(call(**named)))[0][0] != calls[0]


def test_arguments_may_come_as_an_object() -> None:
    given = {"id": "a", "function": {"name": "f", "arguments": {"x": 1}}}
    assert joined(fed(call(**given))) == [("a", "f", '{"x":1}')]


def test_a_reply_that_calls_tools_ended_for_that_reason() -> None:
    chunks = fed(
        call(index=0, id="a", function={"name": "f", "arguments": "{}"}), event(delta={}, finish_reason="stop")
    )
    assert chunks[-1].finish_reason == "tool_calls"


def test_both_names_of_reasoning_and_texts_in_parts_are_read() -> None:
    chunks = fed(
        event(delta={"reasoning_content": "a"}),
        event(delta={"reasoning": "b"}),
        event(delta={"content": [{"type": "text", "text": "c"}]}),
    )
    assert [(chunk.reasoning, chunk.text) for chunk in chunks] == [("a", ""), ("b", ""), ("", "c")]


def test_only_the_first_choice_is_read() -> None:
    assert fed(event(index=1, delta={"content": "x"}, finish_reason="stop")) == []


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"code": "rate_limit_exceeded", "message": "canary"}, UpstreamBusy),
        ({"type": "overloaded_error", "message": "canary"}, UpstreamBusy),
        ({"code": 429}, UpstreamBusy),
        ({"code": "content_filter"}, UpstreamRejected),
        ({"code": "context_length_exceeded"}, UpstreamRejected),
        ({"message": "canary"}, UpstreamError),
        ("canary", UpstreamError),
    ],
)
def test_an_error_within_a_stream(error: Any, kind: type[UpstreamError]) -> None:
    with pytest.raises(kind) as failed:
        fed(b"data: " + json.dumps({"error": error}).encode() + b"\n\n")
    assert type(failed.value) is kind
    assert "canary" not in str(failed.value)


def test_a_whole_reply_without_a_reason_is_none() -> None:
    with pytest.raises(ValueError):
        read_reply(b'{"choices": []}')


def test_quirks_change_the_body_only_where_they_say() -> None:
    asked = ChatRequest(key="k", model="", body={"messages": [], "max_tokens": 5, "temperature": 0.1, "top_k": 3})
    plain = {"messages": [], "model": "m", "top_k": 3}
    options = {"stream": True, "stream_options": {"include_usage": True}}
    assert json.loads(chat_body(asked, "m", Quirks())) == plain | options | {"max_tokens": 5, "temperature": 0.1}
    quirks = Quirks(max_tokens_field="max_completion_tokens", stream_options=False, temperature=False)
    assert json.loads(chat_body(asked, "m", quirks)) == plain | {"stream": True, "max_completion_tokens": 5}
    assert "stream" not in json.loads(chat_body(asked, "m", Quirks(stream=False)))


@pytest.mark.parametrize(
    "data",
    [
        b"{}",
        b"[]",
        b'{"data": [{"index": 0}]}',
        '{"data": [{"index": 1, "embedding": [1]}]}',
        b'{"data": [{"index": 0, "embedding": "AAAA"}]}',
    ],
)
def test_what_is_no_list_of_vectors_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        read_embeddings(data)


@given(st.lists(st.integers(0, 2000), max_size=20))
def test_any_pieces_give_the_same_chunks(at: list[int]) -> None:
    data = b"".join(
        (
            event(delta={"role": "assistant", "content": ""}),
            b": a comment\r\n\r\n",
            event(delta={"content": "Grüße 🙂"}),
            call(index=0, id="a", function={"name": "f", "arguments": '{"x"'}),
            call(index=0, function={"arguments": ": 1}"}),
            event(delta={}, finish_reason="tool_calls"),
            b'data: {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 2}}\n\ndata: [DONE]\n\n',
        )
    )
    places = sorted({place % (len(data) + 1) for place in at})
    assert fed(*(data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True))) == fed(data)


@pytest.mark.parametrize("count", ["-7", "1152921504606846976", "1e300"])
def test_a_count_that_no_model_can_reach_is_refused(count: str) -> None:
    """It would empty a budget, and neither a record of the ledger nor a reply can hold it exactly."""
    usage = f'{{"prompt_tokens": {count}, "completion_tokens": 2}}'.encode()
    with pytest.raises(ValueError, match="number of tokens"):
        fed(b'data: {"choices": [], "usage": ' + usage + b"}\n\n")
