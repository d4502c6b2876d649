"""What an import and the first page of help cost: CPU and wall time of a fresh process, best and median of 7.

Run ``python bench/import_time.py``. An empty interpreter is measured beside them, as the floor.
"""

import resource
import statistics
import subprocess
import sys
import time

from _machine import record

CASES = {
    "empty_interpreter": ["-c", "pass"],
    "import_careplane": ["-c", "import careplane"],
    "import_ledger": ["-c", "import careplane.ledger"],
    "import_store": ["-c", "import careplane.store"],
    "careplane_help": ["-m", "careplane", "--help"],
}
TIMES = 7


def main() -> None:
    """Measure every case and record it."""
    record("import-time", {name: measure(arguments) for name, arguments in CASES.items()})


def measure(arguments: list[str]) -> dict[str, float]:
    """CPU (children's user and system time) and wall time in milliseconds."""
    cpu, wall = [], []
    for _ in range(TIMES):
        before, start = _children(), time.perf_counter()
        subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
        wall.append((time.perf_counter() - start) * 1000)
        cpu.append((_children() - before) * 1000)
    return {
        "cpu_best_ms": round(min(cpu), 1),
        "cpu_median_ms": round(statistics.median(cpu), 1),
        "wall_median_ms": round(statistics.median(wall), 1),
    }


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
