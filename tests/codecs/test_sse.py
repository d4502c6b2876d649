"""Server-sent events: the HTML standard's own examples, every way to cut a stream, and what must be refused."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from careplane.codecs.anthropic_messages import MESSAGES
from careplane.codecs.dialect import Asked, Dialect
from careplane.codecs.openai_chat import CHAT
from careplane.codecs.responses import RESPONSES
from careplane.codecs.sse import BrokenStream, Event, EventParser
from careplane.records.model import Chunk, ToolDelta, Usage


def events(*pieces: bytes) -> list[Event]:
    parser = EventParser()
    return [event for piece in pieces for event in parser.feed(piece)]


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (b"data: YHOO\ndata: +2\ndata: 10\n\n", [("message", "YHOO\n+2\n10")]),
        (
            b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n",
            [("message", "first event"), ("message", "second event")],
        ),
        (b"data\n\ndata\ndata\n\ndata:", [("message", ""), ("message", "\n")]),
        (b"data:test\n\ndata: test\n\n", [("message", "test"), ("message", "test")]),
        (b"event: add\ndata: 73857293\n\nevent: remove\ndata: 2153\n\n", [("add", "73857293"), ("remove", "2153")]),
        (b"event: lost\n\ndata: x\n\n", [("message", "x")]),
        (b"event: a\nevent\ndata: x\n\n", [("message", "x")]),
        (b"\xef\xbb\xbfdata: x\r\n\r\ndata: y\r\rdata: z\n\n", [("message", "x"), ("message", "y"), ("message", "z")]),
        (b"retry: 10\ndatax: 1\nDATA: 2\nnothing\ndata: a: b\n\n", [("message", "a: b")]),
        (b"", []),
    ],
)
def test_examples(stream: bytes, expected: list[tuple[str, str]]) -> None:
    assert events(stream) == expected


_LINE = st.sampled_from(
    [
        b"data: a",
        b"data:",
        b"data",
        b"data:  b",
        b"event: x",
        b"event",
        b": note",
        b"",
        b"id: 3",
        "data: é€😀".encode(),
        b"\xef\xbb\xbfdata: c",
    ]
)
_END = st.sampled_from([b"\n", b"\r", b"\r\n"])
_LINES = st.lists(st.tuples(_LINE, _END), max_size=20) | st.lists(st.tuples(_LINE, st.just(b"\n")), max_size=20)


@given(_LINES, st.data())
def test_any_cut_gives_the_same_events(lines: list[tuple[bytes, bytes]], data: st.DataObject) -> None:
    stream = b"".join(line + end for line, end in lines)
    ends = [i for i in range(len(stream)) if stream[:i].endswith(b"\n\n")]
    places = st.integers(0, len(stream)) | st.sampled_from(ends or [0])
    cuts = sorted(data.draw(st.lists(places, max_size=30)))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert events(*pieces) == events(stream)
    assert events(*(stream[i : i + 1] for i in range(len(stream)))) == events(stream)


@given(st.binary(max_size=200), st.integers(1, 7))
def test_any_bytes_give_events_or_a_named_error(stream: bytes, size: int) -> None:
    def outcome(*pieces: bytes) -> list[Event] | str:
        try:
            return events(*pieces)
        except BrokenStream as error:
            return str(error)

    assert outcome(*(stream[i : i + size] for i in range(0, len(stream), size))) == outcome(stream)


def test_a_line_without_end_is_refused_before_it_fills_the_memory() -> None:
    parser = EventParser(max_line=1000)
    with pytest.raises(BrokenStream, match="line"):
        list(map(parser.feed, [b"data: 12345"] * 200))


def test_an_event_without_end_is_refused_before_it_fills_the_memory() -> None:
    parser = EventParser(max_event=1000)
    with pytest.raises(BrokenStream, match="event"):
        list(map(parser.feed, [b"data: 12345\n"] * 200))


def test_a_long_line_is_refused_whole_as_in_pieces() -> None:
    with pytest.raises(BrokenStream, match="line"):
        EventParser(max_line=10).feed(b"data: 123456789\n\n")


def test_empty_lines_count_too() -> None:
    parser = EventParser(max_event=100_000)
    with pytest.raises(BrokenStream, match="event"):
        parser.feed(b"data\n" * 100_000)


def test_damaged_text_is_an_error_and_its_bytes_stay_out_of_it() -> None:
    with pytest.raises(BrokenStream, match="UTF-8") as caught:
        events(b"data: secret \xff\n\n")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("dialect", [CHAT, MESSAGES, RESPONSES], ids=lambda dialect: dialect.name)
def test_readers_that_split_text_at_any_separator_see_whole_events(dialect: Dialect) -> None:
    odd = "a\u2028b\u2029c\x85d\x0be\x1cf\ng\rh é"
    encoder = dialect.stream("i", "m", 1, Asked(model="m", body={}))
    chunks = [Chunk(reasoning=odd), Chunk(text=odd), Chunk(text=odd), Chunk(refusal=odd)]
    chunks.append(Chunk(tool_calls=(ToolDelta(index=0, id="c", name="f", arguments=odd),)))
    usage = Usage(input_tokens=1, output_tokens=1, cost_usd=0.0)
    said = encoder.start() + b"".join(map(encoder.chunk, chunks)) + encoder.end("stop", usage)
    careless = [line[6:] for line in said.decode().splitlines() if line.startswith("data: {")]
    assert [json.loads(line) for line in careless] == [
        json.loads(event.data) for event in events(said) if event.data != "[DONE]"
    ]
    assert json.dumps(odd)[1:-1] in json.dumps([json.loads(line) for line in careless])
