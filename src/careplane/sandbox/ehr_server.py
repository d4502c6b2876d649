"""One process of the FHIR R4 server ``sekmet-fhir`` on loopback, and its settings."""

import importlib.util
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from socket import socket
from types import TracebackType
from typing import IO

import httpx
import yaml

from careplane.errors import MissingExtra, UpstreamError, UpstreamTimeout
from careplane.records import JSON

START_SECONDS = 60.0
STOP_SECONDS = 10.0


class EhrServer:
    """A FHIR R4 server as a context manager; ``folder`` holds its database, settings and log.

    It binds to 127.0.0.1 on a free port, simulates nothing and needs no sign-in; it is for synthetic data only.
    ``options`` are further keys of sekmet's ``settings.yaml``, such as ``server_auth``.

    Raises:
        MissingExtra: ``sekmet-fhir`` is not installed.
        UpstreamTimeout: the server did not answer in time; the log says why.
        UpstreamError: the server ended while it started.
    """

    def __init__(self, folder: Path, database: Path | None = None, options: Mapping[str, object] | None = None) -> None:
        if importlib.util.find_spec("sekmet") is None:
            raise MissingExtra("The sandbox EHR (sekmet-fhir)", "sandbox")
        self._folder, self._options = folder.resolve(), dict(options or {})
        self._database = database or self._folder / "ehr.db"
        self._process: subprocess.Popen[bytes] | None = None
        self._stack = ExitStack()
        self._port = free_port()
        self.base_url = f"http://127.0.0.1:{self._port}/fhir"

    @property
    def log(self) -> Path:
        """The file that holds what the server printed."""
        return self._folder / "ehr.log"

    def __enter__(self) -> "EhrServer":
        self._folder.mkdir(parents=True, exist_ok=True)
        settings = self._folder / "settings.yaml"
        settings.write_text(yaml.safe_dump(self._settings()), "utf-8")
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

    def _settings(self) -> JSON:
        """Keys of sekmet's ``settings.yaml``: no validation, no simulated workflows, no bodies in its traffic log."""
        return {
            "base_url": self.base_url,
            "host": "127.0.0.1",
            "port": self._port,
            "data_dir": str(self._folder),
            "db_path": str(self._database),
            "facility_name": "Careplane sandbox (synthetic)",
            "server_auth": {"types": ["none"]},
            "validation": {"inbound": "off"},
            "simulator": {"enabled": False},
            "log_inbound": False,
            "max_body_log": 0,
        } | self._options

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


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on at this moment."""
    with socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
