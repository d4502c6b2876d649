"""``careplane sandbox``: one screen, JSON, and care with folders."""

from pathlib import Path

import orjson
import pytest

from careplane.cli import main


def run(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(["sandbox", *argv])
    shown = capsys.readouterr()
    return int(ended.value.code or 0), shown.out, shown.err


def test_it_says_what_it_made_and_that_it_is_synthetic(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "--out", str(tmp_path / "s"), "--patients", "24")
    assert code == 0
    assert "SYNTHETIC health system, seed 7" in out
    assert "Observation" in out
    assert max(len(line) for line in out.splitlines() if str(tmp_path) not in line) <= 100
    assert (tmp_path / "s" / "fhir" / "Patient.ndjson").exists()


def test_json_is_the_manifest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "--out", str(tmp_path / "s"), "--patients", "24", "--json")
    manifest = orjson.loads(out)
    assert code == 0
    assert manifest == orjson.loads((tmp_path / "s" / "manifest.json").read_bytes())
    assert manifest["synthetic"] is True


def test_a_strange_folder_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    code, _, err = run(capsys, "--out", str(tmp_path), "--patients", "24")
    assert (code, "is not a sandbox data set" in err) == (1, True)


def test_the_folder_one_stands_in_will_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        code, _, _ = run(capsys, "--out", ".", "--patients", "24", "--days", "90")
        assert code == 0
        assert Path("manifest.json").is_file()


def test_an_impossible_size_is_explained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "--out", str(tmp_path / "s"), "--patients", "3")
    assert (code, "between 24 and 50000" in err) == (2, True)
