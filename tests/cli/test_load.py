"""``careplane load``: what it prints and how it ends."""

import json
import signal
import subprocess
import sys
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


def test_an_interrupt_ends_a_load_and_the_next_one_goes_on(tmp_path: Path) -> None:
    source, home = tmp_path / "Observation.ndjson", tmp_path / "home"
    line = '{"resourceType":"Observation","id":"o%d","status":"final","code":{"text":"x"}}\n'
    source.write_text("".join(line % number for number in range(120_000)))
    command = [sys.executable, "-m", "careplane", "load", str(source), "--home", str(home)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while not (home / "fhir" / ".lock").exists() and process.poll() is None:
            pass
        process.send_signal(signal.SIGINT)
        assert process.wait(30) in (0, 130, -signal.SIGINT)
    done = subprocess.run([*command, "--json"], capture_output=True, timeout=60, check=True)
    counts = json.loads(done.stdout)["types"][0]
    assert counts["new"] + counts["already"] == 120_000
