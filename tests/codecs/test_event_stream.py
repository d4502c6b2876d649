"""AWS's binary event stream: against botocore's reader, in pieces of any size, and with every kind of damage."""

import zlib

import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given
from hypothesis import strategies as st

from careplane.codecs.event_stream import Frame, Frames, encode

NAMES = st.text(min_size=1, max_size=20).filter(lambda text: 0 < len(text.encode()) < 128)
HEADERS = st.dictionaries(NAMES, st.text(max_size=50), max_size=5)
EVENTS = st.lists(st.tuples(HEADERS, st.binary(max_size=300)), max_size=6)


def cut(data: bytes, at: list[int]) -> list[bytes]:
    places = sorted({place % (len(data) + 1) for place in at})
    return [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True)]


@given(EVENTS, st.lists(st.integers(0, 5000), max_size=12))
def test_any_pieces_give_the_frames_that_were_written(
    events: list[tuple[dict[str, str], bytes]], at: list[int]
) -> None:
    data = b"".join(encode(headers, payload) for headers, payload in events)
    frames = Frames()
    found = [frame for piece in cut(data, at) for frame in frames.feed(piece)]
    assert found == [Frame(headers=headers, payload=payload) for headers, payload in events]
    assert frames.empty


@given(EVENTS)
def test_botocore_reads_the_same(events: list[tuple[dict[str, str], bytes]]) -> None:
    data = b"".join(encode(headers, payload) for headers, payload in events)
    theirs = EventStreamBuffer()
    theirs.add_data(data)
    assert [(dict(event.headers), event.payload) for event in theirs] == events


@given(st.data())
def test_a_changed_byte_never_passes(data: st.DataObject) -> None:
    whole = encode({":event-type": "contentBlockDelta"}, b'{"delta": {"text": "10 mg"}}')
    place = data.draw(st.integers(0, len(whole) - 1))
    changed = bytearray(whole)
    changed[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(ValueError, match=r"checksum|length"):
        Frames().feed(bytes(changed))


@given(st.binary(max_size=400), st.lists(st.integers(0, 400), max_size=5))
def test_noise_is_refused_or_waited_for(noise: bytes, at: list[int]) -> None:
    frames = Frames()
    try:
        assert [frame for piece in cut(noise, at) for frame in frames.feed(piece)] == []
    except ValueError:
        pass
    else:
        assert len(noise) < 12


def sealed(headers: bytes, total: int | None = None) -> bytes:
    """A frame with these header bytes and right checksums."""
    start = (16 + len(headers) if total is None else total).to_bytes(4, "big") + len(headers).to_bytes(4, "big")
    frame = start + zlib.crc32(start).to_bytes(4, "big") + headers
    return frame + zlib.crc32(frame).to_bytes(4, "big")


def test_headers_of_every_type_are_passed_over_or_read() -> None:
    values = [b"\x00", b"\x01", b"\x02a", b"\x03ab", b"\x04abcd", b"\x05abcdefgh", b"\x06\x00\x02ab", b"\x07\x00\x02ab"]
    values += [b"\x08abcdefgh", b"\x09" + bytes(16)]
    headers = b"".join(b"\x01" + bytes([65 + n]) + value for n, value in enumerate(values))
    (frame,) = Frames().feed(sealed(headers))
    assert frame.headers == {"A": "true", "B": "false", "H": "ab"}


@pytest.mark.parametrize(
    "headers",
    [
        b"\x05ab",
        b"\x01a",
        b"\x01a\x0axx",
        b"\x01a\x07\x00\x09ab",
        b"\x01a\x04ab",
        b"\x01\xff\x00",
        b"\x01a\x07\x00\x01\xff",
    ],
    ids=["name cut", "no type", "unknown type", "text cut", "number cut", "name not UTF-8", "text not UTF-8"],
)
def test_bad_headers_are_refused(headers: bytes) -> None:
    with pytest.raises(ValueError):
        Frames().feed(sealed(headers))


@pytest.mark.parametrize("total", [0, 15, 17 * 1024 * 1024, 2**32 - 1])
def test_impossible_lengths_are_refused_at_once(total: int) -> None:
    with pytest.raises(ValueError, match="length"):
        Frames().feed(sealed(b"", total)[:12])
