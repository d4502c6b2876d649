"""HL7 v2 over MLLP from four connections: durable intake, beside the asyncio server of ``hl7`` without durability.

Run ``python bench/mllp.py``, or ``python bench/mllp.py 1`` for seconds per measurement. Each target is a process of its
own; one sender process has four connections and waits for each answer (``window_1``, as interface engines do) or has
eight messages under way on each (``window_8``). Targets take turns in every round; a ratio is taken within a round. The
messages are synthetic admissions of 2 kB, each with a control id of its own, so that none is a repeat.

``careplane`` keeps every message, raw and parsed, sealed, and synced before it answers. ``careplane_working`` maps
them to FHIR at the same time. ``hl7`` parses and answers, and keeps nothing. All run on uvloop. Files are under
``bench/results``, so that the disk is a disk.
"""

import asyncio
import gc
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import uvloop

from _machine import RESULTS, record
from _proc import processor_s
from careplane.server.data_plane import GARBAGE

CONNECTIONS = 4
WINDOWS = (1, 8)
ROUNDS = 3
SECONDS = 3.0
TARGETS = ("careplane", "careplane_working", "hl7")

VISIT = "PV1|1|I|WARD-A^12^1^NORTH|R||WARD-B^3^2^NORTH|1001^Okafor^Ada^B^^Dr^MD^^NPI|1002^Quill^Sam|||MED||||1|||1001"
NOTE = "OBX|{}|TX|NOTE^Note^L||" + "Synthetic text of a note that stands in a message. " * 4 + "||||||F"
BODY = "\r".join(
    (
        "EVN|A01|20260101081500|||U1^Clerk^One",
        "PID|1||77^^^NORTH^MR~9^^^&1.2.3&ISO^PI||Testcase^Ana^M^^^^L||19610402|F|||12 Elm St^^Mesa^AZ^85201||5550188",
        VISIT + "|" * 2 + "V900^^^NORTH^VN" + "|" * 25 + "20260101080000",
        "AL1|1|DA|70618^Penicillin^RXNORM|SV|Hives",
        "DG1|1||I10^Essential hypertension^I10C|||A",
        *(NOTE.format(number) for number in range(1, 6)),
        "",
    )
)


def main() -> None:
    """Measure and record."""
    RESULTS.mkdir(exist_ok=True)
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS
    with tempfile.TemporaryDirectory(dir=RESULTS) as folder:
        results: dict[str, Any] = {
            "message_bytes": len(message("0")),
            "connections": CONNECTIONS,
            "bare_fdatasync_per_s": bare(Path(folder) / "bare"),
            "load_average_before": os.getloadavg()[0],
        }
        found = [measured(Path(folder), target, seconds) for _ in range(ROUNDS) for target in TARGETS]
        for target in TARGETS:
            mine = [one for name, one in found if name == target]
            results |= {f"{target}_{key}": statistics.median(one[key] for one in mine) for key in mine[0]}
        for key in (f"window_{window}_per_s" for window in WINDOWS):
            pairs = [[one[key] for name, one in found if name == target] for target in ("careplane", "hl7")]
            results[f"{key}_to_hl7"] = round(statistics.median(a / b for a, b in zip(*pairs, strict=True)), 2)
    record("mllp", results)


def message(control: str) -> bytes:
    """A synthetic admission."""
    return f"MSH|^~\\&|ADT|NORTH|CARE|HUB|20260101120000||ADT^A01^ADT_A01|{control}|P|2.5.1\r{BODY}".encode()


def bare(path: Path) -> int:
    """Append 2 kB and sync, for a second."""
    done, end = 0, time.perf_counter() + 1
    with path.open("wb", buffering=0) as file:
        while time.perf_counter() < end:
            file.write(b"x" * 2048)
            os.fdatasync(file.fileno())
            done += 1
    return done


def measured(folder: Path, target: str, seconds: float) -> tuple[str, dict[str, float]]:
    """Messages a second, waits, and processor time, of one target."""
    home = Path(tempfile.mkdtemp(dir=folder))
    found: dict[str, float] = {}
    with served(target, home) as (pid, port):
        asyncio.run(load(port, 1, 0.5))
        for window in WINDOWS:
            before, start = processor_s(pid), time.perf_counter()
            waits = sorted(asyncio.run(load(port, window, seconds)))
            wall = time.perf_counter() - start
            found[f"window_{window}_per_s"] = round(len(waits) / wall)
            found[f"window_{window}_p50_ms"] = round(waits[len(waits) // 2] * 1e3, 2)
            found[f"window_{window}_p99_ms"] = round(waits[len(waits) * 99 // 100] * 1e3, 2)
            found[f"window_{window}_cpu_us"] = round((processor_s(pid) - before) / len(waits) * 1e6)
    return target, found


@contextmanager
def served(target: str, home: Path) -> Iterator[tuple[int, int]]:
    """A target in a process of its own: its id and port."""
    command = [sys.executable, __file__, "serve", target, str(home)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield server.pid, int(server.stdout.readline())
        finally:
            server.kill()


_controls = count(time.time_ns())


async def load(port: int, window: int, seconds: float) -> list[float]:
    """Four senders, and how long each of their messages waited for its answer."""
    waits: list[float] = []
    end = time.perf_counter() + seconds
    await asyncio.gather(*(_sender(port, window, end, waits) for _ in range(CONNECTIONS)))
    return waits


async def _sender(port: int, window: int, end: float, waits: list[float]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    sent: list[float] = []
    while sent or time.perf_counter() < end:
        while len(sent) < window and time.perf_counter() < end:
            writer.write(b"\x0b" + message(f"b{next(_controls)}") + b"\x1c\r")
            sent.append(time.perf_counter())
        answer = await reader.readuntil(b"\x1c\r")
        assert b"MSA|AA|" in answer, answer
        waits.append(time.perf_counter() - sent.pop(0))
    writer.close()
    await writer.wait_closed()


async def serve_careplane(home: Path, *, working: bool) -> None:
    """Our listener, with the worker behind it or without."""
    from careplane.codecs.hl7v2.charsets import DEFAULT
    from careplane.codecs.hl7v2.fhir import Site
    from careplane.connectors import fhir_files
    from careplane.connectors.hl7v2_mllp import Listener
    from careplane.server.binding import bind
    from careplane.server.hl7v2_events import Means, MessageWorker
    from careplane.server.hl7v2_intake import Intake
    from careplane.store.hl7v2_context import Hl7v2Context
    from careplane.store.hl7v2_inbox import open_inbox

    inbox, clock = open_inbox(home), partial(datetime.now, UTC)

    async def submit(_event: object) -> None:
        return None

    ehr = fhir_files.open({"home": str(home)})
    means = Means(inbox, Hl7v2Context(inbox), ehr, tuple, lambda _ref: None, submit, clock, Site(), DEFAULT)
    worker, sock = MessageWorker(means), bind("127.0.0.1", 0)
    await Listener(Intake(inbox, clock, arrived=worker.wake).answer).start(sock)
    print(sock.getsockname()[1], flush=True)
    await (worker.run() if working else asyncio.Event().wait())


async def serve_hl7() -> None:
    """The asyncio server of ``hl7``: it parses, and answers AA."""
    from hl7.mllp import HL7StreamReader, HL7StreamWriter, start_hl7_server

    async def answer(reader: HL7StreamReader, writer: HL7StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                writer.writemessage((await reader.readmessage()).create_ack())
                await writer.drain()

    server = await start_hl7_server(answer, "127.0.0.1", 0, encoding="utf-8")
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        gc.set_threshold(*GARBAGE)
        name, where = sys.argv[2], Path(sys.argv[3])
        uvloop.run(serve_hl7() if name == "hl7" else serve_careplane(where, working=name == "careplane_working"))
    else:
        main()
