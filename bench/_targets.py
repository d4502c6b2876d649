"""What the gateway benchmarks put under load: nginx, other people's gateways, and Careplane's own.

A target is a command that listens on a port, with what its callers have to send. Each maker writes the configuration as
the project's own documents advise for production: one worker, no request log, no database. None of the peers checks a
key, keeps a record or protects anything here.
"""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from _load import Asked
from _peers import LITELLM, MLFLOW, PORTKEY, NotInstalled, peer, program

TARGET_CORE = "0"
CHAT = "/v1/chat/completions"
UPSTREAM = ("uvloop==0.23.0",)
START_S = 120
LITELLM_KEY = "sk-bench-0f6e1c5d9a7b4e2f8c3d"  # it refuses to start without one; this server listens on loopback only


@dataclass(frozen=True)
class Target:
    """How to start one, and what to send it; a slow one is asked ``longer`` times as long, so that the replies that the
    end of the load cuts off weigh little. ``note`` says what it does for a request."""

    name: str
    command: tuple[str, ...]
    port: int
    env: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    path: str = CHAT
    extra: Mapping[str, Any] = field(default_factory=dict)
    longer: int = 1
    note: str = ""

    def asked(self, body: Mapping[str, Any]) -> Asked:
        """This body as this target wants it."""
        headers = {"content-type": "application/json", **self.headers}
        return Asked(f"http://127.0.0.1:{self.port}{self.path}", headers, json.dumps({**body, **self.extra}).encode())


Maker = Callable[[Path, int], Target]
"""Makes a target from a folder for its files and the port of the upstream; raises NotInstalled."""


def free_port() -> int:
    """A port of loopback that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(target: Target, folder: Path, core: str = TARGET_CORE) -> Iterator[subprocess.Popen[bytes]]:
    """The target, started on one core and listening; ended with all its children afterwards."""
    process = start(target, folder, core)
    try:
        yield process
    finally:
        end(process)


def start(target: Target, folder: Path, core: str = TARGET_CORE) -> subprocess.Popen[bytes]:
    """Start a target in a process group of its own and wait until it listens; its output goes to ``<name>.log``."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{target.name}.log").open("ab") as log:
        process = subprocess.Popen(
            ["taskset", "-c", core, *target.command],
            env={**os.environ, **target.env},
            cwd=folder,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    with ExitStack() as undo:
        undo.callback(end, process)
        if _listens(target, process):
            undo.pop_all()
            return process
    said = (folder / f"{target.name}.log").read_text(encoding="utf-8", errors="replace").strip().splitlines()
    raise NotInstalled(f"{target.name} did not start: {said[-1] if said else 'it said nothing'}")


def _listens(target: Target, process: subprocess.Popen[bytes]) -> bool:
    """Wait until it takes connections; False when it ended or takes too long."""
    until = time.monotonic() + START_S
    while time.monotonic() < until and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", target.port), 1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return True
    return False


def end(process: subprocess.Popen[bytes], sent: signal.Signals = signal.SIGTERM) -> None:
    """End a process group; kill what is left after ten seconds."""
    for one in (sent, signal.SIGKILL):
        try:
            os.killpg(process.pid, one)
            process.wait(10)
        except ProcessLookupError:
            break
        except subprocess.TimeoutExpired:
            continue


def _nginx_conf(folder: Path, name: str, http: str) -> tuple[str, ...]:
    temp = "".join(
        f"{kind}_temp_path {folder}/{name}-{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.conf"
    path.write_text(
        f"daemon off; pid {folder}/{name}.pid; error_log {folder}/{name}.err; worker_processes 1;\n"
        f"events {{ worker_connections 4096; }}\n"
        f"http {{ access_log off; keepalive_requests 100000000; keepalive_timeout 600s; {temp}\n{http} }}\n",
        encoding="utf-8",
    )
    return (program("nginx"), "-p", str(folder), "-c", str(path))


def static_upstream(folder: Path, port: int, reply: bytes) -> Target:
    """A provider that gives the same reply at once: nginx itself, so that it is not what is measured."""
    said = reply.decode().replace("'", "\\'")
    answer = "location = /status { stub_status; } "
    answer += f"location / {{ default_type application/json; return 200 '{said}'; }}"
    http = f"server {{ listen 127.0.0.1:{port} backlog=2048; {answer} }}"
    return Target("upstream", _nginx_conf(folder, "upstream", http), port)


def live_upstream(port: int, *options: str) -> Target:
    """A provider that waits, streams or echoes: ``_upstream.py`` with these options, in an environment with uvloop."""
    script = Path(__file__).with_name("_upstream.py")
    python = peer("upstream", UPSTREAM) / "bin" / "python"
    return Target("upstream", (str(python), str(script), "--port", str(port), *options), port)


def nginx_streaming(folder: Path, upstream: int) -> Target:
    """The same, that passes each event on as it comes."""
    return nginx(folder, upstream, "proxy_buffering off;")


def nginx(folder: Path, upstream: int, options: str = "") -> Target:
    """A bare reverse proxy: the limit of what any gateway can reach."""
    port = free_port()
    http = (
        f"client_body_buffer_size 64k; upstream up {{ server 127.0.0.1:{upstream}; keepalive 512; "
        f"keepalive_requests 100000000; }}\n"
        f"server {{ listen 127.0.0.1:{port} backlog=2048; location / {{ proxy_pass http://up; proxy_http_version 1.1; "
        f'{options} proxy_set_header Connection ""; }} }}'
    )
    return Target("nginx", _nginx_conf(folder, "nginx", http), port, note="proxies bytes, nothing else")


def litellm(folder: Path, upstream: int) -> Target:
    """LiteLLM's proxy with one model behind it."""
    home = peer("litellm", LITELLM)
    port = free_port()
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "litellm.yaml"
    config.write_text(
        "model_list:\n- model_name: mock\n  litellm_params:\n    model: openai/mock\n"
        f"    api_base: http://127.0.0.1:{upstream}/v1\n    api_key: sk-mock\n"
        "litellm_settings:\n  telemetry: false\n  num_retries: 0\n  set_verbose: false\n"
        f"general_settings:\n  master_key: {LITELLM_KEY}\n",
        encoding="utf-8",
    )
    env = {"LITELLM_LOG": "ERROR", "LITELLM_MODE": "PRODUCTION", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    env |= {"NO_DOCS": "True"}
    headers = {"authorization": f"Bearer {LITELLM_KEY}"}
    command = (str(home / "bin" / "litellm"), "--config", str(config), "--host", "127.0.0.1", "--port", str(port))
    return Target(
        "litellm", (*command, "--num_workers", "1"), port, env, headers, longer=3, note="one master key, no record"
    )


def portkey(_folder: Path, upstream: int) -> Target:
    """Portkey's gateway, told of the upstream by the headers of each request."""
    home = peer("portkey", PORTKEY)
    port = free_port()
    script = home / "node_modules" / "@portkey-ai" / "gateway" / "build" / "start-server.js"
    headers = {"x-portkey-provider": "openai", "x-portkey-custom-host": f"http://127.0.0.1:{upstream}/v1"}
    command = (program("node"), str(script), f"--port={port}", "--headless")
    env = {"NODE_ENV": "production", "TRUSTED_CUSTOM_HOSTS": "127.0.0.1,localhost"}
    sent = {**headers, "authorization": "Bearer sk-mock"}
    return Target("portkey", command, port, env, sent, longer=2, note="no key, no record")


def mlflow(folder: Path, upstream: int) -> Target:
    """MLflow's AI gateway with one endpoint."""
    home = peer("mlflow", MLFLOW)
    port = free_port()
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "mlflow.yaml"
    config.write_text(
        "endpoints:\n- name: mock\n  endpoint_type: llm/v1/chat\n  model:\n    provider: openai\n    name: mock\n"
        f"    config:\n      openai_api_base: http://127.0.0.1:{upstream}/v1\n      openai_api_key: sk-mock\n",
        encoding="utf-8",
    )
    bind = ("--host", "127.0.0.1", "--port", str(port), "--workers", "1")
    command = (str(home / "bin" / "mlflow"), "gateway", "start", "--config-path", str(config), *bind)
    env = {"PATH": f"{home / 'bin'}:{os.environ.get('PATH', '')}", "MLFLOW_DISABLE_TELEMETRY": "true"}
    return Target("mlflow", command, port, env, longer=2, note="no key, no record")
