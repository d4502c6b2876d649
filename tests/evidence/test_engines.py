"""Every measure of the shelf on DuckDB, PostgreSQL and Spark: the same rows, values to 1e-9, on hostile data."""

import shutil
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path

import ibis
import numpy as np
import pyarrow.lib as pa
import pytest

from careplane._shelf import items, load
from careplane.errors import DataError, InputError, StoreError
from careplane.evidence.engines import Engine, ibis_schema, rows_on
from careplane.evidence.engines.on_duckdb import open_duckdb
from careplane.evidence.engines.on_postgres import open_postgres
from careplane.evidence.engines.on_spark import Spark, open_spark
from careplane.measures import Measure, epoch_seconds, offset_seconds, wall_seconds

from .hostile_rows import INSTANTS, ZONES, Hostile

ROWS = 400
BIG = 40_000
TOLERANCE = 1e-9
MEASURES = sorted(items("measures"))
TEXTS = ("key", "cluster", "patient", "clinician")


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spark]:
    """One Spark for the whole module; it takes seconds to start."""
    pytest.importorskip("pyspark")
    if shutil.which("java") is None:
        pytest.skip("Spark needs Java 17, which is not here: apt-get install openjdk-17-jre-headless")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with open_spark(tmp_path_factory.mktemp("spark"), "local[2]") as engine:
            yield engine


def measure(name: str) -> Measure:
    found = load("measures", name).MEASURE
    assert isinstance(found, Measure)
    return found


def rows(engine: Engine, one: Measure, tables: Mapping[str, pa.Table]) -> pa.Table:
    for name, table in tables.items():
        engine.put(name, table)
    return rows_on(engine, one, {name: ibis_schema(table.schema) for name, table in tables.items()})


def assert_same(expected: pa.Table, found: pa.Table) -> None:
    """Same rows, whatever their order among equal keys."""
    assert found.num_rows == expected.num_rows
    assert found.schema == expected.schema
    left, right = (_ordered(table) for table in (expected, found))
    for name in (*TEXTS, "at"):
        assert right[name] == left[name], name
    for name in ("value", "weight"):
        here, there = (np.array(side[name], dtype=float) for side in (left, right))
        np.testing.assert_allclose(there, here, rtol=TOLERANCE, atol=0, equal_nan=True, err_msg=name)


def _ordered(table: pa.Table) -> dict[str, list[object]]:
    def place(row: dict[str, object]) -> tuple[object, ...]:
        texts = tuple((row[name] is None, row[name] or "") for name in TEXTS)
        numbers = tuple((row[name] is None, row[name] or 0) for name in ("at", "value"))
        return (*texts, *numbers)

    ordered = sorted(table.to_pylist(), key=place)
    return {name: [row[name] for row in ordered] for name in table.schema.names}


def on_duckdb(one: Measure, tables: Mapping[str, pa.Table], scratch: Path) -> pa.Table:
    with open_duckdb(scratch) as engine:
        return rows(engine, one, tables)


@pytest.mark.postgres
@pytest.mark.parametrize("name", MEASURES)
def test_postgres_gives_the_rows_of_duckdb(name: str, empty_postgres_url: str, tmp_path: Path) -> None:
    one = measure(name)
    for count, seed in ((0, 0), (1, 1), (ROWS, 2)):
        tables = Hostile(one, count, seed).tables()
        with open_postgres(empty_postgres_url) as engine:
            assert_same(on_duckdb(one, tables, tmp_path), rows(engine, one, tables))


@pytest.mark.slow
@pytest.mark.parametrize("name", MEASURES)
def test_spark_gives_the_rows_of_duckdb(name: str, spark: Spark, tmp_path: Path) -> None:
    one = measure(name)
    for count, seed in ((0, 0), (ROWS, 2)):
        tables = Hostile(one, count, seed).tables()
        assert_same(on_duckdb(one, tables, tmp_path), rows(spark, one, tables))


@pytest.mark.parametrize("name", MEASURES)
def test_hostile_rows_reach_the_measure(name: str, tmp_path: Path) -> None:
    """The comparison above compares something: rows with values come out of hostile tables."""
    found = on_duckdb(measure(name), Hostile(measure(name), ROWS, 2).tables(), tmp_path)
    assert found.num_rows > 0
    assert found["value"].null_count < found.num_rows
    assert found["key"].null_count == 0
