"""``careplane load``: what it prints and how it ends."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from careplane.cli import main
from careplane.store.lake import connect

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


def deletion(*urls: str, method: str = "DELETE") -> str:
    entries = [{"request": {"method": method, "url": url}} for url in urls]
    return json.dumps({"resourceType": "Bundle", "type": "transaction", "entry": entries}) + "\n"


def test_what_the_ehr_deleted_is_taken_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = tmp_path / "home"
    people = [f'{{"resourceType":"Patient","id":"p{number}"}}' for number in range(3)]
    (tmp_path / "a.ndjson").write_text("\n".join(people) + "\n")
    load(str(tmp_path), "--home", str(home))
    gone = deletion("Patient/p0", "http://ehr.test/fhir/Patient/p9") + deletion("Observation/o1", "Patient/p2")
    (tmp_path / "Bundle.1.deleted").write_text(gone)
    capsys.readouterr()
    assert load(str(tmp_path), "--home", str(home), "--deletions") == 0
    assert "2 resource(s) taken out of the loaded data; 2 more were not in it." in capsys.readouterr().out
    with connect(home) as connection:
        assert connection.sql('SELECT id FROM "Patient"').fetchall() == [("p1",)]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (deletion("Patient/p0") + PATIENT + "\n", "Bundle.1.deleted:2: is no Bundle of deletions"),
        (deletion("Patient/p0", method="PUT"), "Bundle.1.deleted:1: entry[0].request: is no deletion"),
        (deletion("Patient"), "is no deletion of a resource (DELETE Type/id)"),
        ("{", "Bundle.1.deleted:1: is not JSON"),
    ],
)
def test_a_damaged_list_of_deletions_takes_nothing_out(
    content: str, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "home"
    (tmp_path / "a.ndjson").write_text('{"resourceType":"Patient","id":"p0"}\n')
    load(str(tmp_path), "--home", str(home))
    (tmp_path / "Bundle.1.deleted").write_text(content)
    assert load(str(tmp_path), "--home", str(home), "--deletions") == 2
    assert told in capsys.readouterr().err
    with connect(home) as connection:
        assert connection.sql('SELECT id FROM "Patient"').fetchall() == [("p0",)]


def test_deletions_without_a_file_of_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert load(str(tmp_path), "--deletions") == 2
    assert "holds no *.deleted file" in capsys.readouterr().err
