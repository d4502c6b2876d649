"""Acknowledgements in both modes, by version, and as other libraries read them."""

from datetime import UTC, datetime

import hl7
import pytest
from hl7apy.parser import parse_message

from careplane.codecs.hl7v2 import answers, header_of, outcome_of, parse, read_answer
from careplane.codecs.hl7v2.message import Note
from careplane.errors import MessageError

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ERROR = MessageError("the date is none", 102, line=3, segment="PID", sequence=1, number=7)


def head(version: str = "2.5.1", accept: str = "", application: str = "", charset: str = "") -> bytes:
    tail = f"{accept}|{application}||{charset}" if accept or application or charset else ""
    return f"MSH|^~\\&|LAB^1.2^ISO|NORTH|CARE|HUB|2026||ADT^A03^ADT_A03|47\\T\\11|T|{version}|||{tail}".encode()


def answered(data: bytes, outcome: str = "A", *problems: MessageError | Note) -> list[str]:
    found = answers(header_of(data), outcome, problems, at=AT, ident="c1")  # type: ignore[arg-type]
    return [one.decode() for one in found]


def test_original_mode_echoes_and_turns_the_parties_round() -> None:
    assert answered(head()) == [
        "MSH|^~\\&|CARE|HUB|LAB^1.2^ISO|NORTH|20260102030405+0000||ACK^A03^ACK|c1|T|2.5.1\rMSA|AA|47\\T\\11\r"
    ]


def test_an_error_says_where() -> None:
    (text,) = answered(head(), "E", ERROR)
    assert text.splitlines()[1:] == [
        "MSA|AE|47\\T\\11|line 3, PID-7: the date is none",
        "ERR||PID^1^7|102^Data type error^HL70357|E||||line 3, PID-7: the date is none",
    ]
    (old,) = answered(head("2.3"), "E", ERROR)
    assert old.splitlines()[0].split("|")[8] == "ACK^A03"
    assert old.splitlines()[2] == "ERR|PID^1^7^102&Data type error&HL70357"
    assert answered(head("2.7"), "E", ERROR)[0].splitlines()[1] == "MSA|AE|47\\T\\11"


def test_a_note_is_a_warning() -> None:
    (text,) = answered(head(), "A", Note("odd | escape", 102, 4, "OBX", 2, 5))
    assert text.splitlines()[1:] == [
        "MSA|AA|47\\T\\11",
        "ERR||OBX^2^5|102^Data type error^HL70357|W||||odd \\F\\ escape",
    ]


@pytest.mark.parametrize(
    ("accept", "application", "outcome", "codes"),
    [
        ("AL", "NE", "A", ["CA"]),
        ("AL", "NE", "E", ["CE"]),
        ("AL", "NE", "R", ["CR"]),
        ("NE", "NE", "A", []),
        ("NE", "AL", "A", ["AA"]),
        ("ER", "", "A", []),
        ("ER", "", "R", ["CR"]),
        ("SU", "ER", "E", ["AE"]),
        ("AL", "AL", "A", ["CA", "AA"]),
        ("", "SU", "A", ["AA"]),
        ("never heard of", "", "A", []),
    ],
)
def test_enhanced_mode(accept: str, application: str, outcome: str, codes: list[str]) -> None:
    problems = [] if outcome == "A" else [ERROR]
    found = answered(head(accept=accept, application=application), outcome, *problems)
    assert [read_answer(one.encode()).code for one in found] == codes
    assert len({one.split("|")[9] for one in found}) == len(found)


def test_without_a_header_there_is_still_an_answer() -> None:
    (text,) = answered(b"hello", "E", MessageError("must begin with MSH", 100, line=1))
    header, msa, err = text.splitlines()
    assert header == "MSH|^~\\&|||||20260102030405+0000||ACK|c1|P|2.5.1"
    assert msa == "MSA|AE||line 1: must begin with MSH"
    assert err.startswith("ERR|||100^")


def test_the_answer_is_in_the_sender_s_character_set() -> None:
    data = head(charset="8859/1").replace(b"LAB", "LÄB".encode("latin-1"))
    (found,) = answers(header_of(data), "A", [], at=AT, ident="c1")
    assert "LÄB".encode("latin-1") in found


def test_which_letter_an_error_has() -> None:
    assert [outcome_of(MessageError("", code)) for code in (100, 101, 102, 103, 205)] == ["E"] * 5
    assert [outcome_of(MessageError("", code)) for code in (200, 203, 207)] == ["R"] * 3


def test_others_read_it_and_we_read_theirs() -> None:
    (text,) = answered(head(), "E", ERROR)
    theirs = parse_message(text)
    assert (theirs.msa.msa_1.value, theirs.err.err_2.value) == ("AE", "PID^1^7")
    assert str(hl7.parse(text).segment("MSA")[2]) == "47\\T\\11"
    ack = hl7.parse(head().decode()).create_ack("AR", message_id="9")
    assert (read_answer(str(ack).encode()).code, read_answer(str(ack).encode()).accepted) == ("AR", False)
    mine = read_answer(text.encode())
    assert (mine.code, mine.control, mine.text) == ("AE", "47&11", "line 3, PID-7: the date is none")
    with pytest.raises(MessageError):
        read_answer(head())
    parse(text.encode())
