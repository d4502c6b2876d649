"""``careplane measure``: what it prints, how it ends."""

import json
from pathlib import Path

import pytest

from careplane.cli import main
from careplane.store.lake import load_path

STAY = '{"resourceType":"Encounter","id":"e%d","status":"finished","class":{"code":"IMP"},"period":{"end":"%s"}}\n'


def measure(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["measure", *arguments])
    return int(ended.value.code or 0)


@pytest.fixture
def loaded(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    source = tmp_path / "stays.ndjson"
    source.write_text(STAY % (1, "2026-03-02T09:00:00-06:00") + STAY % (2, "2026-03-02T15:00:00-06:00"))
    load_path(source, home)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CAREPLANE_HOME", str(home))
    return home


def test_a_run_prints_its_figures_and_the_next_one_reads_nothing(
    loaded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert measure("run", "discharge_before_noon") == 0
    out = capsys.readouterr().out
    assert "0.5" in out
    assert "1 measure(s) on duckdb" in out
    assert max(map(len, out.splitlines()[:2])) <= 80
    assert measure("run", "discharge_before_noon") == 0
    assert "unchanged" in capsys.readouterr().out
    assert measure("run", "discharge_before_noon", "--anew", "--json") == 0
    (run,) = json.loads(capsys.readouterr().out)
    assert (run["rows"], run["figure"], run["resources_read"], run["unchanged"]) == (2, 0.5, 2, False)


def test_the_list_says_what_was_not_measured(loaded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    measure("run", "discharge_before_noon")
    capsys.readouterr()
    assert measure("list") == 0
    out = capsys.readouterr().out
    assert "discharge_before_noon" in out
    assert "not measured" in out
    assert measure("list", "--json") == 0
    by_name = {one["measure"]["id"]: one["run"] for one in json.loads(capsys.readouterr().out)}
    assert by_name["discharge_before_noon"]["figure"] == 0.5
    assert by_name["note_closure"] is None


def test_a_measure_that_is_not_there_names_the_nearest(loaded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert measure("run", "discharge_before_non") != 0
    assert "discharge_before_noon" in capsys.readouterr().err


def test_postgres_without_a_url_names_the_setting(loaded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert measure("run", "--engine", "postgres") == 2
    assert "measures_database_url" in capsys.readouterr().err
