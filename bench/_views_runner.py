"""One runner of ViewDefinitions over one file, in a process of its own: seconds, rows and a digest of them as JSON.

``python _views_runner.py RUNNER VIEW.json DATA.ndjson``. A peer's environment holds that peer alone, so Careplane is
imported only for Careplane's own runners. The digest is of the rows as sorted JSON with numbers as doubles.
"""

import hashlib
import importlib
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Rows = list[dict[str, Any]]
Run = Callable[[Path], Rows]
_LINES = """
CREATE OR REPLACE VIEW resources AS
SELECT json AS resource, json->>'resourceType' AS "resourceType" FROM read_ndjson_objects('{}')
"""


def duckdb_path(view: dict[str, Any]) -> Run:
    """Careplane, compiled to one DuckDB query."""
    views: Any = importlib.import_module("careplane.codecs.views")
    return _queries(importlib.import_module("duckdb").connect(), lambda: views.duckdb_sql(view, source="resources"))


def python_path(view: dict[str, Any]) -> Run:
    """Careplane, evaluated in Python."""
    views: Any = importlib.import_module("careplane.codecs.views")
    arrow: Any = importlib.import_module("careplane.codecs.views.arrow_rows")

    def run(data: Path) -> Rows:
        with data.open(encoding="utf-8") as lines:
            return list(arrow.rows_of_texts(views.compile_view(view), lines))

    return run


def fhir4ds(view: dict[str, Any]) -> Run:
    """fhir4ds-v2: its SQL over its own DuckDB functions."""
    package: Any = importlib.import_module("fhir4ds")
    return _queries(package.create_connection(), lambda: package.generate_view_sql(json.dumps(view)))


def sqlonfhir(view: dict[str, Any]) -> Run:
    """sqlonfhir, in Python."""
    package: Any = importlib.import_module("sqlonfhir")

    def run(data: Path) -> Rows:
        with data.open(encoding="utf-8") as lines:
            found: Rows = package.evaluate([json.loads(line) for line in lines], view)
        return found

    return run


def _queries(connection: Any, sql: Callable[[], str]) -> Run:
    connection.execute("SET threads = 1")

    def run(data: Path) -> Rows:
        connection.execute(_LINES.format(str(data).replace("'", "''")))
        found = connection.execute(sql())
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    return run


RUNNERS: dict[str, Callable[[dict[str, Any]], Run]] = {
    "careplane_duckdb": duckdb_path,
    "careplane_python": python_path,
    "fhir4ds": fhir4ds,
    "sqlonfhir": sqlonfhir,
}


def main(runner: str, view_file: str, data: str) -> None:
    """Run once on the first resource to warm up, then on all, and print what that took."""
    run = RUNNERS[runner](json.loads(Path(view_file).read_text(encoding="utf-8")))
    with tempfile.TemporaryDirectory() as folder:
        first = Path(folder) / "first.ndjson"
        with Path(data).open("rb") as resources:
            first.write_bytes(resources.readline())
        run(first)
    wall, cpu = time.perf_counter(), time.process_time()
    rows = run(Path(data))
    told = {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu, "rows": len(rows)}
    lines = sorted(json.dumps(row, sort_keys=True, default=float) for row in rows)
    print(json.dumps({**told, "digest": hashlib.sha256("\n".join(lines).encode()).hexdigest()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
