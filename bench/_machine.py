"""Where a benchmark ran, and one way to keep what it measured: ``bench/results/<name>-<date>.json``."""

import json
import os
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def machine() -> dict[str, Any]:
    """Processor, cores, memory, kernel and Python of this machine."""
    return {
        "cpu": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


def record(name: str, results: Mapping[str, Any]) -> Path:
    """Write and print the results of a benchmark; units belong in the names (``p95_ms``, ``mb_per_s``)."""
    at = datetime.now(UTC)
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}-{at:%Y-%m-%d}.json"
    content = {"name": name, "at": at.isoformat(timespec="seconds"), "machine": machine(), "results": dict(results)}
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    print(f"{name}: {json.dumps(dict(results))}\n  written to {path.relative_to(RESULTS.parents[1])}")
    return path


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
