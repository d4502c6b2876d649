"""The validation grid: simulated roll-outs with known truth, and which promises an estimator does not keep on them.

``python bench/grid.py --hours 8`` runs 300 cells with 2,000 replicates each (``--cells``, ``--replicates``), as many at
a time as there are cores, tells how far it is, and goes on where it was stopped: each finished cell is a line of
``bench/results/grid-*.jsonl``. What does not begin within the hours is left for the next start. The summary tells every
cell that misses a band, with its Monte Carlo error; nothing is left out. Cells and bands are those of
``tests/estimators/worlds.py``.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

from _machine import RESULTS, record

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "estimators"))
import worlds  # type: ignore[import-not-found]

SEED = 20261130
SHOWN = ("world", "estimator", "replicates", "faults", "se_ratio")


def main() -> None:
    """Run what is missing, then summarise."""
    given = _arguments()
    kept = RESULTS / f"grid-{given.cells}x{given.replicates}.jsonl"
    if given.afresh:
        kept.unlink(missing_ok=True)
    done = _done(kept)
    missing = [world for world in worlds.cells(given.cells) if world.name not in done]
    until = time.monotonic() + given.hours * 3600
    print(f"{len(done)} of {given.cells} cells are done; {len(missing)} to go", file=sys.stderr, flush=True)
    with ProcessPoolExecutor(given.processes) as pool, kept.open("a", encoding="utf-8") as file:
        started = time.monotonic()
        for at, one in enumerate(_finished(pool, missing, given, until), 1):
            file.write(json.dumps(one) + "\n")
            file.flush()
            pace = (time.monotonic() - started) / at
            left = f"{at + len(done)}/{given.cells}, about {pace * (len(missing) - at) / 60:.0f} min left"
            print(f"{left}: {one['world']}: {', '.join(one['faults']) or 'in its bands'}", file=sys.stderr, flush=True)
    record(f"grid-{given.cells}x{given.replicates}", summary(list(_done(kept).values()), given))


def _arguments() -> Any:
    reader = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    reader.add_argument("--cells", type=int, default=300)
    reader.add_argument("--replicates", type=int, default=2_000)
    reader.add_argument("--hours", type=float, default=0.25)
    reader.add_argument("--processes", type=int, default=len(os.sched_getaffinity(0)))
    reader.add_argument("--afresh", action="store_true", help="begin again")
    return reader.parse_args()


def _done(path: Path) -> dict[str, dict[str, Any]]:
    if not path.exists():
        return {}
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.endswith("}")]
    return {one["world"]: one for one in lines}


def _finished(pool: ProcessPoolExecutor, missing: list[Any], given: Any, until: float) -> Iterator[dict[str, Any]]:
    """Cells as they end; none begins after the time is up."""
    waiting = list(reversed(missing))
    running: list[Any] = []
    while waiting or running:
        while waiting and len(running) < given.processes and time.monotonic() < until:
            running.append(pool.submit(worlds.run, waiting.pop(), given.replicates, SEED))
        if not running:
            return
        ended = next((one for one in running if one.done()), None)
        if ended is None:
            time.sleep(0.05)
            continue
        running.remove(ended)
        yield asdict(ended.result())


def summary(found: list[dict[str, Any]], given: Any) -> dict[str, Any]:
    """The share of cells in their bands, by estimator, and each cell that is not."""
    judged = [one for one in found if one["replicates"] >= 20]
    by_estimator = {
        name: {
            "cells": len(own := [one for one in judged if one["estimator"] == name]),
            "in_bands": sum(not one["faults"] for one in own),
            "least_coverage": round(min(one["coverage"] for one in own), 4),
        }
        for name in sorted({one["estimator"] for one in judged})
    }
    return {
        "cells": len(found),
        "asked": given.cells,
        "replicates": given.replicates,
        "monte_carlo_error_of_5_percent": round((0.05 * 0.95 / given.replicates) ** 0.5, 4),
        "refused_cells": [one["world"] for one in found if one["replicates"] < 20],
        "in_bands": sum(not one["faults"] for one in judged),
        "by_estimator": by_estimator,
        "failures": [
            {name: one[name] for name in ("world", "estimator", "faults", "se_ratio")}
            for one in judged
            if one["faults"]
        ],
    }


if __name__ == "__main__":
    main()
