"""MLLP peers of Node: clients of our listener, and servers for our sender."""

import asyncio
import fcntl
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from careplane.connectors import hl7v2_mllp

from .senders import discharge, listening

FOLDER = Path(__file__).parent / "npm"


@pytest.fixture(scope="session")
def node() -> str:
    """Node.js with the peers installed, as the lock file says."""
    found, npm = shutil.which("node"), shutil.which("npm")
    if found is None or npm is None:
        pytest.skip("needs Node.js with npm (Debian: nodejs npm)")
    with (FOLDER / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (FOLDER / "node_modules" / "simple-hl7").is_dir():
            done = subprocess.run([npm, "ci", "--no-progress"], cwd=FOLDER, capture_output=True, text=True, timeout=240)
            if done.returncode != 0 and os.environ.get("CI") != "true":
                pytest.skip("npm could not install the peers")
            assert done.returncode == 0, done.stderr
    return found


@pytest.mark.slow
def test_clients_of_node_are_answered(home: Path, node: str) -> None:
    with listening(home) as line:
        done = subprocess.run(
            [node, "drive.mjs", "send", str(line.port)], cwd=FOLDER, capture_output=True, text=True, timeout=90
        )
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout) == {
            "simple": [["AA", "simple-1"], ["AA", "simple-2"]],
            "medplum": [["AA", "medplum-1"], ["AA", "medplum-2"], ["AA", "medplum-3"]],
            "client": [["AA", "client-1"], ["AA", "client-2"]],
        }
        kept = line.inbox.newest()
        assert {entry.state for entry in kept} == {"received"}
        assert len(kept) == 7
        assert all("Müller^Zoë".encode() in line.inbox.content(entry.id)[0] for entry in kept)


@pytest.mark.slow
def test_servers_of_node_answer_our_sender(node: str) -> None:
    command = [node, "drive.mjs", "listen"]
    with subprocess.Popen(command, cwd=FOLDER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as servers:
        assert servers.stdin is not None
        assert servers.stdout is not None
        ports = json.loads(servers.stdout.readline())
        for name, port in ports.items():
            assert asyncio.run(_sent(port)) == [("AA", "1"), ("AA", "2")], name
        servers.stdin.close()
        servers.wait(10)


async def _sent(port: int) -> list[tuple[str, str]]:
    sender = hl7v2_mllp.open({"host": "127.0.0.1", "port": str(port), "timeout_seconds": "10"})
    try:
        answers = [await sender.send(discharge(control)) for control in ("1", "2")]
    finally:
        await sender.aclose()
    return [(answer.code, answer.control) for answer in answers if answer is not None]
