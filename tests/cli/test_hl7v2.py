"""``careplane hl7v2``: parse and send; the inbox is tried where messages come (tests/server/hl7v2)."""

import json
from pathlib import Path

import pytest

from careplane.cli import main
from careplane.connectors.hl7v2_mllp.tests import rig

GOOD = "MSH|^~\\&|LAB|NORTH|CARE|HUB|20260101||ADT^A08|{}|P|2.5.1\r{}\r"


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[str], str]:
    with pytest.raises(SystemExit) as ended:
        main(["hl7v2", *arguments])
    told = capsys.readouterr()
    return int(ended.value.code or 0), told.out.splitlines(), told.err


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "night.batch"
    first, second = GOOD.format("1", "PID|1||77^^^MRN~8||Qu\\T\\ill^Ana"), GOOD.format("bad", "PID|1||5")
    path.write_text(f"BHS|^~\\&|LAB\r{first}{second}BTS|2\r", encoding="utf-8", newline="")
    return path


def test_parse_shows_every_leaf_as_it_is_stored(capsys: pytest.CaptureFixture[str], file: Path) -> None:
    code, lines, _ = run(capsys, "parse", str(file), "--json")
    assert code == 0
    first, second = map(json.loads, lines)
    assert (first["type"], first["control_id"], second["control_id"]) == ("ADT^A08", "1", "bad")
    pid = first["segments"][1]
    assert (pid["id"], pid["line"]) == ("PID", 2)
    assert pid["fields"][2] == [[["77"], [""], [""], ["MRN"]], [["8"]]]
    assert pid["fields"][4] == [[["Qu\\T\\ill"], ["Ana"]]]
    code, lines, _ = run(capsys, "parse", str(file))
    assert "  PID-5    Qu\\T\\ill^Ana" in lines
    assert max(map(len, lines)) <= 80


def test_what_cannot_be_read_is_exit_2_with_line_and_reason(capsys: pytest.CaptureFixture[str], file: Path) -> None:
    file.write_bytes(file.read_bytes().replace(b"PID|1||5", b"PID|1||5\rgarbage"))
    code, lines, told = run(capsys, "parse", str(file), "--json")
    assert (code, len(lines)) == (2, 1), "the other message is still shown"
    assert f"careplane: {file}:6: is not a segment" in told
    assert "garbage" not in told
    for content, where in (("", ":1: holds no message"), ("hello", ":1: stands before any message")):
        file.write_text(content)
        code, lines, told = run(capsys, "parse", str(file))
        assert (code, lines, f"{file}{where}" in told) == (2, [], True)
    file.write_bytes(b"\x0bMSH|^~\\&|A|B|C|D|20260101||ADT^A01|1|P|2.5\rPID|||1||M\xfcller\r\x1c\r")
    code, lines, told = run(capsys, "parse", str(file))
    assert (code, f"{file}:2: PID-5: byte 0xfc" in told) == (2, True), "the lines of a block are those of the file"
    code, _, told = run(capsys, "parse", str(file / "missing"))
    assert (code, "cannot be read" in told) == (2, True)


def test_send_tells_each_answer(capsys: pytest.CaptureFixture[str], file: Path, tmp_path: Path) -> None:
    with rig.peer(tmp_path) as peer:
        code, lines, told = run(capsys, "send", str(file), "--port", peer.settings["port"])
        assert (code, peer.got) == (1, ["1", "bad"])
        assert [line.split()[2:4] for line in lines] == [["2", "AA"], ["4", "AE"]]
        assert "2 sent: 1 accepted, 1 not." in told
        file.write_bytes(b"\xef\xbb\xbf" + GOOD.format("2", "PID|1||ü").replace("\r", "\n").encode())
        code, lines, _ = run(capsys, "send", str(file), "--port", peer.settings["port"], "--json")
        assert code == 0
        assert json.loads(lines[0]) == {"message": 1, "line": 1, "code": "AA", "control_id": "2", "text": ""}
    code, _, told = run(capsys, "send", str(file), "--port", peer.settings["port"], "--timeout", "1")
    assert (code, "No connection" in told) == (4, True)


def test_an_inbox_that_is_none_says_what_to_set(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, _, told = run(capsys, "inbox", "--home", str(tmp_path))
    assert (code, "set mllp_port" in told) == (2, True)
