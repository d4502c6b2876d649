"""``careplane gateway`` as a process of its own: its address, its key, its stop, and files that do not hold."""

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from careplane.cli import careplane

CAREPLANE = Path(sys.executable).with_name("careplane")
GOOD = """
home = "{home}"
[providers.main]
kind = "scripted"
[apps.load_test]
phi = "deidentified"
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "gateway.toml"
    path.write_text(text.format(home=folder / "home"), encoding="utf-8")
    return path


@contextmanager
def running(config: Path) -> Iterator[tuple[subprocess.Popen[str], str, str]]:
    command: list[str | Path] = [CAREPLANE, "gateway", "--config", config, "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        told = json.loads(process.stdout.readline())
        yield process, told["address"], told["keys"].get("load_test", "")
    finally:
        process.kill()
        process.communicate()


def test_it_serves_and_ends_when_it_is_told(tmp_path: Path) -> None:
    with running(written(tmp_path, GOOD)) as (process, address, key):
        body = {"model": "default", "messages": [{"role": "user", "content": "Call Dr. Abernathy"}]}
        headers = {"Authorization": f"Bearer {key}"}
        reply = httpx.post(f"{address}/v1/chat/completions", json=body, headers=headers, timeout=30)
        assert "Abernathy" in reply.json()["choices"][0]["message"]["content"]
        assert httpx.get(f"{address}/health").json() == {"status": "ok"}
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    verified = CliRunner().invoke(careplane, ["ledger", "verify", "--home", str(tmp_path / "home"), "--json"])
    assert json.loads(verified.output)["verified"] is True


class Endless(BaseHTTPRequestHandler):
    """A model that never ends its stream."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        with suppress(OSError):
            while True:
                self.wfile.write(b'data: {"choices":[{"index":0,"delta":{"content":"word "}}]}\n\n')
                time.sleep(0.1)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def endless() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Endless)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f'"openai_compatible"\nbase_url = "http://127.0.0.1:{server.server_address[1]}/v1"\nmodel = "m"'
    server.shutdown()
    server.server_close()


@pytest.mark.slow
def test_a_stream_that_the_end_cuts_is_on_record(tmp_path: Path) -> None:
    """A process that is told to end waits for streams, then cuts them, and each leaves its record."""
    with endless() as url, running(written(tmp_path, GOOD.replace('"scripted"', url))) as (process, address, key):
        body = {"model": "default", "stream": True, "messages": [{"role": "user", "content": "hello"}]}
        headers = {"Authorization": f"Bearer {key}"}
        with httpx.stream("POST", f"{address}/v1/chat/completions", json=body, headers=headers, timeout=60) as reply:
            pieces = reply.iter_lines()
            next(pieces)
            process.send_signal(signal.SIGTERM)
            with pytest.raises(httpx.RemoteProtocolError):
                list(pieces)
        assert process.wait(30) == 0
    shown = CliRunner().invoke(careplane, ["ledger", "show", "--home", str(tmp_path / "home"), "--json"])
    records = [json.loads(line) for line in shown.output.splitlines()]
    assert [record["kind"] for record in records] == ["model_stream_started", "model_call"]
    assert records[-1]["facts"]["finish"] == "aborted"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x = [", "is not TOML"),
        ("colour = 1", "colour"),
        ('[providers.a]\nbase_url = "x"', "providers.a.kind"),
        ('[providers.a]\nkind = "scripted"\n[[routes]]\nalias = "d"\ntargets = [{{ provider = "b" }}]', "'b'"),
        ('[providers.a]\nkind = "nothing_of_ours"', "nothing_of_ours"),
        ('[providers.a]\nkind = "scripted"\napi_key_env = "CAREPLANE_NO_SUCH"', "CAREPLANE_NO_SUCH"),
        ('[providers.a]\nkind = "scripted"\n[limits.anybody]\nconcurrent = 1', "limits"),
        ('[providers.a]\nkind = "scripted"\n[apps.x]\nphi = "all"', "phi"),
        ('price_file = "no-such.toml"\n[providers.a]\nkind = "scripted"', "no-such.toml"),
    ],
)
def test_a_file_that_does_not_hold_is_refused_by_name(tmp_path: Path, text: str, says: str) -> None:
    config = written(tmp_path, 'home = "{home}"\n' + text if not text.startswith("x") else text)
    done = subprocess.run([CAREPLANE, "gateway", "--config", config], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
