"""Durable appends to the ledger (one thread and 16, which are written together), and verification.

Run ``python bench/ledger.py``. Writes under ``bench/results`` so that the disk is a disk; ``/tmp`` may be memory. The
rate of bare ``fdatasync`` calls on the same disk is measured beside it, because that is the bound.
"""

import os
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from _machine import RESULTS, record
from careplane.ledger import Ledger, open_ledger, verify

AT = datetime(2026, 1, 1, tzinfo=UTC)
RECORDS = 2_000
THREADS = 16


def main() -> None:
    """Measure and record."""
    RESULTS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=RESULTS) as folder:
        ledger = open_ledger(Path(folder) / "ledger")
        results = {
            "bare_fdatasync_per_s": rate(RECORDS, lambda: bare(Path(folder) / "bare")),
            "one_thread_per_s": rate(RECORDS, lambda: append(ledger, RECORDS)),
            f"{THREADS}_threads_per_s": rate(RECORDS, lambda: threads(ledger)),
        }
        total = ledger.head.seq
        results["verify_per_s"] = rate(total, lambda: verify(ledger.folder))
    record("ledger", results)


def rate(count: int, work: Callable[[], object]) -> int:
    """How many a second."""
    start = time.perf_counter()
    work()
    return round(count / (time.perf_counter() - start))


def append(ledger: Ledger, count: int) -> None:
    """Append records as a run does."""
    for number in range(count):
        ledger.append("model.called", at=AT, run="r", app="portal_reply", facts={"tokens": number, "usd": 0.01})


def threads(ledger: Ledger) -> None:
    """The same number, by several threads."""
    workers = [threading.Thread(target=append, args=(ledger, RECORDS // THREADS)) for _ in range(THREADS)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def bare(path: Path) -> None:
    """Append 300 bytes and sync, without a ledger."""
    with path.open("ab", buffering=0) as file:
        for _ in range(RECORDS):
            file.write(b"x" * 300)
            os.fdatasync(file.fileno())


if __name__ == "__main__":
    main()
