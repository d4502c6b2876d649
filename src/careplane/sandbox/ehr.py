"""The EHR of the sandbox: the package ``sekmet-fhir`` serving a data set over FHIR R4 on loopback.

The data set goes into sekmet's own store before the server starts: its REST batch takes in some hundred resources a
second, its store thousands.
"""

import hashlib
import importlib.util
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from socket import socket
from types import TracebackType
from typing import IO, Any

import httpx
import orjson
import yaml

from careplane.errors import MissingExtra, UpstreamError, UpstreamTimeout
from careplane.records import JSON
from careplane.sandbox.dataset import Progress, read_manifest

START_SECONDS = 60.0
STOP_SECONDS = 10.0
BATCH = 2000
FAST = ("journal_mode=OFF", "synchronous=OFF", "cache_size=-65536")
"""For seeding only: a half-seeded database is thrown away, so it needs no journal; ``SCHEMA`` sets WAL again."""
SEARCH_INDEXES = ("idx_code", "idx_ref", "idx_s", "idx_refp", "idx_date", "idx_num")
"""Indexes of sekmet's table ``idx`` that writing does not need; its ``SCHEMA`` builds them."""


class Ehr:
    """A FHIR R4 server with the data of a sandbox, as a context manager.

    ``folder`` holds its database, settings and log. A data set is put in once: a second start serves what is there,
    with everything that was written since. ``types`` restricts to some resource types; empty means all. The server
    binds to 127.0.0.1 on a free port and needs no sign-in; it is for synthetic data only.

    Raises:
        DataError: the folder holds no data set.
        MissingExtra: ``sekmet-fhir`` is not installed.
        UpstreamTimeout: the server did not answer in time; the log says why.
        UpstreamError: the server ended while it started.
    """

    def __init__(
        self, dataset: Path, folder: Path, *, types: Sequence[str] = (), progress: Progress | None = None
    ) -> None:
        if importlib.util.find_spec("sekmet") is None:
            raise MissingExtra("The sandbox EHR (sekmet-fhir)", "sandbox")
        self._dataset, self._folder, self._types, self._progress = dataset, folder.resolve(), types, progress
        self._process: subprocess.Popen[bytes] | None = None
        self._stack = ExitStack()
        self.base_url = ""

    @property
    def log(self) -> Path:
        """The file that holds what the server printed."""
        return self._folder / "ehr.log"

    def __enter__(self) -> "Ehr":
        read_manifest(self._dataset)
        self._folder.mkdir(parents=True, exist_ok=True)
        database = self._folder / f"{self._fingerprint()}.db"
        if not database.exists():
            seed(self._dataset, database, self._types, self._progress)
        port = free_port()
        self.base_url = f"http://127.0.0.1:{port}/fhir"
        settings = self._folder / "settings.yaml"
        settings.write_text(yaml.safe_dump(self._settings(port, database)), "utf-8")
        with ExitStack() as undo:
            undo.callback(self.close)
            self._start(settings)
            self._wait()
            undo.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop the server and wait for it, so that no process is left behind; a second call does nothing."""
        if self._process is not None:
            self._process.terminate()
            if self._process.stdin is not None:
                self._process.stdin.close()
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
        self._stack.close()

    def _fingerprint(self) -> str:
        """Names the data set and the types served, so that another data set gets a database of its own."""
        held = (self._dataset / "manifest.json").read_bytes() + ",".join(sorted(self._types)).encode()
        return hashlib.sha256(held).hexdigest()[:16]

    def _settings(self, port: int, database: Path) -> JSON:
        """Keys of sekmet's ``settings.yaml``: no validation, no simulated workflows, no bodies in its traffic log."""
        return {
            "base_url": self.base_url,
            "host": "127.0.0.1",
            "port": port,
            "data_dir": str(self._folder),
            "db_path": str(database),
            "facility_name": "Careplane sandbox (synthetic)",
            "server_auth": {"types": ["none"]},
            "validation": {"inbound": "off"},
            "simulator": {"enabled": False},
            "log_inbound": False,
            "max_body_log": 0,
        }

    def _start(self, settings: Path) -> None:
        output: IO[bytes] = self._stack.enter_context(self.log.open("ab"))
        command = [sys.executable, "-m", "careplane.sandbox.ehr_process", str(settings)]
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and our own file
            command, cwd=self._folder, stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT
        )

    def _wait(self) -> None:
        """Until the server answers its capability statement."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._process is not None and self._process.poll() is not None:
                raise UpstreamError(f"The sandbox EHR ended while it started; see {self.log}.")
            if self._answers():
                return
            time.sleep(0.05)
        raise UpstreamTimeout(f"The sandbox EHR did not answer within {START_SECONDS:.0f} seconds; see {self.log}.")

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.base_url}/metadata", timeout=5, trust_env=False).status_code == 200
        except httpx.TransportError:
            return False


def seed(dataset: Path, database: Path, types: Sequence[str] = (), progress: Progress | None = None) -> int:
    """Put the history of a data set into a sekmet database; says how many resources.

    ``types`` restricts to some resource types; empty means all. The database appears whole or not at all. The indexes
    that only searches need are left out while rows go in and built once at the end, which halves the time; the
    statistics that follow let the planner start from the patient, which makes a sorted search eighty times quicker.
    """
    sekmet: Any = importlib.import_module("sekmet.fhir.store")
    partial = database.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    store = sekmet.Store(str(partial))
    total, count = _planned(dataset, types), 0
    try:
        for pragma in FAST:
            store.conn.execute(f"PRAGMA {pragma}")
        for index in SEARCH_INDEXES:
            store.conn.execute(f"DROP INDEX IF EXISTS {index}")
        resources = _resources(dataset, types)
        while batch := list(islice(resources, BATCH)):
            with store.transaction():
                for body in batch:
                    store.update(body)
            count += len(batch)
            if progress:
                progress("EHR", count, total)
        store.conn.executescript(sekmet.SCHEMA)
        store.conn.execute("ANALYZE")
    finally:
        store.conn.close()
    partial.rename(database)
    return count


def _planned(dataset: Path, types: Sequence[str]) -> int:
    counts = read_manifest(dataset).resources
    return sum(count for kind, count in counts.items() if not types or kind in types)


def _resources(dataset: Path, types: Sequence[str]) -> Iterator[JSON]:
    for path in sorted((dataset / "fhir").glob("*.ndjson")):
        if not types or path.stem in types:
            with path.open("rb") as lines:
                yield from map(orjson.loads, lines)


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on at this moment."""
    with socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
