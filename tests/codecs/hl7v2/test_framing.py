"""Blocks: however the bytes are cut, and whatever is broken."""

from hypothesis import given
from hypothesis import strategies as st

from careplane.codecs.hl7v2 import Block, Blocks, block

CONTENT = st.binary(max_size=40).map(lambda data: data.replace(b"\x0b", b"").replace(b"\x1c", b""))


def fed(*chunks: bytes, most: int = 100) -> tuple[list[Block], Block | None]:
    blocks = Blocks(most)
    found = [one for chunk in chunks for one in blocks.feed(chunk)]
    return found, blocks.ended()


@given(st.lists(CONTENT, max_size=6), st.data())
def test_any_cutting_gives_the_same_blocks(contents: list[bytes], data: st.DataObject) -> None:
    wire = b"".join(map(block, contents))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(wire)), max_size=10)))
    chunks = [wire[start:end] for start, end in zip([0, *cuts], [*cuts, len(wire)], strict=True)]
    assert fed(*chunks) == ([Block(one) for one in contents], None)


@given(st.binary(max_size=200), st.integers(1, 7), st.integers(0, 30))
def test_after_any_garbage_a_good_block_is_found(garbage: bytes, step: int, most: int) -> None:
    good = b"MSH|ok"
    wire = garbage + b"\x1c\r" + block(good)
    chunks = [wire[start : start + step] for start in range(0, len(wire), step)]
    found, rest = fed(*chunks, most=max(most, len(good)))
    assert found[-1] == Block(good)
    assert rest is None


def test_blanks_between_blocks_mean_nothing() -> None:
    assert fed(b"\r\n\x0bA\x1c\r\r\n \x0bB\x1c\r\n") == ([Block(b"A"), Block(b"B")], None)


def test_what_is_broken_says_how() -> None:
    found, rest = fed(b"MSH|1\x1c\r", b"junk\x0bA\x0bB\x1cC", b"\x0bD\x1c\r\x0bhalf")
    assert [(one.data, one.broken) for one in found] == [
        (b"MSH|1", "the start of the block (0x0B) is missing"),
        (b"junk", "the start of the block (0x0B) is missing"),
        (b"A", "a new block begins before the end of this one (0x1C 0x0D)"),
        (b"B", "0x1C is not followed by 0x0D"),
        (b"C", "the start of the block (0x0B) is missing"),
        (b"D", ""),
    ]
    assert rest == Block(b"half", "the end of the block (0x1C 0x0D) is missing")
    assert fed(b"\x0bA\x1c")[1] == Block(b"A", "0x1C is not followed by 0x0D")
    assert fed(b"\x0b")[1] == Block(b"", "the end of the block (0x1C 0x0D) is missing")


def test_a_block_that_is_too_long_is_dropped_and_the_next_one_taken() -> None:
    for size in (101, 250, 100_000):
        wire = block(b"x" * size) + block(b"y")
        for step in (7, len(wire)):
            chunks = [wire[start : start + step] for start in range(0, len(wire), step)]
            found, rest = fed(*chunks)
            assert [(one.broken, one.whole) for one in found] == [("longer than 100 bytes", False), ("", True)]
            assert len(found[0].data) <= 65_536
            assert rest is None
