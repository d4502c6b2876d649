"""``careplane worker``: a worker without HTTP, who works, and failed events that are replayed."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from careplane.cli import careplane
from careplane.records.run import Event
from careplane.store import Store
from careplane.workflow import inbox, leases

EVENT = Event(id="e1", app="portal_reply", kind="api", at=datetime(2026, 3, 2, tzinfo=UTC), patient="Patient/ana")


def run(*args: str, code: int = 0) -> str:
    done = CliRunner().invoke(careplane, ["worker", *args])
    assert done.exit_code == code, done.output
    return done.stdout


@pytest.fixture
def failing(sqlite_store: Store) -> str:
    """The key of an event that has failed too often."""
    key = inbox.key_of(EVENT)
    with sqlite_store.write() as connection:
        inbox.receive(connection, EVENT, EVENT.at)
    for _ in range(inbox.MOST_FAILURES):
        kept = inbox.find_event(sqlite_store, key)
        assert kept is not None
        with sqlite_store.write() as connection:
            inbox.fail(connection, kept, "The run failed: LedgerError.")
    return key


def test_dead_events_are_listed_and_replayed(failing: str, home: Path, sqlite_store: Store) -> None:
    where = ("--home", str(home))
    assert "dead" in run("failed", *where)
    assert f"{failing}  portal_reply" in run("failed", "--app", "portal_reply", *where)
    assert run("failed", "--app", "bed_huddle", *where) == "No event failed.\n"
    told = run("failed", "--json", *where)
    assert "ana" not in told
    (listed,) = json.loads(told)
    assert (listed["state"], listed["failures"], listed["error"]) == ("dead", 8, "The run failed: LedgerError.")
    assert json.loads(run("status", "--json", *where))["events"]["dead"] == 1
    assert "1 dead" in run("status", *where)
    run("replay", *where, code=1)
    assert run("replay", "run-unknown", *where, code=1) == "", "nothing is announced that does not happen"
    assert run("replay", "--all", *where).startswith("1 events will be tried")
    assert [one.key for one in inbox.take_due(sqlite_store)] == [failing]
    assert run("replay", "--all", *where).startswith("0 events")


@pytest.fixture
def worker(home: Path) -> Iterator[subprocess.Popen[str]]:
    """The command itself, on a home of its own."""
    environment = {**os.environ, "CAREPLANE_HOME": str(home)}
    command = [sys.executable, "-m", "careplane", "worker", "run"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, env=environment, text=True)
    yield process
    process.kill()
    process.communicate()


@pytest.mark.slow
def test_a_worker_works_is_listed_and_ends_when_told(
    failing: str, home: Path, sqlite_store: Store, worker: subprocess.Popen[str]
) -> None:
    assert worker.stderr is not None
    assert worker.stderr.readline().startswith("Worker ")
    where = ("--home", str(home))
    (listed,) = json.loads(run("status", "--json", *where))["workers"]
    assert (listed["pid"], listed["standing"]) == (worker.pid, "working")
    assert 0 < listed["left"] <= leases.LEASE_SECONDS
    run("replay", failing, *where)
    begun = time.monotonic()
    while inbox.count_events(sqlite_store)["done"] == 0:
        assert time.monotonic() - begun < 30
        time.sleep(0.1)
    assert "working" in run("status", *where)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(20) == 0
    assert "late" in run("status", *where)
