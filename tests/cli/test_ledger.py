"""``careplane ledger`` as a person uses it."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from careplane.cli import main
from careplane.ledger import Ledger

AT = datetime(2026, 3, 2, 14, 30, tzinfo=UTC)


@pytest.fixture
def filled(ledger: Ledger) -> Ledger:
    """A ledger of three records."""
    for number in range(3):
        ledger.append("model.called", at=AT, run=f"r{number}", facts={"tokens": number})
    return ledger


def _run(*argv: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(argv)
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_verify_prints_count_and_head(filled: Ledger, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("ledger", "verify", "--home", str(home)) == 0
    shown = capsys.readouterr().out
    assert "3 records" in shown
    assert filled.head.hash in shown


def test_verify_says_where_it_breaks(filled: Ledger, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = filled.folder / "000001.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"tokens":1', b'"tokens":9'))
    assert _run("ledger", "verify", "--home", str(home)) == 1
    assert f"{path}:2: record 2 was changed" in capsys.readouterr().err
    assert _run("ledger", "verify", "--home", str(home), "--json") == 1
    shown = json.loads(capsys.readouterr().out)
    assert (shown["verified"], shown["seq"], shown["line"], shown["file"]) == (False, 2, 2, str(path))


def test_show_filters_and_keeps_to_the_last(filled: Ledger, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("ledger", "show", "--home", str(home), "--last", "2", "--json") == 0
    assert [json.loads(line)["seq"] for line in capsys.readouterr().out.splitlines()] == [2, 3]
    assert _run("ledger", "show", "--home", str(home), "--run", "r0") == 0
    assert "run=r0" in capsys.readouterr().out


def test_no_ledger_is_exit_2(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("verify", "show"):
        assert _run("ledger", name, "--home", str(home)) == 2
        assert "There is no ledger" in capsys.readouterr().err
