"""What the operating system or the database refuses ends in one line and an exit code, never in a traceback."""

from pathlib import Path

import pytest

from careplane.cli import main


def told(capsys: pytest.CaptureFixture[str], *argv: str | Path) -> str:
    """The one line on standard error of a command that fails with exit code 1."""
    with pytest.raises(SystemExit) as ended:
        main([str(one) for one in argv])
    assert ended.value.code == 1
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_a_home_that_is_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = tmp_path / "home"
    home.write_text("")
    assert told(capsys, "stop", "--list", "--home", home) == f"careplane: {home}: File exists"


def test_a_home_where_nothing_can_be_made(capsys: pytest.CaptureFixture[str]) -> None:
    assert told(capsys, "stop", "--list", "--home", "/proc/careplane").startswith("careplane: /proc/careplane: ")


def test_a_damaged_database(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "careplane.db").write_bytes(b"not a database " * 1000)
    line = told(capsys, "stop", "--list", "--home", tmp_path)
    assert line == f"careplane: The database sqlite:///{tmp_path}/careplane.db did not answer: file is not a database."


def test_an_unreachable_database_keeps_its_password(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAREPLANE_DATABASE_URL", "postgresql://kim:opensesame@127.0.0.1:9/careplane")
    line = told(capsys, "stop", "--list", "--home", tmp_path)
    assert "did not answer" in line
    assert "opensesame" not in line


def test_a_damaged_part_of_the_loaded_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.ndjson").write_text('{"resourceType":"Patient","id":"p1"}\n')
    home = tmp_path / "home"
    with pytest.raises(SystemExit):
        main(["load", str(tmp_path / "a.ndjson"), "--home", str(home)])
    capsys.readouterr()
    (part,) = (home / "fhir/Patient").glob("*.parquet")
    part.write_bytes(b"short")
    assert f"{home}/fhir cannot be read" in told(capsys, "load", tmp_path / "a.ndjson", "--home", home)
    trial = ("app", "try", "previsit_summary", "--patient", "p1", "--home", home)
    assert f"{home}/fhir cannot be read" in told(capsys, *trial)
