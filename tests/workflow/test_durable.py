"""Durable runs: what was acknowledged is processed once, whenever the process is killed."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path
from types import ModuleType

import pytest

from careplane.errors import Conflict
from careplane.store import Store, open_store
from careplane.workflow import Runtime, find_runs
from careplane.workflow.durable import Durable

SCRIPT = Path(__file__).parent / "installation.py"
EVENTS = 24


def test_event_is_processed_once_however_often_it_comes(runtime: Runtime, installation: ModuleType, home: Path) -> None:
    durable = Durable(runtime, home)
    durable.start()
    try:
        with pytest.raises(Conflict):
            Durable(runtime, home).start()

        async def deliver() -> None:
            await asyncio.gather(*(durable.submit(installation.message_event()) for _ in range(3)))
            await durable.drain()

        asyncio.run(deliver())
    finally:
        durable.stop()
    assert len(find_runs(runtime.store)) == 1
    assert all(b"Patient/a0" not in file.read_bytes() for file in home.glob("durable.db*"))
    with closing(sqlite3.connect(home / "durable.db")) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


@pytest.mark.slow
def test_killed_worker_loses_and_doubles_nothing(home: Path) -> None:
    command = [sys.executable, str(SCRIPT), str(home), str(EVENTS)]
    environment = {**os.environ, "PYTHONPATH": str(SCRIPT.parents[2] / "src")}
    for taken in (3, 15):
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True) as worker:
            assert worker.stdout is not None
            for line in worker.stdout:
                if line == f"taken {taken}\n":
                    break
            worker.send_signal(signal.SIGKILL)
            worker.communicate()
        assert worker.returncode == -signal.SIGKILL
    finished = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert finished.stdout.endswith("drained\n"), finished.stderr
    store: Store = open_store(f"sqlite:///{home / 'careplane.db'}")
    runs = find_runs(store, limit=None)
    store.close()
    assert Counter(run.event.id for run in runs) == Counter(f"e{n}" for n in range(EVENTS))
    assert {run.status for run in runs} == {"draft"}
