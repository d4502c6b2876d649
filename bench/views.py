"""One ViewDefinition over the same Observations by Careplane's two paths, by fhir4ds-v2 and by sqlonfhir.

Run ``python bench/views.py [--observations 100000] [--rounds 3]``. Each runner is a process of its own on one thread,
in turn, so that a slow moment meets all; fhir4ds-v2 (AGPL) and sqlonfhir live in environments of their own, for this
alone. What is measured is reading the NDJSON, making the rows and handing them to Python, without the start of the
interpreter, imports, connections and a first resource to warm up. Slow runners get the first part of the file, and
rates are per resource. A peer whose rows differ from ours is marked, not left out. All data is synthetic.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from _machine import record
from _peers import NotInstalled, peer
from load import generate

RUNNER = Path(__file__).with_name("_views_runner.py")
PEERS = {"fhir4ds": ("fhir4ds-v2==0.0.17",), "sqlonfhir": ("sqlonfhir==0.0.2",)}
SLOW = {"careplane_python": 5, "fhir4ds": 10, "sqlonfhir": 50}
"""How many times fewer resources a runner gets."""

VIEW = {
    "name": "laboratory",
    "status": "active",
    "resource": "Observation",
    "where": [{"path": "status = 'final'"}],
    "select": [
        {
            "column": [
                {"name": "id", "path": "id", "type": "id"},
                {"name": "patient", "path": "subject.reference", "type": "string"},
                {"name": "at", "path": "effective.ofType(dateTime)", "type": "dateTime"},
                {"name": "value", "path": "value.ofType(Quantity).value", "type": "decimal"},
                {"name": "unit", "path": "value.ofType(Quantity).unit", "type": "string"},
            ]
        },
        {
            "forEach": "code.coding.where(system = 'http://loinc.org')",
            "column": [{"name": "code", "path": "code", "type": "code"}],
        },
    ],
}


def main() -> None:
    """Measure and record."""
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--observations", type=int, default=100_000)
    reader.add_argument("--rounds", type=int, default=3)
    given = reader.parse_args()
    pythons = {"careplane_duckdb": sys.executable, "careplane_python": sys.executable}
    missing = {}
    for name, packages in PEERS.items():
        try:
            pythons[name] = str(peer(name, packages) / "bin" / "python")
        except NotInstalled as error:
            missing[name] = str(error)
    with tempfile.TemporaryDirectory() as folder:
        measured = rounds(Path(folder), pythons, given.observations, given.rounds)
    rates = {name: one["resources_per_cpu_s"] for name, one in measured.items() if "error" not in one}
    ratios = {
        f"{path}_over_{name}": round(rates[path] / rates[name], 1)
        for path in ("careplane_duckdb", "careplane_python")
        for name in PEERS
        if name in rates
    }
    results = {"observations": given.observations, "runners": measured, "ratios_of_cpu": ratios, "missing": missing}
    record("views", results)


def rounds(folder: Path, pythons: dict[str, str], observations: int, times: int) -> dict[str, Any]:
    """Medians of each runner, and whether its rows are those of the DuckDB path on the same file."""
    whole = generate(folder, observations) / "Observation.ndjson"
    view = folder / "view.json"
    view.write_text(json.dumps(VIEW), encoding="utf-8")
    counts = {name: max(1, observations // SLOW.get(name, 1)) for name in pythons}
    files = {count: first_lines(whole, count) for count in set(counts.values())}
    expected = {count: run(sys.executable, "careplane_duckdb", view, file)["digest"] for count, file in files.items()}
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in pythons}
    for _ in range(times):
        for name, python in pythons.items():
            found[name].append(run(python, name, view, files[counts[name]]))
    return {name: summary(counts[name], runs, expected[counts[name]]) for name, runs in found.items()}


def summary(resources: int, runs: list[dict[str, Any]], digest: str) -> dict[str, Any]:
    """Medians of the runs of a runner, or why there are none."""
    errors = [one for one in runs if "error" in one]
    if errors:
        return errors[0]
    cpu = statistics.median(one["cpu_s"] for one in runs)
    return {
        "resources": resources,
        "cpu_s": round(cpu, 3),
        "wall_s": round(statistics.median(one["wall_s"] for one in runs), 3),
        "resources_per_cpu_s": round(resources / cpu),
        "rows": runs[0]["rows"],
        "same_rows": all(one["digest"] == digest for one in runs),
    }


def first_lines(file: Path, count: int) -> Path:
    """A file with the first lines of another."""
    part = file.with_name(f"first-{count}.ndjson")
    with file.open("rb") as lines, part.open("wb") as out:
        out.writelines(line for _, line in zip(range(count), lines, strict=False))
    return part


def run(python: str, name: str, view: Path, data: Path) -> dict[str, Any]:
    """What one run of a runner measured; ``error`` where it failed."""
    done = subprocess.run(
        [python, str(RUNNER), name, str(view), str(data)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        return {"error": (done.stderr.strip().splitlines() or ["no reason given"])[-1][:300]}
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


if __name__ == "__main__":
    main()
