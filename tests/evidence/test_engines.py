"""Every measure of the shelf on DuckDB, PostgreSQL and Spark: the same rows, values to 1e-9, on hostile data."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import ibis
import numpy as np
import pyarrow.lib as pa
import pytest

from careplane._shelf import items, load
from careplane.errors import DataError, InputError, StoreError
from careplane.evidence.engines import Engine, ibis_schema, rows_on
from careplane.evidence.engines.choosing import Choice, open_engine
from careplane.evidence.engines.on_duckdb import open_duckdb
from careplane.evidence.engines.on_postgres import open_postgres
from careplane.evidence.engines.on_spark import Spark
from careplane.measures import Measure, epoch_seconds, offset_seconds, wall_seconds

from .hostile_rows import Hostile

ROWS = 800
TOLERANCE = 1e-9
MEASURES = sorted(items("measures"))
TEXTS = ("key", "cluster", "patient", "clinician")


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
        numbers = tuple((row[name] is None, row[name] or 0) for name in ("at", "value", "weight"))
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


@pytest.mark.parametrize("name", MEASURES)
def test_spark_gives_the_rows_of_duckdb(name: str, spark: Spark, tmp_path: Path) -> None:
    one = measure(name)
    for count, seed in ((0, 0), (ROWS, 2)):
        tables = Hostile(one, count, seed).tables()
        assert_same(on_duckdb(one, tables, tmp_path), rows(spark, one, tables))


def test_hostile_rows_reach_the_measures(tmp_path: Path) -> None:
    """The comparisons above compare something: rows come out for every measure, values for most."""
    found = {name: on_duckdb(measure(name), Hostile(measure(name), ROWS, 2).tables(), tmp_path) for name in MEASURES}
    assert [name for name, rows in found.items() if not rows.num_rows] == []
    valued = [name for name, rows in found.items() if rows["value"].null_count < rows.num_rows]
    assert len(valued) >= len(MEASURES) / 2


def seconds(engine: Engine, instants: list[str | None]) -> dict[str | None, tuple[int | None, ...]]:
    """What an engine makes of instants: epoch, wall and offset seconds."""
    engine.put("instants", pa.table({"text": pa.array(instants, type=pa.string())}))
    text = ibis.table({"text": "string"}, name="instants").text
    asked = {"epoch": epoch_seconds(text), "wall": wall_seconds(text), "offset": offset_seconds(text)}
    table = ibis.table({"text": "string"}, name="instants").select(text=text, **asked)
    found = engine.query(str(ibis.to_sql(table, dialect=engine.dialect)))
    return {row["text"]: (row["epoch"], row["wall"], row["offset"]) for row in found.to_pylist()}


KNOWN: dict[str | None, tuple[int | None, ...]] = {
    "2026-03-02T09:00:00-06:00": (1_772_463_600, 1_772_442_000, -21_600),
    "2026-03-08T02:30:00-06:00": (1_772_958_600, 1_772_937_000, -21_600),  # no clock of Chicago shows it
    "2024-03-01T00:00:00+05:45": (1_709_230_500, 1_709_251_200, 20_700),
    "2026-03-02T09:00:00.999999Z": (1_772_442_000, 1_772_442_000, 0),
    "2016-12-31T23:59:60Z": (1_483_228_799, 1_483_228_799, 0),  # a leap second
    "1969-12-31T23:59:59Z": (-1, -1, 0),
    "0001-01-01": (-62_135_596_800, -62_135_596_800, 0),
    "9999-12-31T23:59:59-12:00": (253_402_343_999, 253_402_300_799, -43_200),
    "2026-03-02": (1_772_409_600, 1_772_409_600, 0),
    "2026-03": (1_772_323_200, 1_772_323_200, 0),
    "2026": (1_767_225_600, 1_767_225_600, 0),
    **dict.fromkeys(
        ("2026-02-30", "2100-02-29", "2026-03-02T09:00:00", "0000", "soon", "2026-03-02T09:00:00Z\n", ""), ()
    ),
    None: (),
}


def expected() -> dict[str | None, tuple[int | None, ...]]:
    return {text: known or (None, None, None) for text, known in KNOWN.items()}


def test_instants_on_duckdb(tmp_path: Path) -> None:
    with open_duckdb(tmp_path) as engine:
        assert seconds(engine, list(KNOWN)) == expected()


@pytest.mark.postgres
def test_instants_on_postgres(empty_postgres_url: str) -> None:
    with open_postgres(empty_postgres_url) as engine:
        assert seconds(engine, list(KNOWN)) == expected()


def test_instants_on_spark(spark: Spark) -> None:
    assert seconds(spark, list(KNOWN)) == expected()


@pytest.mark.postgres
def test_what_postgres_cannot_take_is_an_error_without_content(empty_postgres_url: str) -> None:
    with open_postgres(empty_postgres_url) as engine, pytest.raises(DataError, match="PostgreSQL") as caught:
        engine.put("texts", pa.table({"text": ["Maria\0Quill"]}))
    assert "Quill" not in str(caught.value)


def test_a_postgres_that_does_not_answer_is_named_without_its_password() -> None:
    with pytest.raises(StoreError, match="PostgreSQL of measures does not answer") as caught:
        open_postgres("postgresql://careplane:hunter2@127.0.0.1:9/none").__enter__()
    assert "hunter2" not in str(caught.value)


def test_postgres_without_a_url_names_the_setting(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="measures_database_url"):
        open_engine(Choice("postgres"), tmp_path).__enter__()


def test_spark_that_is_not_installed_names_the_command(tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules['pyspark'] = None\n"
        "from pathlib import Path; from careplane.evidence.engines.on_spark import open_spark\n"
        "from careplane.errors import MissingExtra\n"
        "try: open_spark(Path(sys.argv[1])).__enter__()\n"
        "except MissingExtra as error: print(error)\n"
    )
    told = subprocess.run([sys.executable, "-c", program, tmp_path], capture_output=True, text=True, check=True)
    assert "uv sync --extra spark" in told.stdout
