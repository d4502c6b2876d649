"""The safety watch in real ``careplane serve`` processes: a crossing pauses the app on both, and a restart keeps it."""

import importlib.util
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType

import httpx
import pytest

from careplane import alignment
from careplane.evidence.monitoring import find_watches, flag_harm
from careplane.gateway import issue_key
from careplane.governance import switches
from careplane.ledger import open_ledger
from careplane.records.portfolio import Stage
from careplane.server.platform import open_platform
from careplane.settings import read_settings
from careplane.store import open_store

APP = "portal_reply"
SRC = Path(__file__).resolve().parents[2] / "src"
START_SECONDS = 90.0
PAUSE_SECONDS = 20.0
"""A watch looks every two seconds and workers read stops twice a second; the rest is for a busy machine."""


def _monitored() -> ModuleType:
    file = Path(__file__).parents[1] / "evidence/monitored.py"
    spec = importlib.util.spec_from_file_location("monitored", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def serving(home: Path) -> Iterator[httpx.Client]:
    """``careplane serve`` in a process of its own, killed at the end."""
    port = free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CAREPLANE_")}
    command = [sys.executable, "-m", "careplane", "serve", "--home", str(home), "--port", str(port)]
    environment |= {"PYTHONPATH": str(SRC), "CAREPLANE_TIMEZONE": "America/Chicago"}
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, env=environment, cwd=home, stderr=quiet, stdout=quiet) as server:
        try:
            end = time.monotonic() + START_SECONDS
            while True:
                with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                    break
                assert server.poll() is None
                assert time.monotonic() < end
                time.sleep(0.1)
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30) as client:
                yield client
        finally:
            server.send_signal(signal.SIGKILL)
            server.wait(20)


def careplane(home: Path, *words: str) -> str:
    """One command on the installation; what it says."""
    command = [sys.executable, "-m", "careplane", *words, "--home", str(home)]
    environment = {**os.environ, "PYTHONPATH": str(SRC)}
    done = subprocess.run(command, env=environment, cwd=home, capture_output=True, text=True, timeout=60, check=False)
    return done.stdout + done.stderr


def ask(client: httpx.Client, key: str) -> int:
    body = {"model": "default", "messages": [{"role": "user", "content": "Answer: ok"}]}
    return client.post("/v1/chat/completions", json=body, headers={"Authorization": f"Bearer {key}"}).status_code


def until(wanted: int, client: httpx.Client, key: str) -> float:
    """Ask until the answer is as wanted; how long it took."""
    began = time.monotonic()
    while (status := ask(client, key)) != wanted:
        assert time.monotonic() - began < PAUSE_SECONDS, status
        time.sleep(0.2)
    return time.monotonic() - began


@pytest.mark.slow
def test_a_crossing_pauses_the_app_on_every_worker_and_holds_across_restarts(home: Path) -> None:
    monitored = _monitored()
    platform = open_platform(read_settings({}, home=str(home), timezone="America/Chicago"), synthetic=True)
    steps: tuple[Stage, ...] = ("intake", "shadow", "pilot")
    for stage in steps:
        item = alignment.load_item(platform.store, APP)
        alignment.move_stage(platform.store, platform.ledger, item, stage, platform.clock(), "owner", "test")
    key = issue_key(platform.store, APP, datetime.now(UTC))
    now = datetime.now(UTC)
    runs = monitored.keep(platform.store, 40, now - timedelta(hours=2))
    platform.close()
    with ExitStack() as both:
        workers = [both.enter_context(serving(home)) for _ in range(2)]
        assert [ask(worker, key) for worker in workers] == [200, 200]
        store, ledger = open_store(f"sqlite:///{home / 'careplane.db'}"), open_ledger(home / "ledger")
        for number, run in enumerate(runs[:8]):
            flag_harm(store, ledger, run, "moderate", f"Practitioner/p{number}", now)
        assert max(until(403, worker, key) for worker in workers) < PAUSE_SECONDS
        _until_settled(store)
        (held,) = switches(store)
        assert held.by == "monitor:safety watch"
        assert held.reason.startswith("8 of 40 runs had a harm flag")
        kinds = [record.kind for record in ledger.records()]
        assert kinds.count("switch.stopped") == kinds.count("safety.crossed") == kinds.count("decision.opened") == 1
    with serving(home) as again:
        assert ask(again, key) == 403
        assert "another person must give it" in careplane(home, "stop", "app", APP, "--release", "--by", "p.lee")
        assert "Another person" in careplane(home, "stop", "app", APP, "--release", "--by", "p.lee")
        assert ask(again, key) == 403
        assert "may run again" in careplane(home, "stop", "app", APP, "--release", "--by", "m.ortiz")
        until(200, again, key)
        time.sleep(3)
        assert ask(again, key) == 200  # what crossed before does not cross again
    assert find_watches(store, APP)[0].number == 2
    store.close()


def _until_settled(store: object) -> None:
    end = time.monotonic() + PAUSE_SECONDS
    while find_watches(store, APP)[0].settled_at is None:  # type: ignore[arg-type]
        assert time.monotonic() < end
        time.sleep(0.1)
