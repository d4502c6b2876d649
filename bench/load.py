"""How fast FHIR bulk data loads, beside parsing the same resources with ``fhir.resources``.

Run ``python bench/load.py [--observations 200000]``: generates Observations in a temporary folder, loads them with
``careplane load`` in a process of its own (start of Python included), parses a sample with ``fhir.resources`` in the
same run, prints the rates and their ratios, and writes ``bench/results/load-<date>.json``. Rates differ between
machines and moments; the ratios are what to compare. All data is synthetic.
"""

import argparse
import json
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from fhir.resources.R4B.observation import Observation

from _machine import record

SAMPLE = 3000
ROUNDS = 3
CODES = [
    ("4548-4", "Hemoglobin A1c", "%"),
    ("2345-7", "Glucose", "mg/dL"),
    ("8480-6", "Systolic blood pressure", "mmHg"),
]


def observation(number: int, random_source: random.Random) -> dict[str, Any]:
    """One synthetic laboratory Observation of the usual size (about 1.2 kB)."""
    code, display, unit = CODES[number % len(CODES)]
    value = round(random_source.uniform(4, 180), 2)
    when = f"2026-{number % 12 + 1:02d}-{number % 28 + 1:02d}T{number % 24:02d}:{number % 60:02d}:00-06:00"
    profile = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-observation-lab"
    category = {"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "laboratory"}
    quantity = {"value": value, "unit": unit, "system": "http://unitsofmeasure.org", "code": unit}
    bounds = {"low": {**quantity, "value": 4.0}, "high": {**quantity, "value": 100.0}}
    return {
        "resourceType": "Observation",
        "id": f"obs-{number:09d}",
        "meta": {"profile": [profile], "lastUpdated": when},
        "status": "final",
        "category": [{"coding": [{**category, "display": "Laboratory"}]}],
        "code": {"coding": [{"system": "http://loinc.org", "code": code, "display": display}], "text": display},
        "subject": {"reference": f"Patient/p{number % 3000}", "display": "Synthetic patient"},
        "encounter": {"reference": f"Encounter/e{number % 20000}"},
        "performer": [{"reference": f"Practitioner/d{number % 150}"}],
        "effectiveDateTime": when,
        "issued": when,
        "valueQuantity": quantity,
        "referenceRange": [{**bounds, "text": "of this laboratory"}],
    }


def generate(folder: Path, count: int) -> Path:
    """Write the Observations, and the resources that they refer to, as bulk NDJSON."""
    random_source = random.Random(7)
    with (folder / "Observation.ndjson").open("w", encoding="utf-8") as out:
        for number in range(count):
            out.write(json.dumps(observation(number, random_source), separators=(",", ":")) + "\n")
    for kind, letter, total in (("Patient", "p", 3000), ("Encounter", "e", 20000), ("Practitioner", "d", 150)):
        lines = (json.dumps({"resourceType": kind, "id": f"{letter}{number}"}) for number in range(total))
        (folder / f"{kind}.ndjson").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def measure_load(folder: Path, home: Path) -> tuple[float, float, int]:
    """Load in a fresh process: wall seconds, processor seconds, resources added."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    command = str(Path(sys.executable).with_name("careplane"))
    argv = [command, "load", str(folder), "--home", str(home), "--json"]
    report = json.loads(subprocess.run(argv, check=True, capture_output=True).stdout)
    wall = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, processor, sum(count["new"] for count in report["types"])


def measure_parse(file: Path) -> tuple[float, float]:
    """Wall and processor seconds that ``fhir.resources`` takes for one resource: medians of the rounds."""
    with file.open("rb") as lines:
        sample = [next(lines) for _ in range(SAMPLE)]
    walls, processors = [], []
    for _ in range(ROUNDS):
        started, busy = time.perf_counter(), time.process_time()
        for line in sample:
            Observation.model_validate_json(line)
        walls.append(time.perf_counter() - started)
        processors.append(time.process_time() - busy)
    return statistics.median(walls) / SAMPLE, statistics.median(processors) / SAMPLE


def run(count: int) -> dict[str, Any]:
    """Generate, load in fresh processes, parse; the figures and their ratios."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary, "in")
        folder.mkdir()
        megabytes = sum(file.stat().st_size for file in generate(folder, count).iterdir()) / 1e6
        loads = [measure_load(folder, Path(temporary, f"home{number}")) for number in range(ROUNDS)]
        parse_wall, parse_processor = measure_parse(folder / "Observation.ndjson")
    wall, processor = (statistics.median(load[index] for load in loads) for index in (0, 1))
    resources = loads[0][2]
    return {
        "resources": resources,
        "megabytes": round(megabytes, 1),
        "load_wall_s": [round(load[0], 2) for load in loads],
        "load_mb_per_s": round(megabytes / wall, 1),
        "load_resources_per_s": round(resources / wall),
        "load_peak_rss_mb": round(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024),
        "fhir_resources_per_s": round(1 / parse_wall),
        "ratio_wall": round(resources / wall * parse_wall, 1),
        "ratio_processor": round(resources / processor * parse_processor, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--observations", type=int, default=200_000)
    record("load", run(parser.parse_args().observations))


if __name__ == "__main__":
    main()
