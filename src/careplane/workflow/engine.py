"""The engine of durable runs, DBOS, as far as this project uses it: opening, queue, states, takeover, schedules.

Its tables are in ``<home>/durable.db`` beside an SQLite store, and in the schema ``dbos`` of a PostgreSQL one. They
hold keys of events and names of apps only, in JSON and never pickle: nothing that identifies a patient. Every process
is an executor of its own.
"""

import logging
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer, SetWorkflowID
from sqlalchemy import Engine, create_engine
from sqlalchemy.event import listen

from careplane.store import Store
from careplane.workflow.schedule import Schedule

QUEUE = "runs"
VERSION = "2"
"""The version of the workflows; it changes only when they do, so that an upgrade recovers what was under way."""

CONCURRENCY = 16
"""Runs at a time in one process."""
POLL_SECONDS = 0.1
POOL = CONCURRENCY + 8
"""Connections to the engine's database: more than runs at a time, or they wait for each other."""

FINAL = frozenset({"SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"})
EXHAUSTED = "MAX_RECOVERY_ATTEMPTS_EXCEEDED"
MOST_TAKEOVERS = 25
"""How often a run may be under way when its process dies; then it is not started again, for it may be the reason."""


def launch(store: Store, home: Path, executor: str) -> None:
    """Start the engine of this process, and its queue."""
    DBOS(config=_config(store, home, executor))
    logging.getLogger("dbos").setLevel(logging.CRITICAL)
    DBOS.launch()
    DBOS.register_queue(
        QUEUE, worker_concurrency=CONCURRENCY, polling_interval_sec=POLL_SECONDS, on_conflict="always_update"
    )


def shut_down(seconds: int) -> None:
    """Take nothing more, give what is under way ``seconds`` to end, and end."""
    apart(lambda: DBOS.destroy(workflow_completion_timeout_sec=seconds))


def enqueue(workflow: Callable[..., Any], key: str, attempt: int) -> None:
    """Enqueue an attempt at an event; the same again changes nothing."""
    with SetWorkflowID(workflow_id(key, attempt)):
        DBOS.enqueue_workflow(QUEUE, workflow, key, attempt)


def workflow_id(key: str, attempt: int) -> str:
    """The engine's id of an attempt at an event."""
    return f"{key}:{attempt}"


def states(ids: Sequence[str]) -> dict[str, str]:
    """What became of attempts, by their ids; those that the engine does not know are left out."""
    if not ids:
        return {}
    found = DBOS.list_workflows(workflow_ids=list(ids), load_input=False, load_output=False)
    return {one.workflow_id: str(one.status) for one in found}


def pending(executor: str) -> set[str]:
    """The workflows that an executor has under way, as the engine knows it."""
    found = DBOS.list_workflows(status="PENDING", executor_id=executor, load_input=False, load_output=False)
    return {one.workflow_id for one in found}


def resume(ident: str) -> None:
    """Enqueue again a workflow that is under way in name only: its end could not be recorded."""
    DBOS.resume_workflow(ident, queue_name=None if ident.startswith("sched-") else QUEUE)


def current() -> str:
    """The id of the workflow that asks."""
    return str(DBOS.workflow_id)


def take_over(executor: str) -> int:
    """Enqueue again what another executor had under way; says how much. Asking twice is harmless."""
    return len(DBOS._recover_pending_workflows([executor]))


def keep_schedules(schedules: Iterable[Schedule], workflow: Callable[..., Any]) -> None:
    """Make the engine's schedules exactly these. All processes keep the same; each time of each fires once."""
    wanted = {one.app: one for one in schedules}
    for held in DBOS.list_schedules():
        if held["schedule_name"] not in wanted:
            DBOS.delete_schedule(held["schedule_name"])
    DBOS.apply_schedules(
        [
            {
                "schedule_name": one.app,
                "workflow_fn": workflow,
                "schedule": one.cron,
                "context": one.app,
                "cron_timezone": one.timezone,
            }
            for one in wanted.values()
        ]
    )


def apart(act: Callable[[], None]) -> None:
    """Do something in a thread of its own: the engine refuses these calls where an event loop runs, as in a server."""
    with ThreadPoolExecutor(max_workers=1) as thread:
        thread.submit(act).result()


def _config(store: Store, home: Path, executor: str) -> DBOSConfig:
    config: DBOSConfig = {
        "name": "careplane",
        "executor_id": executor,
        "application_version": VERSION,
        "serializer": DBOSPortableJSONSerializer(),
        "log_level": "CRITICAL",
        "max_executor_threads": CONCURRENCY * 2,
    }
    if store.engine.dialect.name == "postgresql":
        config["system_database_url"] = store.engine.url.render_as_string(hide_password=False)
        config["sys_db_pool_size"] = POOL
        return config
    file = home / "durable.db"
    config["system_database_url"] = f"sqlite:///{file}"
    config["system_database_engine"] = _sqlite(file)
    return config


def _sqlite(file: Path) -> Engine:
    """The engine's own file: WAL, which it never sets itself, and no wait for the disk at each commit.

    What a power cut takes from this file is enqueued again from the inbox, which is on disk before an event is
    acknowledged.
    """
    engine = create_engine(
        f"sqlite:///{file}",
        pool_size=POOL,
        max_overflow=CONCURRENCY,
        connect_args={"timeout": 30, "check_same_thread": False},
    )
    listen(engine, "connect", _set_pragmas)
    return engine


def _set_pragmas(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = "IMMEDIATE"
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=30000", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")
