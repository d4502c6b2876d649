"""One runner of ViewDefinitions over one file, in a process of its own: seconds, rows and a digest of them as JSON.

``python _views_runner.py RUNNER VIEW.json DATA.ndjson``. A peer's environment holds that peer alone, so Careplane is
imported only for Careplane's own runners. The digest is of the rows as sorted JSON with numbers as doubles.
"""

import hashlib
import importlib
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Rows = list[dict[str, Any]]
_LINES = """
CREATE VIEW resources AS
SELECT json AS resource, json->>'resourceType' AS "resourceType" FROM read_ndjson_objects('{}')
"""


def duckdb_path(view: dict[str, Any], data: str) -> Rows:
    """Careplane, compiled to one DuckDB query."""
    views: Any = importlib.import_module("careplane.codecs.views")
    return _queried(importlib.import_module("duckdb").connect(), views.duckdb_sql(view, source="resources"), data)


def python_path(view: dict[str, Any], data: str) -> Rows:
    """Careplane, evaluated in Python."""
    views: Any = importlib.import_module("careplane.codecs.views")
    arrow: Any = importlib.import_module("careplane.codecs.views.arrow_rows")
    compiled = views.compile_view(view)
    with Path(data).open(encoding="utf-8") as lines:
        found: Rows = list(arrow.rows_of_texts(compiled, lines))
    return found


def fhir4ds(view: dict[str, Any], data: str) -> Rows:
    """fhir4ds-v2: its SQL over its own DuckDB functions."""
    package: Any = importlib.import_module("fhir4ds")
    return _queried(package.create_connection(), package.generate_view_sql(json.dumps(view)), data)


def sqlonfhir(view: dict[str, Any], data: str) -> Rows:
    """sqlonfhir, in Python."""
    package: Any = importlib.import_module("sqlonfhir")
    with Path(data).open(encoding="utf-8") as lines:
        found: Rows = package.evaluate([json.loads(line) for line in lines], view)
    return found


def _queried(connection: Any, sql: str, data: str) -> Rows:
    connection.execute("SET threads = 1")
    connection.execute(_LINES.format(data.replace("'", "''")))
    found = connection.execute(sql)
    names = [column[0] for column in found.description]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


RUNNERS: dict[str, Callable[[dict[str, Any], str], Rows]] = {
    "careplane_duckdb": duckdb_path,
    "careplane_python": python_path,
    "fhir4ds": fhir4ds,
    "sqlonfhir": sqlonfhir,
}


MODULES = {
    "careplane_duckdb": ("duckdb", "careplane.codecs.views"),
    "careplane_python": ("careplane.codecs.views", "careplane.codecs.views.arrow_rows"),
    "fhir4ds": ("fhir4ds",),
    "sqlonfhir": ("sqlonfhir",),
}
"""What a runner imports, which is not measured."""


def main(runner: str, view_file: str, data: str) -> None:
    """Run once and print what was measured."""
    view = json.loads(Path(view_file).read_text(encoding="utf-8"))
    run = RUNNERS[runner]
    for module in MODULES[runner]:
        importlib.import_module(module)
    wall, cpu = time.perf_counter(), time.process_time()
    rows = run(view, data)
    told = {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu, "rows": len(rows)}
    lines = sorted(json.dumps(row, sort_keys=True, default=float) for row in rows)
    print(json.dumps({**told, "digest": hashlib.sha256("\n".join(lines).encode()).hexdigest()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
