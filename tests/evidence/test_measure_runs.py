"""Runs of measures: only what changed is read, the figure is that of a run from nothing, one failure stops no other."""

import dataclasses
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet as pq
import pytest

from careplane._shelf import load
from careplane.errors import DataError
from careplane.evidence.engines.on_duckdb import open_duckdb
from careplane.evidence.engines.on_postgres import open_postgres
from careplane.evidence.engines.on_spark import Spark
from careplane.evidence.measure_runs import FOLDER, MeasureRun, latest_runs, run_measures
from careplane.evidence.run_tables import RunRecord, record_tables
from careplane.measures import Measure
from careplane.records import JSON
from careplane.store.lake import load_path
from careplane.store.lake_removal import remove

AT = datetime(2026, 3, 3, 2, 30, tzinfo=UTC)
TABLES = record_tables(RunRecord())


@pytest.fixture
def measures() -> dict[str, Measure]:
    return {name: load("measures", name).MEASURE for name in ("discharge_before_noon", "note_closure")}


def stay(number: int, ended: str, version: int = 1) -> JSON:
    return {
        "resourceType": "Encounter",
        "id": f"e{number}",
        "meta": {"lastUpdated": f"2026-03-0{version}T12:00:00Z"},
        "status": "finished",
        "class": {"code": "IMP"},
        "subject": {"reference": f"Patient/p{number}"},
        "period": {"start": "2026-03-01T08:00:00Z", "end": ended},
    }


def load_resources(home: Path, name: str, resources: list[JSON]) -> None:
    source = home.parent / name
    source.write_bytes(b"".join(orjson.dumps(resource) + b"\n" for resource in resources))
    load_path(source, home)


@pytest.fixture
def loaded(home: Path) -> Path:
    early, late = "2026-03-02T09:00:00-06:00", "2026-03-02T15:00:00-06:00"
    load_resources(home, "first.ndjson", [stay(number, early if number < 30 else late) for number in range(40)])
    return home


def run(home: Path, measures: Mapping[str, Measure], at: datetime = AT, *, anew: bool = False) -> dict[str, MeasureRun]:
    with open_duckdb(home) as engine:
        return {one.measure: one for one in run_measures(home, measures, TABLES, at, engine, anew=anew)}


def figures(runs: Mapping[str, MeasureRun]) -> dict[str, tuple[int | None, float | None]]:
    return {name: (one.rows, one.figure) for name, one in runs.items()}


def test_a_run_keeps_rows_and_figure(loaded: Path, measures: dict[str, Measure]) -> None:
    done = run(loaded, measures)
    noon = done["discharge_before_noon"]
    assert (noon.rows, noon.measured, noon.figure, noon.resources_read) == (40, 40, 0.75, 40)
    assert latest_runs(loaded) == done
    read: Any = pq.read_table  # the library has no types
    rows = read(loaded / FOLDER / "discharge_before_noon.parquet")
    assert rows["key"].to_pylist() == sorted(f"e{number}" for number in range(40))


def test_the_next_run_reads_what_changed_and_nothing_where_nothing_did(
    loaded: Path, measures: dict[str, Measure]
) -> None:
    run(loaded, measures)
    again = run(loaded, measures, AT + timedelta(days=1))
    assert all(one.unchanged and one.resources_read == 0 for one in again.values())
    assert {one.at for one in again.values()} == {AT + timedelta(days=1)}
    load_resources(loaded, "second.ndjson", [stay(0, "2026-03-02T23:00:00-06:00", 2), stay(99, "2026-03-04", 2)])
    remove(loaded, ["Encounter/e1"])
    changed = run(loaded, measures, AT + timedelta(days=2))
    noon = changed["discharge_before_noon"]
    assert (noon.rows, noon.resources_read, noon.taken_over, noon.unchanged) == (40, 2, 38, False)
    anew = run(loaded, measures, anew=True)
    assert figures(anew) == figures(changed)
    assert not any(one.unchanged for one in anew.values())


def test_a_measure_that_cannot_be_computed_stops_no_other(loaded: Path, measures: dict[str, Measure]) -> None:
    broken = measures["discharge_before_noon"]
    two_values = {**broken.views["stays"], "select": [{"column": [{"name": "id", "path": "subject |"}]}]}
    given = {"broken": dataclasses.replace(broken, views={"stays": two_values}), **measures}
    done = run(loaded, given)
    assert done["broken"].problem
    assert done["broken"].figure is None
    assert done["discharge_before_noon"].figure == 0.75
    assert "broken" not in latest_runs(loaded)


def test_a_measure_whose_table_was_not_given_stops_no_other(loaded: Path, measures: dict[str, Measure]) -> None:
    done = run(loaded, {"readability": load("measures", "readability").MEASURE, **measures})
    assert done["readability"].problem == "reads texts, of which this run was given nothing"
    assert done["discharge_before_noon"].figure == 0.75


def test_a_damaged_record_of_a_run_is_named(loaded: Path, measures: dict[str, Measure]) -> None:
    run(loaded, measures)
    file = loaded / FOLDER / "note_closure.json"
    file.write_text("{")
    with pytest.raises(DataError) as caught:
        latest_runs(loaded)
    assert caught.value.file == str(file)


@pytest.mark.postgres
def test_on_postgres(loaded: Path, measures: dict[str, Measure], empty_postgres_url: str) -> None:
    expected = run(loaded, measures)
    with open_postgres(empty_postgres_url) as engine:
        done = run_measures(loaded, measures, TABLES, AT, engine, anew=True)
    assert figures({one.measure: one for one in done}) == figures(expected)
    assert {one.engine for one in done} == {"postgres"}


def test_on_spark_views_and_measures(loaded: Path, measures: dict[str, Measure], spark: Spark) -> None:
    expected = run(loaded, measures)
    done = run_measures(loaded, measures, TABLES, AT, spark, anew=True)
    assert figures({one.measure: one for one in done}) == figures(expected)
    assert {one.engine for one in done} == {"spark"}
