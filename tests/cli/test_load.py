"""``careplane load``: what it prints and how it ends."""

import json
from pathlib import Path

import pytest

from careplane.cli import main

PATIENT = '{"resourceType":"Patient","id":"p1"}'


def load(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["load", *arguments])
    return int(ended.value.code or 0)


def test_a_clean_load_ends_with_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.ndjson").write_text(PATIENT + "\n")
    assert load(str(tmp_path), "--home", str(tmp_path / "home")) == 0
    out = capsys.readouterr().out
    assert "Patient" in out
    assert "no problems" in out
    assert max(map(len, out.splitlines())) <= 80


def test_a_warning_ends_with_0_and_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lost = '{"resourceType":"Goal","id":"g","subject":{"reference":"Patient/gone"}}'
    (tmp_path / "a.ndjson").write_text(lost + "\n")
    assert load(str(tmp_path), "--home", str(tmp_path / "home")) == 0
    assert "Patient/gone is not in the loaded data" in capsys.readouterr().out


def test_a_bad_line_ends_with_1_and_the_rest_is_loaded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.ndjson").write_text("\n".join(["{"] * 30 + [PATIENT]) + "\n")
    assert load(str(tmp_path / "a.ndjson"), "--home", str(tmp_path / "home")) == 1
    out = capsys.readouterr().out
    assert "a.ndjson:1: broken json" in out
    assert "and 10 more" in out
    assert "30 left out. Everything else was loaded." in out
    named = Path(out.partition("All of them: ")[2].splitlines()[0])
    assert len(named.read_text().splitlines()) == 30


def test_json_tells_the_whole_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.ndjson").write_text(PATIENT + "\n{\n")
    assert load(str(tmp_path), "--home", str(tmp_path / "home"), "--json") == 1
    report = json.loads(capsys.readouterr().out)
    assert {key: report["types"][1][key] for key in ("type", "new")} == {"type": "Patient", "new": 1}
    assert report["problems"][0]["line"] == 2


def test_an_unusable_path_ends_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert load(str(tmp_path / "none"), "--home", str(tmp_path / "home")) == 2
    assert "no such path" in capsys.readouterr().err
    assert load(str(tmp_path), "--home", str(tmp_path / "home")) == 2
    assert "ndjson" in capsys.readouterr().err
