"""Several workers of one installation: a dead one is taken over from, a stalled one has no effect, a stopped one hands
over; on SQLite and on PostgreSQL."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
from sqlalchemy import update

from careplane.errors import LedgerError, StoreError
from careplane.governance import PermitRequest
from careplane.governance import permit as ask
from careplane.records.app import App
from careplane.records.design import Placement
from careplane.records.run import Event, Permit, Reason
from careplane.store import Store
from careplane.store.tables import events
from careplane.workflow import Runtime, find_runs, inbox, leases
from careplane.workflow.durable import Durable

SCRIPT = Path(__file__).parent / "installation.py"
EVENTS = 20

Worker = subprocess.Popen[str]


@pytest.fixture
def several(installation: ModuleType, home: Path, store: Store) -> Runtime:
    """A runtime on either database, with a patient for each event."""
    built: Runtime = installation.runtime_of(home, store, patients=EVENTS)
    return built


@pytest.fixture
def worker(home: Path, store: Store) -> Iterator[Callable[..., Worker]]:
    """Starts workers, processes of their own, whose model takes so many seconds; they are killed at the end."""
    url = store.engine.url.render_as_string(hide_password=False)
    environment = {**os.environ, "PYTHONPATH": str(SCRIPT.parents[2] / "src")}
    with ExitStack() as stack:

        def start(seconds: float, count: int = EVENTS) -> Worker:
            command = [sys.executable, str(SCRIPT), str(home), str(count), str(seconds), url]
            process = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True)
            stack.callback(process.communicate)
            stack.callback(process.kill)
            assert process.stdout is not None
            process.stdout.readline()
            return process

        yield start


def fill(runtime: Runtime, installation: ModuleType, count: int = EVENTS) -> None:
    """Put events into the inbox as a door does, and leave them to the workers."""
    with runtime.store.write() as connection:
        for number in range(count):
            assert inbox.receive(connection, installation.message_event(number), runtime.clock())


def until(truth: Callable[[], bool], seconds: float = 30.0) -> float:
    """Wait until something holds; gives the seconds that it took."""
    begun = time.monotonic()
    while not truth():
        assert time.monotonic() - begun < seconds, "it did not come to hold in time"
        time.sleep(0.05)
    return time.monotonic() - begun


def calls(home: Path) -> list[tuple[str, str]]:
    """Model calls: who made them, and which."""
    file = home / "calls"
    lines = file.read_text("utf-8").splitlines() if file.exists() else []
    return [(who, call) for who, _, call in (line.partition(" ") for line in lines)]


def check_once(runtime: Runtime, count: int = EVENTS) -> None:
    """Every event has one run, and one record of its draft."""
    runs = find_runs(runtime.store, limit=None)
    assert Counter(run.event.id for run in runs) == Counter(f"e{n}" for n in range(count))
    assert {run.status for run in runs} == {"draft"}
    drafted = Counter(record.run for record in runtime.ledger.records(kind="run.drafted"))
    assert drafted == Counter(run.id for run in runs)


def make_due(runtime: Runtime) -> None:
    """Let what is in the inbox be looked at now."""
    with runtime.store.write() as connection:
        connection.execute(update(events).values(due=0.0))


@pytest.mark.slow
def test_what_a_killed_worker_had_under_way_is_taken_over(
    several: Runtime, installation: ModuleType, home: Path, worker: Callable[[float], Worker]
) -> None:
    fill(several, installation)
    make_due(several)
    doomed = worker(60.0)
    until(lambda: len(calls(home)) >= 10)
    worker(0.01)
    doomed.kill()
    took = until(lambda: inbox.received_count(several.store) == 0)
    assert took < 30
    check_once(several)
    (left,) = leases.find_workers(several.store)
    assert left.standing == "working"


@pytest.mark.slow
def test_a_stalled_worker_that_was_taken_over_from_has_no_effect(
    several: Runtime, installation: ModuleType, home: Path, worker: Callable[[float], Worker]
) -> None:
    fill(several, installation, 6)
    make_due(several)
    stalled = worker(1.0)
    until(lambda: len(calls(home)) == 6)
    stalled.send_signal(signal.SIGSTOP)
    worker(0.01)
    until(lambda: inbox.received_count(several.store) == 0)
    check_once(several, 6)
    stalled.send_signal(signal.SIGCONT)
    until(lambda: {one.standing for one in leases.find_workers(several.store)} == {"working"})
    until(lambda: len(leases.find_workers(several.store)) == 2)
    time.sleep(1.0)
    check_once(several, 6)
    assert Counter(call for _, call in calls(home)).most_common(1)[0][1] == 2
    with several.store.write() as connection:
        connection.execute(update(events).values(state="received", due=0.0, attempt=events.c.attempt + 1))
    until(lambda: inbox.received_count(several.store) == 0)
    check_once(several, 6)


@pytest.mark.slow
def test_a_worker_that_is_stopped_hands_over_at_once(
    several: Runtime, installation: ModuleType, home: Path, worker: Callable[[float], Worker]
) -> None:
    fill(several, installation, 4)
    make_due(several)
    leaving = worker(60.0)
    until(lambda: len(calls(home)) == 4)
    worker(0.01)
    leaving.terminate()
    assert leaving.wait(20) == 0
    assert until(lambda: inbox.received_count(several.store) == 0) < 5
    check_once(several, 4)


def test_one_of_many_takes_over(store: Store) -> None:
    leases.register(store, "gone", "1", -1.0)
    assert [one.standing for one in leases.find_workers(store)] == ["late"]
    assert [leases.claim(store, "gone", name, 10.0) for name in ("a", "b")] == [True, False]
    assert not leases.renew(store, "gone", 10.0)
    assert not leases.claim(store, "gone", "b", 10.0, ended=True)
    leases.forget(store, "gone", "b")
    assert [one.taker for one in leases.find_workers(store)] == ["a"]
    leases.forget(store, "gone", "a")
    assert leases.find_workers(store) == []


def test_a_taker_that_dies_is_followed_by_another(store: Store) -> None:
    leases.register(store, "gone", "1", -1.0)
    assert leases.claim(store, "gone", "a", -1.0)
    assert leases.claim(store, "gone", "b", 10.0)


def test_a_living_worker_is_not_taken_over_from(store: Store, home: Path) -> None:
    leases.register(store, "alive", "1", 10.0)
    assert not leases.claim(store, "alive", "a", 10.0)
    line = leases.LifeLine(home, "alive")
    line.hold()
    assert not leases.has_ended(home, "alive")
    assert not leases.has_ended(home, "on-another-machine")
    line.let_go(keep_file=True)
    assert leases.has_ended(home, "alive")
    assert leases.claim(store, "alive", "a", 10.0, ended=True)


def test_a_failing_event_waits_longer_each_time_and_dies(store: Store, installation: ModuleType) -> None:
    event = installation.message_event()
    key = inbox.key_of(event)
    with store.write() as connection:
        inbox.receive(connection, event, installation.AT)
    waits = []
    for _ in range(inbox.MOST_FAILURES):
        kept = inbox.find_event(store, key)
        assert kept is not None
        with store.write() as connection:
            assert inbox.fail(connection, kept, "The run failed.")
            assert not inbox.fail(connection, kept, "A stale attempt.")
        after = inbox.find_event(store, key)
        assert after is not None
        waits.append(round(after.due - time.time()))
    assert waits[:4] == [5, 10, 20, 40]
    after = inbox.find_event(store, key)
    assert after is not None
    assert (after.state, after.error, after.failures) == ("dead", "The run failed.", inbox.MOST_FAILURES)
    assert inbox.take_due(store) == ()
    with store.write() as connection:
        assert inbox.replay(connection, key)
        assert not inbox.replay(connection, "run-none")
    (due,) = inbox.take_due(store)
    assert (due.key, due.state, due.failures) == (key, "waiting", 0)
    assert list(inbox.take_due(store)) == []


def test_a_run_that_fails_is_put_off_and_then_run(several: Runtime, installation: ModuleType, home: Path) -> None:
    answers = iter((LedgerError("The disk with the name Quill is full."),))

    def permit(app: App, event: Event) -> tuple[Permit, Placement | None]:
        for error in answers:
            raise error
        return several.permit(app, event)

    durable = Durable(replace(several, permit=permit), home)
    durable.start()
    try:
        asyncio.run(durable.submit(installation.message_event()))
        until(lambda: inbox.count_events(several.store)["waiting"] == 1)
        asyncio.run(durable.drain())
        (kept,) = inbox.find_events(several.store, "waiting")
        assert (kept.failures, kept.error) == (1, "The run failed: LedgerError.")
        make_due(several)
        until(lambda: inbox.count_events(several.store)["done"] == 1)
    finally:
        durable.stop()
    check_once(several, 1)
    assert all(b"Quill" not in file.read_bytes() for file in home.glob("durable.db*"))


def test_a_run_that_is_under_way_in_name_only_is_looked_at_again(
    runtime: Runtime, installation: ModuleType, home: Path
) -> None:
    durable = Durable(runtime, home)
    durable.start()
    try:
        asyncio.run(durable.submit(installation.message_event()))
        until(lambda: inbox.count_events(runtime.store)["done"] == 1)
        time.sleep(0.5)
        with runtime.store.write() as connection:
            connection.execute(update(events).values(state="received"))
        with closing(sqlite3.connect(home / "durable.db")) as engine, engine:
            changed = engine.execute("UPDATE workflow_status SET status = 'PENDING', completed_at = NULL")
            assert changed.rowcount == 1
        until(lambda: inbox.count_events(runtime.store)["done"] == 1)
    finally:
        durable.stop()
    check_once(runtime, 1)


def test_a_database_that_is_away_is_no_decision(several: Runtime, installation: ModuleType, home: Path) -> None:
    away = iter([True])

    def permit(app: App, event: Event) -> tuple[Permit, Placement | None]:
        def rule(_request: PermitRequest) -> Reason:
            raise StoreError("The database did not answer.")

        if next(away, False):
            request = PermitRequest(app=app, event=event, item=None)
            return ask(request, (rule,)), None
        return several.permit(app, event)

    durable = Durable(replace(several, permit=permit), home)
    durable.start()
    try:
        asyncio.run(durable.submit(installation.message_event()))
        until(lambda: inbox.count_events(several.store)["waiting"] == 1)
        make_due(several)
        until(lambda: inbox.count_events(several.store)["done"] == 1)
    finally:
        durable.stop()
    check_once(several, 1)


@pytest.mark.slow
def test_each_time_of_a_schedule_fires_once_over_all_workers(
    several: Runtime, home: Path, worker: Callable[..., Worker]
) -> None:
    for _ in range(2):
        worker(0.01, 0)
    until(lambda: len(list(several.ledger.records(kind="schedule.fired"))) >= 6)
    fired = Counter(record.at for record in several.ledger.records(kind="schedule.fired"))
    assert set(fired.values()) == {1}
    counts = inbox.count_events(several.store)
    assert counts["received"] + counts["done"] >= 6
