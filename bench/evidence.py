"""One estimate on a million rows (beside plain least squares on the same rows), and a whole analysis of 8,000 messages.

Run ``python bench/evidence.py``. The rows are simulated: 24 clusters in two strata; the messages are synthetic FHIR,
half of them baseline.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np

from _machine import record
from careplane._shelf import items, load
from careplane.estimators import ClusterData, covariates
from careplane.evidence import analyse, assign, lock_plan
from careplane.ledger import open_ledger
from careplane.store import open_store

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "evidence"))
from synthetic_trial import load_trial, plan  # type: ignore[import-not-found]

ROWS = 1_000_000
PER_CLINIC = 330
AT = datetime(2026, 2, 20, tzinfo=UTC)
AFTER = datetime(2026, 4, 20, tzinfo=UTC)


def main() -> None:
    """Measure and record."""
    estimators = {name: load("estimators", name).of_clusters for name in ("cluster_itt", "exact_permutation")}
    rows = simulated()
    design = np.column_stack([rows.treated.astype(float), covariates(rows.strata, rows.baseline)])
    results = {"least_squares_1m_rows_s": seconds(lambda: np.linalg.lstsq(design, rows.y, rcond=None))}
    for name, estimate in estimators.items():
        results[f"{name}_1m_rows_s"] = seconds(partial(estimate, rows))
    measures = {name: load("measures", name).MEASURE for name in items("measures")}
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        store, ledger = open_store(f"sqlite:///{home / 'careplane.db'}"), open_ledger(home / "ledger")
        locked = lock_plan(store, ledger, plan(), "bench", AT)
        load_trial(home, assign(store, ledger, locked, AT), hours=-1.0, minutes=0.0, per_clinic=PER_CLINIC)
        results["analysis_of_7920_messages_s"] = seconds(
            lambda: analyse(store, home, locked, measures, estimators, AFTER)
        )
        store.close()
    record("evidence", results)


def simulated() -> ClusterData:
    """A million rows in 24 clusters."""
    rng = np.random.default_rng(0)
    cluster, arm = rng.integers(0, 24, ROWS), np.tile([0, 1], 12)
    y = rng.normal(size=ROWS) + 0.01 * arm[cluster]
    return ClusterData(y, cluster, arm[cluster], rng.normal(size=24)[cluster], (np.arange(24) // 12)[cluster])


def seconds(work: Callable[[], object]) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    work()
    return round(time.perf_counter() - start, 3)


if __name__ == "__main__":
    main()
