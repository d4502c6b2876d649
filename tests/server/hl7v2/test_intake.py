"""The listener and its inbox: what is acknowledged is on disk, and everything that is broken is said so."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from careplane.codecs.hl7v2 import block, read_answer
from careplane.connectors.hl7v2_mllp import Limits

from .senders import Line, asked, discharge, listening, message, receive


@pytest.fixture
def line(home: Path) -> Iterator[Line]:
    """A listener with short patience."""
    with listening(home, Limits(max_bytes=2 * 1024 * 1024, block_seconds=0.7)) as opened:
        yield opened


def test_the_same_id_for_another_message_is_said_so_and_kept(line: Line) -> None:
    line.codes(discharge())
    (answer,) = line.exchange(block(discharge(name="Other^Bob")))
    assert "MSA|AE|c1|line 1, MSH-10: the control id was used before" in answer
    assert "|205^Duplicate key identifier^HL70357|E|" in answer
    conflict, first = line.inbox.newest()
    assert (conflict.state, first.state) == ("refused", "received")
    assert b"Other^Bob" in line.inbox.content(conflict.id)[0]


def test_nothing_readable_is_on_disk_and_the_key_is_for_its_owner_only(line: Line, home: Path) -> None:
    line.codes(discharge(name="Quesenberry^Theodora"), message("bad", "PID|1||1||Quesenberry", "Quesenberry"))
    for file in home.glob("hl7v2.db*"):
        assert b"Quesenberry" not in file.read_bytes()
        assert file.stat().st_mode & 0o077 == 0
    assert (home / "secrets" / "hl7v2.key").stat().st_mode & 0o077 == 0


def test_however_the_bytes_are_cut(line: Line) -> None:
    wire = block(discharge("a", "1")) + b"\r\n" + block(discharge("b", "2")) + block(discharge("c", "3"))
    answers = line.exchange(wire, answers=3)
    assert [read_answer(one.encode()).control for one in answers] == ["a", "b", "c"]
    single = block(discharge("d", "4"))
    with line.connect() as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in single:
            connection.sendall(bytes([byte]))
        assert "MSA|AA|d" in receive(connection, 1)[0]
        connection.sendall(block(discharge("e", "5")))  # the same connection stays
        assert "MSA|AA|e" in receive(connection, 1)[0]


def test_broken_framing_is_answered_and_the_connection_goes_on(line: Line) -> None:
    bare = discharge("x")
    wire = bare + b"\x1c\r" + b"\x0b" + bare + block(discharge("ok", "2"))
    first, second, third = line.exchange(wire, answers=3)
    assert "MSA|AE|x|broken framing: the start of the block (0x0B) is missing" in first
    assert "MSA|AE|x|broken framing: a new block begins before the end of this one" in second
    assert "MSA|AA|ok" in third
    assert len(line.inbox.newest(failed=True)) == 1, "the same bytes are kept once"


def test_half_a_message_then_silence_ends_the_connection_and_no_other(line: Line) -> None:
    with line.connect() as silent, line.connect() as other:
        silent.sendall(b"\x0b" + discharge("half")[:120])
        begun = time.monotonic()
        assert "MSA|AA|fine" in asked(other, discharge("fine"))
        (answer,) = receive(silent, 1)
        assert "MSA|AE|half|broken framing: the end of the block (0x1C 0x0D) is missing" in answer
        assert 0.5 < time.monotonic() - begun < 5
        assert silent.recv(100) == b""
        assert "MSA|AA|still" in asked(other, discharge("still"))
    with line.connect() as slow, pytest.raises((BrokenPipeError, ConnectionResetError, AssertionError)):
        _trickle(slow, block(discharge("slow")))  # a byte now and then does not help


def _trickle(connection: socket.socket, data: bytes) -> None:
    for byte in data:
        connection.sendall(bytes([byte]))
        time.sleep(0.02)
    receive(connection, 2)


def test_long_messages(line: Line) -> None:
    long = message("m1", "PID|1||1", "OBR|1||F1", "OBX|1|ED|||^^PDF^Base64^" + "QUJD" * 262_144, kind="ORU^R01")
    assert line.codes(long) == ["AA"]
    over = message("m2", "PID|1||1", "NTE|1||" + "x" * 3_000_000)
    answers = line.exchange(block(over) + block(discharge("after")), answers=2)
    assert "MSA|AR|m2|broken framing: longer than 2097152 bytes" in answers[0]
    assert "MSA|AA|after" in answers[1]


def test_enhanced_mode_answers_as_it_isasked(line: Line) -> None:
    both = discharge("e1").replace(b"|2.5.1", b"|2.5.1|||AL|AL")
    accept, application = line.exchange(block(both), answers=2)
    assert ("MSA|CA|e1" in accept, "MSA|AA|e1" in application) == (True, True)
    never = discharge("e2").replace(b"|2.5.1", b"|2.5.1|||NE|NE")
    (only,) = line.exchange(block(never) + block(discharge("e3")))
    assert "MSA|AA|e3" in only
    assert len(line.inbox.newest()) == 3


def test_a_file_that_is_full_is_no_acknowledgement(line: Line) -> None:
    writer = line.inbox.file._writer
    (pages,) = writer.execute("PRAGMA page_count").fetchone()
    writer.execute(f"PRAGMA max_page_count = {pages}")
    large = message("big", "PID|1||1", "NTE|1||" + "x" * 100_000)
    (answer,) = line.exchange(block(large))
    assert "MSA|AR|big|it could not be kept; send it again later" in answer
    writer.execute("PRAGMA max_page_count = 1000000")
    assert line.codes(large) == ["AA"]


def test_more_connections_than_allowed_are_closed(home: Path) -> None:
    with listening(home, Limits(connections=2)) as line, line.connect() as one, line.connect() as two:
        assert "MSA|AA" in asked(one, discharge("1"))
        assert "MSA|AA" in asked(two, discharge("2"))
        with pytest.raises((ConnectionResetError, AssertionError)):
            line.exchange(block(discharge("3")))
        assert "MSA|AA" in asked(two, discharge("4"))


def test_an_acknowledgement_is_not_acknowledged(line: Line) -> None:
    acknowledgement = message("1", "MSA|AA|x", kind="ACK^A01^ACK")
    (answer,) = line.exchange(block(acknowledgement) + block(acknowledgement + b"garbage") + block(discharge("2")))
    assert "MSA|AA|2" in answer
    assert len(line.inbox.newest()) == 1
