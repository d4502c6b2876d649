"""Parsing: as stored, beside an outside reference, and what is refused, where and why."""

from contextlib import suppress
from pathlib import Path

import hl7
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from careplane.codecs.hl7v2 import Encoding, as_json, escape, header_of, parse, split_file, unescape
from careplane.errors import MessageError

MSH = b"MSH|^~\\&|LAB|NORTH|CARE|HUB|20260101120000||ORU^R01^ORU_R01|4711|P|2.5.1"


def message(*segments: bytes, head: bytes = MSH) -> bytes:
    return b"\r".join((head, *segments)) + b"\r"


def refused(data: bytes) -> tuple[int, int | None, str | None]:
    with pytest.raises(MessageError) as caught:
        parse(data)
    return caught.value.code, caught.value.line, caught.value.field


def test_every_level_is_as_stored() -> None:
    found = parse(message(b'PID|1||A^^^X&1.2&ISO~B|""|O\\T\\H|', b"ZXY|own|^a"))
    pid, own = found.first("PID"), found.first("ZXY")
    assert pid is not None
    assert own is not None
    assert pid.fields == (
        ((("1",),),),
        (),
        ((("A",), ("",), ("",), ("X", "1.2", "ISO")), (("B",),)),
        ((('""',),),),
        ((("O\\T\\H",),),),
        (),
    )
    assert pid.text(3, 4, 2) == "1.2"
    assert pid.text(3, repetition=2) == "B"
    assert pid.text(4) == ""
    assert (pid.stored(5), pid.text(5)) == ("O\\T\\H", "O&H")
    assert pid.text(40) == pid.text(3, 9, 9) == pid.text(3, repetition=9) == ""
    assert own.text(2, 2) == "a"
    assert found.header.fields[:2] == (((("|",),),), ((("^~\\&",),),))
    assert (found.kind, found.control, found.sender) == ("ORU^R01", "4711", "LAB|NORTH")


def test_own_separators() -> None:
    found = parse(b"MSH$%*@!$LAB$NORTH$$$$$ADT%A01$7$P$2.3\rPID$1$$a%b!c*d")
    pid = found.first("PID")
    assert pid is not None
    assert pid.field(3) == ((("a",), ("b", "c")), (("d",),))


def test_truncation_character_of_2_7() -> None:
    assert parse(MSH.replace(b"^~\\&|", b"^~\\&#|") + b"\rPID|a\\P\\").segments[1].text(1) == "a#"


@pytest.mark.parametrize("end", [b"\r", b"\n", b"\r\n"])
def test_segments_end_as_files_do(end: bytes) -> None:
    found = parse(end.join((b"", MSH, b"", b"PID|1", b"RGS", b"")))
    assert [(one.id, one.line) for one in found.segments] == [("MSH", 2), ("PID", 4), ("RGS", 5)]


def test_a_line_feed_between_carriage_returns_is_text() -> None:
    found = parse(message(b"OBX|1|TX|||first\nsecond|", b"OBX|2\nOBX|3"))
    assert [(one.id, one.line) for one in found.segments] == [("MSH", 1), ("OBX", 2), ("OBX", 4), ("OBX", 5)]
    assert found.segments[1].text(5) == "first\nsecond"
    assert [(note.where, note.line) for note in found.notes] == [("OBX-5", 2)]


@pytest.mark.parametrize(
    ("declared", "text", "codec"),
    [
        (b"", "Müller ☃", "utf-8"),
        (b"ASCII", "Mueller", "ascii"),
        (b"8859/1", "Müller", "latin-1"),
        (b"8859/2", "Łódź", "iso8859_2"),
        (b"8859/15", "1 €", "iso8859_15"),
        (b"UNICODE UTF-8", "Nguyễn", "utf-8"),
        (b"utf-8", "Nguyễn", "utf-8"),
        (b"~ISO IR87", "山田", "iso2022_jp"),
        (b"GB 18030-2000", "李明", "gb18030"),
        (b"KS X 1001", "김", "euc_kr"),
    ],
)
def test_character_sets(declared: bytes, text: str, codec: str) -> None:
    found = parse(message(b"PID|1||||" + text.encode(codec), head=MSH + b"||||||" + declared))
    assert found.segments[1].text(5) == text


def test_byte_order_marks() -> None:
    whole = message("PID|1||||Müller".encode())
    assert parse(b"\xef\xbb\xbf" + whole).segments[1].text(5) == "Müller"
    assert parse(whole.decode().encode("utf-16")).segments[1].text(5) == "Müller"
    assert parse(b"\xef\xbb\xbf" + whole).notes[0].where == "MSH-18"


def test_bytes_of_another_character_set_are_never_guessed() -> None:
    latin = "PID|1||||Müller".encode("latin-1")
    assert refused(message(b"EVN|A01", latin)) == (102, 3, "PID-5")
    assert refused(message(latin, head=MSH + b"||||||ASCII")) == (102, 2, "PID-5")
    assert refused(message(latin, head=MSH + b"||||||KLINGON")) == (103, 1, "MSH-18")
    assert parse(message(latin), charset="8859/1").segments[1].text(5) == "Müller"
    assert parse(message(latin), default="8859/1").segments[1].text(5) == "Müller"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", (100, 1, None)),
        (b"PID|1", (100, 1, None)),
        (b"MSH", (102, 1, "MSH-2")),
        (b"MSH|^~|A", (102, 1, "MSH-2")),
        (b"MSH|^^\\&|A", (102, 1, "MSH-2")),
        (b"MSHA^~\\&A", (102, 1, "MSH-2")),
        (b"MSH|^~\\&", (101, 1, "MSH-9")),
        (MSH.replace(b"|4711|", b"||"), (101, 1, "MSH-10")),
        (MSH.replace(b"2.5.1", b"3.0"), (203, 1, "MSH-12")),
        (MSH.replace(b"ORU^", b"Lab results^"), (200, 1, "MSH-9")),
        (message(b"pid|1"), (100, 2, None)),
        (message(b"NTE|1||two", b"lines"), (100, 3, None)),
        (message(b"PID|1", MSH), (100, 3, "MSH")),
        (message(b"PID" + b"|" * 2000), (207, 2, "PID")),
        (message(b"OBX|" + b"&" * 600_000), (207, 2, "OBX")),
        (b"BHS|^~\\&|A\r" + MSH, (100, 2, "MSH")),
        (b"x" * (16 * 1024 * 1024 + 1), (207, 1, None)),
    ],
)
def test_what_is_refused_says_where(data: bytes, expected: tuple[int, int | None, str | None]) -> None:
    assert refused(data) == expected


def test_bad_escapes_are_kept_and_noted() -> None:
    found = parse(message(rb"OBX|1||\\SERVER\x|\Q\|a\Xzz\b|\XC3BC\|\XFF\|fine \T\ \.br\ \E\|open \F"))
    obx = found.segments[1]
    texts = [obx.text(number) for number in range(3, 9)]
    assert texts == ["\\\\SERVER\\x", "\\Q\\", "a\\Xzz\\b", "ü", "\\XFF\\", "fine & \n \\"]
    assert obx.text(9) == "open \\F"
    assert [note.where for note in found.notes] == ["OBX-3", "OBX-4", "OBX-5", "OBX-7", "OBX-9"]


def test_a_segment_of_a_megabyte() -> None:
    found = parse(message(b"OBX|1|ED|||^^PDF^Base64^" + b"QUJD" * 262_144))
    assert len(found.segments[1].text(5, 5)) == 1_048_576


def test_files_of_many_messages() -> None:
    batch = b"FHS|^~\\&|A\rBHS|^~\\&|A\r" + message(b"PID|1") + message(b"PID|2") + b"BTS|2\rFTS|1\r"
    assert [(one.line, parse(one.data).segments[1].text(1)) for one in split_file(batch)] == [(3, "1"), (5, "2")]
    assert len(split_file(b"\x0b" + message() + b"\x1c\r\x0b" + message() + b"\x1c\r")) == 2
    marked = split_file(b"\xef\xbb\xbf" + message("PID|ü".encode()) + message())
    assert [one.data[:3] for one in marked] == [b"\xef\xbb\xbf"] * 2
    assert len(split_file((message() + message()).decode().encode("utf-16"))) == 2
    for bad, line in ((batch.replace(b"BTS|2", b"BTS|3"), 7), (b"hello\r" + message(), 1), (b"\r\n", 1)):
        with pytest.raises(MessageError) as caught:
            split_file(bad)
        assert caught.value.line == line


def test_a_header_is_found_in_what_cannot_be_read() -> None:
    found = header_of(message("PID|ü".encode("latin-1"), b"garbage"))
    assert found is not None
    assert found.text(10) == "4711"
    assert header_of(b"hello") is None
    assert header_of(b"MSH|") is None


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"])))
def test_what_is_escaped_comes_back(text: str) -> None:
    encoding = Encoding()
    written = escape(text, encoding)
    assert not set(written) & set("|^~&")
    assert unescape(written, encoding) == text


@given(st.binary(max_size=300), st.booleans())
def test_no_bytes_raise_anything_else(rest: bytes, headed: bool) -> None:
    data = MSH + b"\r" + rest if headed else rest
    try:
        found = parse(data)
    except MessageError:
        return
    msgspec.json.encode(as_json(found))


@given(st.text(st.sampled_from(list("MSHPID|^~\\&\r\n1ü\x0b\x1c\x00E.b")), max_size=200))
def test_no_text_of_separators_raises_anything_else(text: str) -> None:
    for data in (text.encode(), MSH + text.encode()):
        for act in (parse, split_file, header_of):
            with suppress(MessageError):
                act(data)


def test_the_library_hl7_reads_the_same(shared: Path) -> None:
    files = sorted((shared / "data" / "hl7v2").glob("*.hl7"))
    assert len(files) >= 99
    for file in files:
        data = file.read_bytes()
        ours = parse(data)
        theirs = hl7.parse(data.decode("utf-8-sig").replace("\n", "\r"))
        assert [one.id for one in ours.segments] == [str(one[0]) for one in theirs]
        for mine, other in zip(ours.segments, theirs, strict=True):
            first = 3 if mine.id == "MSH" else 1
            for number in range(first, len(mine.fields) + 1):
                stored = "~".join("^".join("&".join(part) for part in one) for one in mine.field(number))
                assert stored.rstrip() == str(other[number]).rstrip(), (file.name, mine.id, number)
