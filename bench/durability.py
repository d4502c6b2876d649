"""Kill an installation again and again under load, and count at its other end: what is lost, what comes twice.

``python -m bench durability --database sqlite --events 2000 --kills 10 --seeds 5``; the same with ``postgres``, where
the server is crashed twice as well. Three ``careplane serve`` processes share one installation; a client posts every
event to one of them until it is acknowledged, somebody signs every draft, and the chart gets it. The processes to kill
are drawn by the seed, the one who signs included. Every second kill also removes the lock of the dead, so that others
learn of it by its lease alone, as they would on another machine.

Counted outside, in a process that is never killed: model calls by idempotency key, and resources created for each run.
``--part rate`` measures one process without kills: runs a second, and how long an acknowledgement takes meanwhile.
"""

import argparse
import shutil
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import httpx

from _installation import REVIEWER, Installation, Postgres, installation, is_quiet, pick, until
from _machine import record
from _proc import processor_s
from careplane.ledger import verify
from careplane.workflow import find_runs, inbox, leases

RUNS = Path(__file__).parent / ".run"
GIVEN_UP_AFTER = 1800.0


def main() -> None:
    """Measure and record."""
    given = options()
    results: dict[str, Any] = {}
    for database in ("sqlite", "postgres") if given.database == "both" else (given.database,):
        if given.part in ("all", "kills"):
            for seed in range(given.first_seed, given.first_seed + given.seeds):
                results[f"{database}_seed_{seed}"] = killed(database, seed, given)
                print(f"{database} seed {seed}: {results[f'{database}_seed_{seed}']}", flush=True)
        if given.part in ("all", "rate"):
            results[f"{database}_rate"] = rate(database, given)
    if given.keep:
        record(given.keep, results)
    else:
        print(results)
    if any(one.get("lost") or one.get("delivered_twice") for one in results.values()):
        raise SystemExit("lost or delivered twice: see above")


def options(words: Sequence[str] | None = None) -> argparse.Namespace:
    """What was asked for, on the command line or in these words."""
    reader = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    reader.add_argument("--database", choices=("sqlite", "postgres", "both"), default="both")
    reader.add_argument("--part", choices=("all", "kills", "rate"), default="all")
    reader.add_argument("--events", type=int, default=2000)
    reader.add_argument("--kills", type=int, default=10)
    reader.add_argument("--seeds", type=int, default=1)
    reader.add_argument("--first-seed", type=int, default=1)
    reader.add_argument("--crashes", type=int, default=2, help="of the PostgreSQL server")
    reader.add_argument("--workers", type=int, default=3)
    reader.add_argument("--model-ms", type=float, default=50.0)
    reader.add_argument("--keep", default="durability", help="name of the file of results; empty: only print them")
    return reader.parse_args(words)


@contextmanager
def database_of(name: str, folder: Path) -> Iterator[tuple[str, Postgres | None]]:
    """The URL of a fresh database, and its server."""
    if name == "sqlite":
        yield "", None
        return
    server = Postgres(folder / "pg")
    try:
        yield server.url, server
    finally:
        server.close()


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder on the disk of this repository, as ``/tmp`` may be memory; its name is short for Unix sockets."""
    RUNS.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="d", dir=RUNS))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def killed(database: str, seed: int, given: argparse.Namespace) -> dict[str, Any]:
    """One seed: all events, with kills (and crashes) spread over them."""
    random, events = Random(seed), given.events
    with scratch() as folder, database_of(database, folder) as (url, server):
        home = folder / "home"
        with installation(home, url, given.workers, given.model_ms) as made:
            begun = time.monotonic()
            client = Client(made, events, Random(seed))
            faults = ["kill"] * given.kills + ["crash"] * (given.crashes if server else 0)
            random.shuffle(faults)
            took: list[float] = []
            names: list[str] = []
            for number, fault in enumerate(faults, start=1):
                goal = events * number // (len(faults) + 1)
                until(lambda goal=goal: done(made) >= goal, GIVEN_UP_AFTER)  # type: ignore[misc]
                if fault == "crash" and server is not None:
                    server.crash()
                else:
                    names.append(pick(random, made))
                    took += one_kill(made, names[-1], far=len(names) % 2 == 0)
            client.join()
            until(lambda: done(made) >= events and is_quiet(made, events), GIVEN_UP_AFTER)
            found = told(made, events)
            seconds = time.monotonic() - begun
        verify(home / "ledger")
    return {
        **found,
        "killed": dict(Counter(name.partition("-")[0] for name in names)),
        "events": events,
        "ended_by_themselves": made.ended,
        "faults": dict(Counter(faults)),
        "seconds": round(seconds, 1),
        "acknowledged": len(client.waits),
        "takeover_s_max": round(max(took, default=0.0), 1),
        "takeovers_s": [round(one, 1) for one in took],
    }


def done(made: Installation) -> int:
    """How many events are done; looks after processes that ended by themselves."""
    made.revive()
    return inbox.count_events(made.store)["done"]


def one_kill(made: Installation, name: str, *, far: bool) -> list[float]:
    """Kill a process, see how long the takeover lasts, and start it again."""
    executor = made.kill(name)
    if far and executor:
        leases.clear_line(made.home, executor)
    took = [made.taken_over(executor)] if executor else []
    made.start(name)
    return took


def told(made: Installation, events: int) -> dict[str, Any]:
    """What the other end counted, beside what the store holds."""
    counts = made.counts()
    runs = find_runs(made.store, limit=None)
    per_event = Counter(run.event.id for run in runs)
    chart = {name: number for name, number in counts["created"].items() if name.startswith("Communication ")}
    calls = counts["calls"]
    return {
        "lost": sum(1 for n in range(events) if per_event[f"e{n}"] == 0) + max(0, events - len(chart)),
        "delivered_twice": sum(number - 1 for number in counts["created"].values()),
        "runs_twice": sum(number - 1 for number in per_event.values()),
        "unwritten": sum(not run.written for run in runs),
        "delivery_attempts": sum(number for name, number in counts["asked"].items() if name in chart),
        "model_calls": sum(calls.values()),
        "model_calls_again": sum(calls.values()) - len(calls),
        "model_calls_again_percent": round(100 * (sum(calls.values()) - len(calls)) / max(1, len(calls)), 2),
        "model_calls_without_key": counts["keyless"],
        "states": inbox.count_events(made.store),
    }


class Client(threading.Thread):
    """Posts every event until it is acknowledged, to whichever door answers; ``waits`` are seconds of each."""

    def __init__(self, made: Installation, events: int, random: Random, at_once: int = 4) -> None:
        super().__init__(daemon=True)
        self.waits: list[float] = []
        self._made, self._random = made, random
        self._numbers = iter(range(events))
        self._lock = threading.Lock()
        self._senders = [threading.Thread(target=self._send, daemon=True) for _ in range(at_once)]
        self.start()

    def run(self) -> None:
        for sender in self._senders:
            sender.start()
        for sender in self._senders:
            sender.join()

    def _send(self) -> None:
        with httpx.Client(trust_env=False, timeout=20) as client:
            while True:
                with self._lock:
                    number = next(self._numbers, None)
                if number is None:
                    return
                self._post(client, number)

    def _post(self, client: httpx.Client, number: int) -> None:
        body = {
            "id": f"e{number}",
            "kind": "Communication.received",
            "patient": f"Patient/a{number}",
            "focus": f"Communication/m{number}",
            "unit": "Location/clinic-01",
            "user": REVIEWER,
        }
        while True:
            port = self._random.choice(self._made.ports)
            begun = time.monotonic()
            try:
                headers = {"Authorization": f"Bearer {self._made.key}"}
                answer = client.post(f"http://127.0.0.1:{port}/events", json=body, headers=headers)
            except httpx.HTTPError:
                time.sleep(0.1)
                continue
            if answer.status_code == 202:
                self.waits.append(time.monotonic() - begun)
                return
            if answer.status_code < 500:
                raise ValueError(f"{answer.status_code}: {answer.text}")
            time.sleep(0.1)


def rate(database: str, given: argparse.Namespace) -> dict[str, Any]:
    """One process at full drain: runs a second, and what a sender waits meanwhile."""
    events = min(given.events, 600)
    with (
        scratch() as folder,
        database_of(database, folder) as (url, _),
        installation(folder / "home", url, 1, given.model_ms, signer=False) as made,
    ):
        begun = time.monotonic()
        client = Client(made, events, Random(1))
        until(lambda: inbox.count_events(made.store)["done"] >= events // 10, GIVEN_UP_AFTER)
        early, middle = inbox.count_events(made.store)["done"], time.monotonic()
        used = processor_s(made.running["door-0"].pid)
        client.join()
        until(lambda: inbox.count_events(made.store)["done"] >= events, GIVEN_UP_AFTER)
        ended = time.monotonic()
        used = processor_s(made.running["door-0"].pid) - used
    waits = sorted(client.waits)
    return {
        "events": events,
        "runs_per_s": round((events - early) / (ended - middle), 1),
        "cpu_ms_per_run": round(used * 1e3 / (events - early), 1),
        "ack_p50_ms": round(waits[len(waits) // 2] * 1e3, 1),
        "ack_p99_ms": round(waits[len(waits) * 99 // 100] * 1e3, 1),
        "ack_max_ms": round(waits[-1] * 1e3, 1),
        "seconds": round(ended - begun, 1),
    }


if __name__ == "__main__":
    main()
