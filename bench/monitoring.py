"""The safety watch on simulated apps: how often it ever crosses without cause at 1,000 looks, and after how many runs
it notices harm; beside it a test of the share that is repeated at every look.

Run ``python bench/monitoring.py``. Each app is looked at after every run, with flags that come at once and with flags
that come up to 200 runs late. 4,000 apps per cell of the null, 500 per cell of harm.
"""

import numpy as np
from numpy.typing import NDArray

from _machine import record
from careplane.evidence.monitoring import runs_to_notice
from careplane.evidence.monitoring.betting import MULTIPLES

ALPHA = 0.05
ALLOWED = (0.01, 0.02, 0.05)
APPS, LOOKS, HARMED, LONGEST = 4000, 1000, 500, 4000
BLOCK = 500
Counts = NDArray[np.int64]


def main() -> None:
    """Simulate every cell and record it."""
    limit = ALPHA + 2 * (ALPHA * (1 - ALPHA) / APPS) ** 0.5
    null = {f"{allowed} late {delay}": null_cell(allowed, delay) for allowed in ALLOWED for delay in (0, 200)}
    harm = {f"{allowed} x {times}": harm_cell(allowed, times) for allowed in ALLOWED for times in (2, 3, 5)}
    goals = {"ever_crossed_at_most": round(limit, 5), "met": all(one["ever_crossed"] <= limit for one in null.values())}
    record("monitoring", {"alpha": ALPHA, "looks": LOOKS, "apps": APPS, "goal": goals, "null": null, "harm": harm})


def null_cell(allowed: float, delay: int) -> dict[str, float]:
    """Apps exactly at the share that is allowed: how many ever cross, and how many a repeated test would stop."""
    crossed, tested = [], []
    draws = np.random.default_rng(1)
    for _ in range(0, APPS, BLOCK):
        counts = simulated(draws, BLOCK, LOOKS, allowed, delay)
        crossed.append(first(over(counts, allowed)) > 0)
        tested.append(first(repeated_test(counts, allowed)) > 0)
    return {
        "ever_crossed": float(np.concatenate(crossed).mean()),
        "repeated_test_ever_rejects": float(np.concatenate(tested).mean()),
    }


def harm_cell(allowed: float, times: int) -> dict[str, float | None]:
    """Apps at several times that share: after how many runs the watch crosses, beside what the page says."""
    draws = np.random.default_rng(2)
    at = first(over(simulated(draws, HARMED, LONGEST, times * allowed, 0), allowed))
    hit = at[at > 0]
    return {
        "noticed_share": float((at > 0).mean()),
        "median_runs": float(np.median(hit)),
        "p90_runs": float(np.quantile(hit, 0.9)),
        "page_says_runs": runs_to_notice(allowed, ALPHA, times * allowed),
    }


def simulated(draws: np.random.Generator, apps: int, runs: int, share: float, delay: int) -> Counts:
    """Events that are known after each run, shape (apps, runs); each is told up to ``delay`` runs late."""
    events = draws.random((apps, runs)) < share
    told = np.zeros((apps, runs + delay), dtype=np.int64)
    rows, columns = np.nonzero(events)
    np.add.at(told, (rows, columns + draws.integers(0, delay + 1, len(rows))), 1)
    return np.cumsum(told[:, :runs], axis=1)


def over(counts: Counts, allowed: float) -> NDArray[np.bool_]:
    """Where the wealth of :mod:`careplane.evidence.monitoring.betting` reaches its bound, for all apps at once."""
    looks = np.arange(1, counts.shape[1] + 1)
    logs = np.array([counts * np.log(m) - looks * np.log1p((m - 1) * allowed) for m in MULTIPLES])
    return np.asarray(np.logaddexp.reduce(logs, axis=0) - np.log(len(MULTIPLES)) >= np.log(1 / ALPHA))


def repeated_test(counts: Counts, allowed: float) -> NDArray[np.bool_]:
    """A one-sided score test at 5 % at every look from the thirtieth on."""
    looks = np.arange(1, counts.shape[1] + 1)
    z = (counts - allowed * looks) / np.sqrt(allowed * (1 - allowed) * looks)
    return np.asarray((z > 1.645) & (looks >= 30))


def first(marked: NDArray[np.bool_]) -> Counts:
    """The first run of each app that is marked, from 1; 0 where none is."""
    return np.where(marked.any(axis=1), marked.argmax(axis=1) + 1, 0)


if __name__ == "__main__":
    main()
