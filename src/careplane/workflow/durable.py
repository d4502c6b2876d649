"""Durable runs on DBOS: an event acknowledged is an event processed once, whenever a process is killed.

An event is first kept in the store's inbox, then a workflow with the id ``app:event`` is enqueued; the workflow takes
ids only, so nothing that identifies a patient is in the engine's file. A run is unique per app and event, so a workflow
that is run again after a crash meets its first run. The engine's file is SQLite in WAL mode; its payloads are JSON and
never pickle. The engine is one per process.

The engine also keeps the clock of scheduled apps: a workflow with the id ``schedule, app, time`` submits one event per
unit, and each of them is an event like any other.
"""

import asyncio
import logging
import sqlite3
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer, SetWorkflowID
from sqlalchemy import Engine, create_engine
from sqlalchemy.event import listen

from careplane.errors import Conflict
from careplane.records.run import Event
from careplane.workflow.downtime import run_queued
from careplane.workflow.inbox import State, is_waiting, load_event, mark, receive, received_count, waiting
from careplane.workflow.runtime import Runtime
from careplane.workflow.schedule import Schedule, events_of
from careplane.workflow.writeback import finish_write_backs

QUEUE = "runs"
EXECUTOR = "careplane-1"
VERSION = "1"
"""The version of the workflows below; it changes only when they do, so that an upgrade recovers what was under way."""

CONCURRENCY = 16
POLL_SECONDS = 0.05
_FINAL = ("SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED")


class Durable:
    """The durable worker of this process; ``schedules`` are those of the apps that start by the clock."""

    def __init__(self, runtime: Runtime, home: Path, schedules: Iterable[Schedule] = ()) -> None:
        self.runtime = runtime
        self._schedules = {one.app: one for one in schedules}
        self._file = home / "durable.db"
        self._changed = threading.Condition()

    def start(self) -> None:
        """Launch the engine, take up what an earlier process left, and write back what was signed but not written.

        Raises:
            Conflict: another worker runs in this process.
        """
        if _workers:
            raise Conflict("A durable worker runs in this process already.")
        _apart(self._launch)

    def _launch(self) -> None:
        _workers.append(self)
        DBOS(config=_config(self._file))
        logging.getLogger("dbos").setLevel(logging.ERROR)
        DBOS.launch()
        DBOS.register_queue(
            QUEUE, worker_concurrency=CONCURRENCY, polling_interval_sec=POLL_SECONDS, on_conflict="always_update"
        )
        for event in waiting(self.runtime.store):
            mark(self.runtime.store, event.app, event.id, "received")
            _enqueue_again(event)
        _apply(self._schedules.values())

    async def submit(self, event: Event) -> None:
        """Take an event; it is durable when this returns, and processed once however often it is delivered."""
        await asyncio.to_thread(self._submit, event)

    def _submit(self, event: Event) -> None:
        if receive(self.runtime.store, event, self.runtime.clock()):
            _enqueue(event, _key(event))
        elif is_waiting(self.runtime.store, event):
            _enqueue_again(event)

    async def drain(self) -> None:
        """Wait until every event that was taken has been processed."""
        await asyncio.to_thread(self._wait)
        await finish_write_backs(self.runtime)

    def _wait(self) -> None:
        with self._changed:
            while received_count(self.runtime.store):
                self._changed.wait(timeout=1.0)

    def stop(self) -> None:
        """End the engine; what is under way is taken up by the next start."""
        _apart(DBOS.destroy)
        _workers.remove(self)

    async def process(self, app: str, ident: str) -> None:
        """Run one event and record that it is done, or that it failed."""
        event = load_event(self.runtime.store, app, ident)
        state: State = "failed"
        try:
            if event is not None:
                await run_queued(self.runtime, event)
                state = "done"
        finally:
            mark(self.runtime.store, app, ident, state)
            with self._changed:
                self._changed.notify_all()

    async def fire(self, app: str, at: datetime) -> None:
        """Submit the events of a scheduled time; a repeat after a crash submits what is missing.

        They are submitted outside the engine's context, where each is a workflow of its own and not a step of this one:
        a repeat takes other steps than the first time, which the engine would refuse.
        """
        schedule = self._schedules.get(app)
        if schedule is None:
            return
        loop = asyncio.get_running_loop()
        events = await loop.run_in_executor(None, lambda: list(events_of(schedule, at)))
        for event in events:
            await loop.run_in_executor(None, self._submit, event)
        self.runtime.ledger.append("schedule.fired", at=at, app=app, facts={"units": len(events)})


_workers: list[Durable] = []


@DBOS.workflow(name="careplane.process")
async def _process(app: str, ident: str) -> None:
    await _workers[0].process(app, ident)


@DBOS.workflow(name="careplane.schedule")
async def _fire(at: datetime | str, app: str) -> None:
    """The engine gives the time as the text that its JSON made of it."""
    await _workers[0].fire(app, at if isinstance(at, datetime) else datetime.fromisoformat(at))


def _apply(schedules: Iterable[Schedule]) -> None:
    """Make the engine's schedules exactly these."""
    wanted = {one.app: one for one in schedules}
    for held in DBOS.list_schedules():
        if held["schedule_name"] not in wanted:
            DBOS.delete_schedule(held["schedule_name"])
    DBOS.apply_schedules(
        [
            {
                "schedule_name": one.app,
                "workflow_fn": _fire,
                "schedule": one.cron,
                "context": one.app,
                "cron_timezone": one.timezone,
            }
            for one in wanted.values()
        ]
    )


def _apart(act: Callable[[], None]) -> None:
    """Do something in a thread of its own: the engine refuses these calls where an event loop runs, as in a server."""
    with ThreadPoolExecutor(max_workers=1) as thread:
        thread.submit(act).result()


def _key(event: Event) -> str:
    return f"{event.app}:{event.id}"


def _enqueue(event: Event, key: str) -> None:
    with SetWorkflowID(key):
        DBOS.enqueue_workflow(QUEUE, _process, event.app, event.id)


def _enqueue_again(event: Event) -> None:
    """Enqueue an event that may have been enqueued before, unless it still waits or runs; each attempt has its id."""
    key, attempt = _key(event), 1
    while (status := DBOS.get_workflow_status(key)) is not None:
        if status.status not in _FINAL:
            return
        attempt += 1
        key = f"{_key(event)}:{attempt}"
    _enqueue(event, key)


def _engine(file: Path) -> Engine:
    """The engine's own file: WAL, which it never sets itself, and no wait for the disk at each commit.

    What a power cut takes from this file is enqueued again from the inbox, which is on disk before an event is
    acknowledged.
    """
    engine = create_engine(f"sqlite:///{file}", connect_args={"timeout": 30, "check_same_thread": False})
    listen(engine, "connect", _set_pragmas)
    return engine


def _set_pragmas(connection: sqlite3.Connection, _record: object) -> None:
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=30000"):
        connection.execute(f"PRAGMA {pragma}")


def _config(file: Path) -> DBOSConfig:
    return {
        "name": "careplane",
        "system_database_url": f"sqlite:///{file}",
        "system_database_engine": _engine(file),
        "executor_id": EXECUTOR,
        "application_version": VERSION,
        "serializer": DBOSPortableJSONSerializer(),
        "log_level": "ERROR",
        "max_executor_threads": CONCURRENCY * 2,
    }
