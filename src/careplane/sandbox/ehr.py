"""The EHR of the sandbox: the package ``sekmet-fhir`` serving a data set over FHIR R4 on loopback.

The data set goes into sekmet's own store in one transaction before the server starts, because its REST batch takes in
some hundred resources a second and its store thousands.
"""

import importlib.util
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from socket import socket
from types import TracebackType
from typing import IO, Any

import httpx
import orjson
import yaml

from careplane.errors import MissingExtra, UpstreamError, UpstreamTimeout
from careplane.records import JSON
from careplane.sandbox.dataset import Progress

START_SECONDS = 60.0
STOP_SECONDS = 10.0
DATABASE = "ehr.db"


class Ehr:
    """A FHIR R4 server with the data of a sandbox, as a context manager.

    ``folder`` holds its database, settings and log, and is seeded once: a second start serves what is there. The server
    binds to 127.0.0.1 on a free port and needs no sign-in; it is for synthetic data only.

    Raises:
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
        self._folder.mkdir(parents=True, exist_ok=True)
        database = self._folder / DATABASE
        if not database.exists():
            seed(self._dataset, database, self._types, self._progress)
        port = free_port()
        self.base_url = f"http://127.0.0.1:{port}/fhir"
        settings = self._folder / "settings.yaml"
        settings.write_text(yaml.safe_dump(self._settings(port, database)), "utf-8")
        try:
            self._start(settings)
            self._wait()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop the server and wait for it, so that no process is left behind; a second call does nothing."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
        self._stack.close()

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
        command = [sys.executable, "-c", "from sekmet.cli import app; app()", "serve", "--config", str(settings)]
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and our own file
            command, cwd=self._folder, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
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
    """Put the history of a data set into a sekmet database, in one transaction; says how many resources.

    ``types`` restricts to some resource types; empty means all. The database appears whole or not at all.
    """
    store_module: Any = importlib.import_module("sekmet.fhir.store")
    partial = database.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    store = store_module.Store(str(partial))
    count = 0
    try:
        store.conn.execute("PRAGMA synchronous=OFF")
        with store.transaction():
            for count, body in enumerate(_resources(dataset, types), start=1):
                store.update(body)
                if progress and count % 1000 == 0:
                    progress("EHR", count, 0)
    finally:
        store.conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        store.conn.close()
    partial.rename(database)
    return count


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
