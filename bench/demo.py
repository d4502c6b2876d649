"""The whole journey of ``careplane demo``: wall time by step, and peak memory of its process and of the EHR's.

Run ``python bench/demo.py [--patients 3000] [--seed 1]``: runs ``careplane demo --no-serve`` in a temporary folder and
looks at the resident memory of the process tree ten times a second. The figure of the tree is the largest sum seen at
one moment (shared pages counted in each process). An empty interpreter is measured beside it, as the floor.
"""

import argparse
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from _machine import record

INTERVAL = 0.1
KILOBYTES = re.compile(r"^VmRSS:\s+(\d+) kB", re.MULTILINE)
STEP = re.compile(r"^(.+?)\s{2,}\S*\s+\d+/\d+\s+(\d+):(\d\d):(\d\d)\s*$")


def resident_mb(pid: int) -> float:
    """Resident memory of a process in MB; 0 when it has ended."""
    try:
        found = KILOBYTES.search(Path(f"/proc/{pid}/status").read_text(encoding="utf-8"))
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return int(found[1]) / 1000 if found else 0.0


def children(pid: int) -> list[int]:
    """All processes below this one."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        direct = [int(word) for task in tasks for word in (task / "children").read_text(encoding="utf-8").split()]
    except (FileNotFoundError, ProcessLookupError):
        return []
    return [below for child in direct for below in (child, *children(child))]


def watch(process: "subprocess.Popen[bytes]") -> dict[str, float]:
    """Peaks in MB of the process, of all below it, and of both together, until it ends."""
    peaks = {"main_peak_mb": 0.0, "children_peak_mb": 0.0, "tree_peak_mb": 0.0}
    while process.poll() is None:
        main, below = resident_mb(process.pid), sum(resident_mb(child) for child in children(process.pid))
        for name, value in zip(peaks, (main, below, main + below), strict=True):
            peaks[name] = round(max(peaks[name], value), 1)
        time.sleep(INTERVAL)
    return peaks


def watched(argv: list[str], errors: Path) -> tuple[float, dict[str, float]]:
    """Wall seconds and peaks of a command; what it writes to its standard error goes to a file.

    Raises:
        CalledProcessError: the command failed.
    """
    started = time.perf_counter()
    with errors.open("wb") as out, subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=out) as process:
        peaks = watch(process)
    wall = time.perf_counter() - started
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, argv, stderr=errors.read_text(encoding="utf-8"))
    return round(wall, 1), peaks


def steps(text: str) -> dict[str, int]:
    """Seconds by step, from the progress display."""
    found = (STEP.match(line) for line in text.splitlines())
    return {row[1]: int(row[2]) * 3600 + int(row[3]) * 60 + int(row[4]) for row in found if row}


def run(patients: int, seed: int) -> dict[str, Any]:
    """The journey once, and the floor."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        command = str(Path(sys.executable).with_name("careplane"))
        options = ["--no-serve", "--patients", str(patients), "--seed", str(seed), "--out", str(folder / "demo")]
        wall, peaks = watched([command, "demo", *options], folder / "progress.txt")
        begun = steps((folder / "progress.txt").read_text(encoding="utf-8"))
        floor, _ = watched([sys.executable, "-c", "pass"], folder / "floor.txt")
    return {"patients": patients, "seed": seed, "wall_s": wall, **peaks, "seconds_by_step": begun,
            "empty_interpreter_wall_s": floor}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    record("demo", run(given.patients, given.seed))


if __name__ == "__main__":
    main()
