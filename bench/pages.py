"""Pages of the console over HTTP at 1,000 apps: median and 95th percentile, from a server in a process of its own.

Run ``python bench/pages.py [--apps 1000] [--repeats 40]``: fills a temporary installation with synthetic items,
decisions, a locked plan with its result and 60 runs, starts ``careplane serve`` on a free port, signs in, and asks for
each page in turn. ``/health`` of the same server is measured beside them, as the floor. The goal is
p95 < 300 ms; on a machine that does other work as well, the processor time is what to look at.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import httpx

from _machine import record
from careplane import console
from careplane.ledger import open_ledger
from careplane.records.people import Role
from careplane.store import open_store
from portfolio import fill, register_items

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "console"))
from seeding import seed  # type: ignore[import-not-found]

GOAL_P95_MS = 300
FLOOR = "/health"
PAGES = (
    FLOOR,
    "/",
    "/portfolio",
    "/apps",
    "/apps?q=draft+cardiology",
    "/apps?stage=pilot&sort=-cost",
    "/apps/portal_reply",
    "/apps/app_0500",
    "/decisions",
    "/evidence",
    "/evidence/portal_reply-1",
    "/value",
    "/review",
    "/runs",
    "/runs/run-001",
    "/safety",
    "/search?q=summarise",
)


def prepare(home: Path, apps: int) -> str:
    """Fill the installation; the path of a one-time link for somebody who may see every page."""
    store = open_store(f"sqlite:///{home / 'careplane.db'}")
    seed(store, open_ledger(home / "ledger"))
    fill(store, register_items(apps - 9))
    now = datetime.now(UTC)
    console.create_account(store, "bench", "Bench", get_args(Role), now)
    link = console.one_time_link(store, "bench", now)
    store.close()
    return link


@contextmanager
def served(home: Path) -> Iterator[tuple[str, int]]:
    """The address and process of a server of this installation, ended with the block."""
    command = str(Path(sys.executable).with_name("careplane"))
    argv = [command, "serve", "--home", str(home), "--port", "0"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        try:
            address = next(found[0] for line in process.stdout if (found := re.search(r"http://[\d.:]+", line)))
            yield address, process.pid
        finally:
            process.terminate()


def wait(client: httpx.Client) -> None:
    """Until the server answers; its address is told a moment before."""
    for _ in range(200):
        try:
            if client.get(FLOOR).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    raise TimeoutError("the server did not answer")


def processor_ms(pid: int) -> float:
    """Processor time that a process has used, all its threads together."""
    user, system = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[11:13]
    return 1000 * (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def measure(client: httpx.Client, pid: int, path: str, repeats: int) -> dict[str, float]:
    """Milliseconds of a page, after two requests to warm up; the server's processor time of one; its size."""
    times = []
    for number in range(repeats + 2):
        if number == 2:
            busy = processor_ms(pid)
        started = time.perf_counter()
        page = client.get(path)
        times.append(1000 * (time.perf_counter() - started))
        page.raise_for_status()
    kept = times[2:]
    return {
        "first_ms": round(times[0], 1),
        "p50_ms": round(statistics.median(kept), 1),
        "p95_ms": round(statistics.quantiles(kept, n=20)[-1], 1),
        "cpu_ms": round((processor_ms(pid) - busy) / repeats, 1),
        "kb": round(len(page.content) / 1000, 1),
    }


def run(apps: int, repeats: int) -> dict[str, Any]:
    """Every page, its ratio to the floor, and the slowest."""
    with tempfile.TemporaryDirectory() as temporary:
        link = prepare(Path(temporary), apps)
        with served(Path(temporary)) as (address, pid), httpx.Client(base_url=address, timeout=60) as client:
            wait(client)
            token = client.get(link).text.split('name="csrf" value="', 1)[1].split('"', 1)[0]
            client.post(link, data={"csrf": token})
            pages = {path: measure(client, pid, path, repeats) for path in PAGES}
    floor = pages[FLOOR]["p50_ms"]
    for page in pages.values():
        page["ratio_to_health"] = round(page["p50_ms"] / floor, 1)
    slowest = max(pages, key=lambda path: pages[path]["p95_ms"])
    return {
        "apps": apps,
        "requests_per_page": repeats,
        "goal_p95_ms": GOAL_P95_MS,
        "slowest": slowest,
        "slowest_p95_ms": pages[slowest]["p95_ms"],
        "pages": pages,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--apps", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=40)
    given = parser.parse_args()
    found = run(given.apps, given.repeats)
    record("pages", found)
    print(json.dumps({path: page["p95_ms"] for path, page in found["pages"].items()}, indent=1))


if __name__ == "__main__":
    main()
