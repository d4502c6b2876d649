"""kill -9 under load, again and again on one folder: every record that was acknowledged is there, the chain holds."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from careplane.ledger import open_ledger, verify
from careplane.ledger.anchoring import anchor

AT = datetime(2026, 1, 1, tzinfo=UTC)
WRITER = Path(__file__).parent / "writer_to_kill.py"
Seen = list[tuple[str, int, int]]


def _killed(home: Path, number: int, after: float, writers: int) -> Seen:
    """What writers acknowledged until they were killed: run, number within it, sequence number."""
    running = [
        subprocess.Popen([sys.executable, str(WRITER), str(home), f"{number}.{n}"], stdout=subprocess.PIPE)
        for n in range(writers)
    ]
    seen: Seen = []
    for writer in running:
        assert writer.stdout is not None
        seen += _acknowledged(writer.stdout.readline())  # it has begun
    readers = [threading.Thread(target=_drain, args=(writer, seen)) for writer in running]
    for reader in readers:
        reader.start()
    time.sleep(after)
    for writer in running:
        os.kill(writer.pid, signal.SIGKILL)
    for reader in readers:
        reader.join()
    return seen


def _drain(writer: "subprocess.Popen[bytes]", seen: Seen) -> None:
    assert writer.stdout is not None
    with writer.stdout as pipe:
        for line in pipe:
            seen.extend(_acknowledged(line))
    writer.wait()


def _acknowledged(line: bytes) -> Iterator[tuple[str, int, int]]:
    if line.endswith(b"\n"):
        name, who, number, seq = line.decode().split()
        yield f"{name}-{who}", int(number), int(seq)


@pytest.mark.slow
@pytest.mark.parametrize("writers", [1, 2])
def test_no_acknowledged_record_is_lost(home: Path, writers: int) -> None:
    chance = random.Random(writers)
    acknowledged: dict[int, tuple[str, int]] = {}
    heads = []
    for number in range(20):
        for run, place, seq in _killed(home, number, chance.uniform(0, 0.4), writers):
            assert seq not in acknowledged
            acknowledged[seq] = (run, place)
        verify(home / "ledger")
        heads.append(anchor(open_ledger(home / "ledger"), AT))
    ledger = open_ledger(home / "ledger")
    written: dict[int, tuple[str, int]] = {}
    runs: dict[str, int] = {}
    for record in ledger.records(kind="test.written"):
        place = int(str(record.facts["n"]))
        assert place == runs.get(str(record.run), -1) + 1, "the records of a caller stand in order, each once"
        runs[str(record.run)] = place
        written[record.seq] = (str(record.run), place)
    assert len(acknowledged) > 200
    assert acknowledged.items() <= written.items()
    assert verify(ledger.folder, heads).seq == ledger.head.seq
