"""``careplane demo``: what it refuses before it begins, and what it leaves alone."""

import sys
from pathlib import Path

import pytest

from careplane.cli import main
from careplane.sandbox.journey import MARK, prepare
from careplane.server.binding import bind


def refused(capsys: pytest.CaptureFixture[str], *argv: str | Path) -> tuple[int, str]:
    """The exit code and what is on standard error."""
    with pytest.raises(SystemExit) as ended:
        main(["demo", *(str(one) for one in argv)])
    return int(ended.value.code or 0), capsys.readouterr().err


def test_a_folder_that_holds_no_demo_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    code, told = refused(capsys, "--no-serve", "--out", tmp_path)
    assert (code, "holds no demo; choose another folder" in told) == (1, True)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_file_is_no_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "report").write_text("mine")
    code, told = refused(capsys, "--no-serve", "--out", tmp_path / "report")
    assert (code, "is a file" in told) == (2, True)


def test_a_taken_port_is_told_before_the_journey(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with bind("127.0.0.1", 0) as taken:
        code, told = refused(capsys, "--out", tmp_path / "d", "--port", str(taken.getsockname()[1]))
    assert (code, "cannot listen" in told) == (2, True)
    assert not (tmp_path / "d").exists()


def test_a_missing_ehr_names_its_extra(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sekmet", None)
    code, told = refused(capsys, "--no-serve", "--out", tmp_path / "d", "--patients", "120")
    assert (code, "uv sync --extra sandbox" in told) == (3, True)
    assert "Traceback" not in told


def test_an_earlier_demo_is_replaced_even_where_one_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    prepare(Path())
    (tmp_path / "home" / "ledger").mkdir(parents=True)
    (tmp_path / "summary.json").write_text("{}")
    prepare(Path())
    assert [path.name for path in Path().iterdir()] == [MARK]
