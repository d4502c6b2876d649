"""``careplane measure``: what it prints, how it ends."""

import json
from pathlib import Path

import pytest

from careplane.cli import main
from careplane.evidence.measure_runs import latest_runs
from careplane.store.lake import load_path

STAY = '{"resourceType":"Encounter","id":"e%d","status":"finished","class":{"code":"IMP"},"period":{"end":"%s"}}\n'


def measure(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["measure", *arguments])
    return int(ended.value.code or 0)


@pytest.fixture
def loaded(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    source = tmp_path / "stays.ndjson"
    source.write_text(
        "".join(STAY % (number, f"2026-03-02T{9 if number < 6 else 15:02}:00:00-06:00") for number in range(12))
    )
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
    assert (run["rows"], run["figure"], run["resources_read"], run["unchanged"]) == (12, 0.5, 12, False)


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


def test_a_figure_of_few_rows_is_withheld_as_that_of_one_measure_is(
    loaded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "few"
    source = tmp_path / "few.ndjson"
    source.write_text("".join(STAY % (number, "2026-03-02T09:00:00-06:00") for number in range(10)))
    load_path(source, home)
    nothing = (None, None, None, "fewer than 11 rows have a value")
    for command in (("run", "discharge_before_noon"), ("list",)):
        assert measure(*command, "--home", str(home)) == 0
        (line,) = (one for one in capsys.readouterr().out.splitlines() if one.startswith("discharge_before_noon"))
        assert line.split()[1] == "withheld"
        assert measure(*command, "--home", str(home), "--json") == 0
        told = json.loads(capsys.readouterr().out)
        runs = [one["run"] if command == ("list",) else one for one in told]
        (run,) = (one for one in runs if one and one["measure"] == "discharge_before_noon")
        assert (run["rows"], run["measured"], run["figure"], run["withheld"]) == nothing
    assert measure("figure", "discharge_before_noon", "--home", str(home), "--json") == 0
    one = json.loads(capsys.readouterr().out)
    assert (one["rows"], one["n"], one["figure"], one["withheld"]) == nothing
    assert measure("list", "--home", str(loaded)) == 0
    assert latest_runs(home)["discharge_before_noon"].figure == 1.0  # what is kept is whole


def test_a_measure_that_is_not_there_names_the_nearest(loaded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert measure("run", "discharge_before_non") != 0
    assert "discharge_before_noon" in capsys.readouterr().err


def test_postgres_without_a_url_names_the_setting(loaded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert measure("run", "--engine", "postgres") == 2
    assert "measures_database_url" in capsys.readouterr().err
