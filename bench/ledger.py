"""Durable appends by 1, 32 and 128 callers of an event loop and as many threads and processes; verification, search and
proofs at a million records; opening after a kill.

Run ``python bench/ledger.py``, or ``python bench/ledger.py 100000`` for fewer records. Writes under ``bench/results``
so that the disk is a disk; ``/tmp`` may be memory. The rate of bare ``fdatasync`` calls on the same disk is measured
before and after, because that is the bound of a lone caller. CPU is that of the whole process, the callers included.
"""

import asyncio
import os
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from _machine import RESULTS, record
from careplane.ledger import Ledger, Query, open_ledger, prepare, verify
from careplane.ledger.anchoring import anchor, open_tree, signing_key
from careplane.ledger.facts import Scalar
from careplane.ledger.packing import pack
from careplane.ledger.proofs import check_proof, prove_growth, prove_record

AT = datetime(2026, 1, 1, tzinfo=UTC)
RECORDS = 1_000_000
SECONDS = 3.0
CALLERS = (1, 32, 128)
FACTS: dict[str, Scalar] = {
    "call": "c-0123456789abcdef",
    "route": "default",
    "provider": "openai_compatible",
    "model": "m-1",
    "policy": "deidentified",
    "surrogates": 12,
    "input_tokens": 812,
    "output_tokens": 400,
    "tokens_estimated": False,
    "cost_usd": 0.00123,
    "latency_ms": 1234.567,
    "finish": "stop",
}


def main() -> None:
    """Measure and record."""
    RESULTS.mkdir(exist_ok=True)
    count = int(sys.argv[1]) if len(sys.argv) > 1 else RECORDS
    with tempfile.TemporaryDirectory(dir=RESULTS) as folder:
        results: dict[str, Any] = {"bare_fdatasync_per_s_before": bare(Path(folder) / "bare")}
        for callers in CALLERS:
            results |= appends(Path(folder) / f"loop-{callers}", f"loop_{callers}", callers, in_loop)
        for callers in CALLERS:
            results |= appends(Path(folder) / f"threads-{callers}", f"threads_{callers}", callers, in_threads)
        for writers in (2, 4):
            results |= processes(Path(folder) / f"processes-{writers}", writers)
        results["bare_fdatasync_per_s_after"] = bare(Path(folder) / "bare")
        results |= after_a_kill(Path(folder) / "processes-4")
        results |= at_size(Path(folder) / "many", count)
    record("ledger", results)


def bare(path: Path) -> int:
    """Append 400 bytes and sync, without a ledger, for a second."""
    done, end = 0, time.perf_counter() + 1
    with path.open("wb", buffering=0) as file:
        while time.perf_counter() < end:
            file.write(b"x" * 400)
            os.fdatasync(file.fileno())
            done += 1
    return done


Work = Callable[[Ledger, int, list[float]], None]


def appends(home: Path, name: str, callers: int, work: Work) -> dict[str, Any]:
    """Records a second, CPU per record, and how long a caller waits."""
    ledger = open_ledger(home / "ledger")
    ledger.append("warm", at=AT)
    waits: list[float] = []
    before, start = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    work(ledger, callers, waits)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    ledger.close()
    waits.sort()
    return {
        f"{name}_per_s": round(len(waits) / wall),
        f"{name}_cpu_us": round(cpu / len(waits) * 1e6, 1),
        f"{name}_p50_ms": round(waits[len(waits) // 2] * 1e3, 3),
        f"{name}_p99_ms": round(waits[len(waits) * 99 // 100] * 1e3, 3),
    }


def in_loop(ledger: Ledger, callers: int, waits: list[float]) -> None:
    """Callers of one event loop."""

    async def caller(end: float) -> None:
        while (start := time.perf_counter()) < end:
            await ledger.append_async("model_call", at=AT, run="run-0123456789", app="portal_reply", facts=FACTS)
            waits.append(time.perf_counter() - start)

    async def gathered() -> None:
        end = time.perf_counter() + SECONDS
        await asyncio.gather(*(caller(end) for _ in range(callers)))

    run_loop(gathered())


def run_loop(work: Coroutine[Any, Any, None]) -> None:
    """On uvloop where it is installed, as the server does."""
    try:
        import uvloop
    except ImportError:
        asyncio.run(work)
    else:
        uvloop.run(work)


def in_threads(ledger: Ledger, callers: int, waits: list[float]) -> None:
    """Callers that block."""
    end = time.perf_counter() + SECONDS

    def caller() -> None:
        while (start := time.perf_counter()) < end:
            ledger.append("model_call", at=AT, run="run-0123456789", app="portal_reply", facts=FACTS)
            waits.append(time.perf_counter() - start)

    workers = [threading.Thread(target=caller) for _ in range(callers)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


PROCESS = """
import sys
sys.path.insert(0, {bench!r})
from pathlib import Path
import ledger
opened, waits = ledger.open_ledger(Path({home!r}) / "ledger"), []
ledger.in_loop(opened, 32, waits)
waits.sort()
print(len(waits), waits[len(waits) // 2], waits[len(waits) * 99 // 100])
"""


def processes(home: Path, writers: int) -> dict[str, Any]:
    """Processes with 32 callers each that share one ledger."""
    open_ledger(home / "ledger").append("warm", at=AT)
    code = PROCESS.format(bench=str(Path(__file__).parent), home=str(home))
    running = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) for _ in range(writers)]
    told = [[float(part) for part in writer.communicate()[0].split()] for writer in running]
    verify(home / "ledger")
    return {
        f"processes_{writers}_per_s": round(sum(one[0] for one in told) / SECONDS),
        f"processes_{writers}_p50_ms": round(max(one[1] for one in told) * 1e3, 3),
        f"processes_{writers}_p99_ms": round(max(one[2] for one in told) * 1e3, 3),
    }


def after_a_kill(home: Path) -> dict[str, Any]:
    """How long it takes to open and append after kill -9 under load."""
    code = PROCESS.format(bench=str(Path(__file__).parent), home=str(home))
    writer = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.DEVNULL)
    time.sleep(1.5)
    os.kill(writer.pid, signal.SIGKILL)
    writer.wait()
    took = seconds(lambda: open_ledger(home / "ledger").append("again", at=AT))
    return {"open_and_append_after_kill_ms": round(took * 1e3, 1)}


def at_size(home: Path, count: int) -> dict[str, Any]:
    """Verification, search and proofs over ``count`` records."""
    ledger = open_ledger(home / "ledger")
    start = time.perf_counter()
    asyncio.run(fill(ledger, count))
    filled = time.perf_counter() - start
    signing_key(ledger, AT)
    patient = ledger.pseudonym("Patient/7")
    results: dict[str, Any] = {
        "records": count,
        "bulk_per_s": round(count / filled),
        **timed("verify", lambda: verify(ledger.folder)),
        "first_anchor_s": round(seconds(lambda: anchor(ledger, AT)), 2),
        "next_anchor_s": round(seconds(lambda: anchor(ledger, AT)), 2),
    }
    head = anchor(ledger, AT)
    results |= timed("verify_with_anchor", lambda: verify(ledger.folder, [head]))
    tree, key = open_tree(ledger, AT)
    proof = prove_record(tree, count // 2, key, AT)
    results["prove_record_ms"] = round(seconds(lambda: prove_record(tree, count // 2, key, AT)) * 1e3, 1)
    results["prove_growth_ms"] = round(seconds(lambda: prove_growth(tree, head, key, AT)) * 1e3, 1)
    results["check_proof_ms"] = round(seconds(lambda: check_proof(proof, key.public)) * 1e3, 2)
    results |= timed("patient_search", lambda: list(ledger.find(Query(patients=(patient,)))))
    results["patient_search_found"] = len(list(ledger.find(Query(patients=(patient,)))))
    sizes = pack(ledger.folder, ledger.tail.segment)
    if sizes:
        results["gzip_ratio"] = round(sum(size for size, _ in sizes) / sum(size for _, size in sizes), 2)
    results |= timed("verify_compressed", lambda: verify(ledger.folder))
    results["peak_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    return results


async def fill(ledger: Ledger, count: int) -> None:
    """Runs of four records for 5,000 patients, in batches of a thousand."""
    people = [ledger.pseudonym(f"Patient/{number}") for number in range(5_000)]
    for first in range(0, count, 1_000):
        entries = []
        for number in range(first, min(first + 1_000, count)):
            run = f"run-{number // 4:09d}"
            if number % 4 == 0:
                about: dict[str, Scalar] = {"patient": people[number // 4 % 5_000], "version": "1.0.0"}
                entries.append(prepare("run.permitted", AT, run, "portal_reply", None, about))
            else:
                entries.append(prepare("model_call", AT, run, "portal_reply", None, {**FACTS, "latency_ms": number}))
        await ledger.append_all_async(entries)


def timed(name: str, work: Callable[[], object]) -> dict[str, float]:
    """Wall and CPU seconds; on a busy machine the first is the longer."""
    before = time.process_time()
    wall = seconds(work)
    return {f"{name}_s": round(wall, 2), f"{name}_cpu_s": round(time.process_time() - before, 2)}


def seconds(work: Callable[[], object]) -> float:
    """How long it takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
