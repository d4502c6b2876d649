"""Measures on DuckDB and Spark at a size where small errors show: wall time, and the largest relative difference.

Run ``python bench/engines.py [--rows 1000000] [--measures msg_turnaround note_closure]``; ``--rows 10000000`` is for
the night. The rows are those of the tests (missing values, ties, zones, partial dates, references that lead nowhere),
copied with keys of their own until there are enough, so that joins find as much in each copy. Both engines read the
same Parquet files, one after the other in one process; the start of Spark is apart. All data is synthetic.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.lib as pa

from _machine import record
from careplane._shelf import load
from careplane.evidence.engines import Engine, ibis_schema, rows_on
from careplane.evidence.engines.on_duckdb import open_duckdb
from careplane.evidence.engines.on_spark import open_spark
from careplane.measures import Measure
from careplane.store.lake_views import Kept, Refreshed

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "evidence"))
from hostile_rows import Hostile  # type: ignore[import-not-found]

COPIED = 10_000
MEASURES = ("msg_turnaround", "message_minutes", "note_closure", "first_pass_approval", "discharge_before_noon")
_COMPARED = """
WITH a AS (SELECT *, row_number() OVER (ORDER BY key, cluster, patient, clinician, at, value) AS n FROM here),
     b AS (SELECT *, row_number() OVER (ORDER BY key, cluster, patient, clinician, at, value) AS n FROM there)
SELECT count(*) FILTER (WHERE a.key IS DISTINCT FROM b.key OR a.cluster IS DISTINCT FROM b.cluster
         OR a.patient IS DISTINCT FROM b.patient OR a.clinician IS DISTINCT FROM b.clinician
         OR a.at IS DISTINCT FROM b.at OR (a.value IS NULL) <> (b.value IS NULL)),
       coalesce(max(abs(a.value - b.value) / greatest(abs(a.value), 1e-300)), 0)
FROM a FULL JOIN b USING (n)
"""


def main() -> None:
    """Measure and record."""
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--rows", type=int, default=1_000_000)
    reader.add_argument("--measures", nargs="+", default=MEASURES)
    given = reader.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        started = time.perf_counter()
        with open_duckdb(scratch) as in_process, open_spark(scratch / "spark") as spark:
            start = round(time.perf_counter() - started, 1)
            engines: dict[str, Engine] = {"duckdb": in_process, "spark": spark}
            found = {name: compared(engines, name, given.rows, scratch) for name in given.measures}
    record("engines", {"rows": given.rows, "spark_start_s": start, "measures": found})


def compared(engines: Mapping[str, Engine], name: str, rows: int, scratch: Path) -> dict[str, Any]:
    """Seconds by engine, rows that differ in anything but the digits of their value, and how far those differ."""
    measure: Measure = load("measures", name).MEASURE
    held = {table: copies(table, small, rows, scratch / name) for table, small in hostile(measure).items()}
    schemas = {table: ibis_schema(kept.schema) for table, kept in held.items()}
    told: dict[str, Any] = {}
    answers = {}
    for engine_name, engine in engines.items():
        for table, kept in held.items():
            engine.put_kept(table, kept)
        started = time.perf_counter()
        answers[engine_name] = rows_on(engine, measure, schemas)
        told[f"{engine_name}_s"] = round(time.perf_counter() - started, 2)
    with duckdb.connect() as connection:
        connection.register("here", answers["duckdb"])
        connection.register("there", answers["spark"])
        differing, largest = connection.execute(_COMPARED).fetchall()[0]
    return told | {"rows": answers["duckdb"].num_rows, "rows_that_differ": differing, "largest_difference": largest}


def hostile(measure: Measure) -> dict[str, pa.Table]:
    """The tables of the tests, larger."""
    tables: dict[str, pa.Table] = Hostile(measure, COPIED, 5).tables()
    return tables


def copies(name: str, small: pa.Table, rows: int, folder: Path) -> Kept:
    """A Parquet file with copies of a table, in which the ids of each copy are its own."""
    folder.mkdir(exist_ok=True)
    file = folder / f"{name}.parquet"
    columns = ", ".join(
        f"""regexp_replace("{field.name}", '(k[0-9]+)$', '\\\\1-' || copy) AS "{field.name}\""""
        if field.type == pa.string()
        else f'"{field.name}"'
        for field in small.schema
    )
    with duckdb.connect() as connection:
        connection.register("small", small)
        query = f"SELECT '' AS _id, '' AS _hash, true AS _row, {columns} FROM small, range($copies) AS made(copy)"
        connection.execute(
            f"COPY ({query}) TO $file (FORMAT parquet)", {"copies": max(1, rows // COPIED), "file": str(file)}
        )
    return Kept(small.schema, (file,), Refreshed(parts=1, parts_read=1, resources_read=rows, taken_over=0))


if __name__ == "__main__":
    main()
