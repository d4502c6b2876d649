"""kill -9 of a whole server at any moment: what was acknowledged is neither lost nor run twice."""

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from careplane.codecs.hl7v2 import block, read_answer
from careplane.server.platform import open_platform
from careplane.settings import read_settings
from careplane.store import open_store
from careplane.store.hl7v2_inbox import open_inbox
from careplane.workflow import find_runs

from .senders import discharge, receive
from .test_mllp import free_port, promote

MESSAGES = 12
SRC = Path(__file__).resolve().parents[3] / "src"
START_SECONDS = 60.0


@contextmanager
def serving(home: Path, port: int) -> Iterator["subprocess.Popen[bytes]"]:
    """``careplane serve`` in a process of its own, once its MLLP port answers."""
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith("CAREPLANE_")},
        "PYTHONPATH": str(SRC),
        "CAREPLANE_MLLP_PORT": str(port),
        "CAREPLANE_TIMEZONE": "America/Chicago",
        "CAREPLANE_HL7V2_STAFF_AUTHORITY": "NORTH",
    }
    command = [sys.executable, "-m", "careplane", "serve", "--home", str(home), "--port", "0"]
    with subprocess.Popen(command, env=environment, cwd=home, stderr=subprocess.DEVNULL) as server:
        try:
            end = time.monotonic() + START_SECONDS
            while not _listens(port):
                assert server.poll() is None
                assert time.monotonic() < end
                time.sleep(0.1)
            yield server
        finally:
            server.send_signal(signal.SIGKILL)
            server.wait(20)


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def _deliver(port: int, wanted: list[str], acknowledged: list[str], stop_after: int) -> None:
    """Send each message until it is acknowledged, as a sender does; in pairs, so that some wait for their answer."""
    with suppress(OSError, AssertionError), socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        for first in range(0, len(wanted), 2):
            pair = wanted[first : first + 2]
            for control in pair:
                connection.sendall(block(discharge(control, number=control, attending="p1^Okafor")))
            if len(acknowledged) >= stop_after:
                return  # killed between the write and the answer
            for text in receive(connection, len(pair)):
                answer = read_answer(text.encode())
                assert answer.code == "AA"
                acknowledged.append(answer.control)


@pytest.mark.slow
def test_what_was_acknowledged_runs_once_however_often_the_server_is_killed(home: Path) -> None:
    chance = random.Random(20)
    platform = open_platform(read_settings({}, home=str(home), timezone="America/Chicago"), synthetic=True)
    promote(platform, "discharge_summary")
    platform.close()
    port, acknowledged = free_port(), list[str]()
    every = [f"m{number}" for number in range(MESSAGES)]
    for stop in (4, 8):
        with serving(home, port):
            _deliver(port, [one for one in every if one not in acknowledged], acknowledged, stop)
            time.sleep(chance.uniform(0, 0.4))
    with serving(home, port):
        _deliver(port, [one for one in every if one not in acknowledged], acknowledged, MESSAGES + 1)
        assert set(acknowledged) == set(every)
        inbox, store = open_inbox(home), open_store(f"sqlite:///{home / 'careplane.db'}")
        end = time.monotonic() + 60
        while len(runs := find_runs(store, limit=None)) < MESSAGES or inbox.counts() != {"done": MESSAGES}:
            assert time.monotonic() < end, (len(runs), inbox.counts())
            time.sleep(0.2)
        entries = inbox.newest(limit=100)
        inbox.close()
        store.close()
    assert Counter(entry.control for entry in entries) == Counter(every)
    assert Counter(run.event.id for run in runs) == Counter(f"hl7v2:{entry.name}" for entry in entries)
    assert {run.status for run in runs} == {"draft"}
