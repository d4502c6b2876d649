"""Load on a server over HTTP/1.1: ``wrk`` for whole replies, raw connections for streams and for checked replies.

Everything here runs on the core of the load (``LOAD_CORE``) and targets loopback only.
"""

import asyncio
import math
import os
import random
import re
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

from _peers import program
from _upstream import WORDS

LOAD_CORE = "1" if (os.cpu_count() or 1) > 1 else "0"
EVENT = b'"choices"'  # once in each event of a stream
FIRST_WORD = WORDS.split()[0].encode()
RETRIES = 10
REPLY_S = 60
UNITS_MS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}


@dataclass(frozen=True)
class Asked:
    """A request that is sent over and over: whole address, headers, body."""

    url: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Load:
    """What one run of wrk found; times in milliseconds. ``errors`` counts replies other than 2xx and broken ones."""

    requests: int
    rps: float
    p50_ms: float
    p99_ms: float
    errors: int


@dataclass
class Streams:
    """What one run of streams found; times in milliseconds, ``chunks`` counts events of all streams."""

    first_ms: list[float] = field(default_factory=list)
    chunks: int = 0
    done: int = 0
    failed: int = 0


Bodies = Callable[[], bytes | None]
"""The next body to send; None when there is none."""

Check = Callable[[bytes, "Reply"], None]


def percentile(values: Sequence[float], percent: float) -> float:
    """The nearest-rank percentile of some values; 0 for none."""
    ordered = sorted(values)
    if not ordered:
        return 0.0
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def median(values: Sequence[float]) -> float:
    """The median; 0 for no values."""
    return statistics.median(values) if values else 0.0


def parse_wrk(said: str) -> Load:
    """Read what ``wrk --latency`` prints; percentiles are 0 when no request was answered."""
    found = re.search(r"(\d+) requests in", said)
    if found is None:
        raise ValueError(f"wrk said something else: {said.strip()[:300]}")
    rps = re.search(r"Requests/sec: +([\d.]+)", said)
    errors = sum(int(number) for number in re.findall(r"(?:connect|read|write|timeout) (\d+)", said))
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
    return Load(
        requests=int(found[1]),
        rps=float(rps[1]) if rps else 0.0,
        p50_ms=_latency_ms(said, "50"),
        p99_ms=_latency_ms(said, "99"),
        errors=errors + (int(bad[1]) if bad else 0),
    )


def _latency_ms(said: str, percent: str) -> float:
    found = re.search(rf"^ +{percent}% +([\d.]+)(us|ms|s|m) *$", said, re.MULTILINE)
    return float(found[1]) * UNITS_MS[found[2]] if found else 0.0


def wrk(asked: Asked, connections: int, seconds: float, pause_ms: int = 0) -> Load:
    """Ask as fast as the replies come, or with a pause before each request, over so many connections."""
    with tempfile.TemporaryDirectory() as folder:
        body = Path(folder) / "body"
        body.write_bytes(asked.body)
        script = Path(folder) / "ask.lua"
        headers = "".join(f'wrk.headers["{name}"] = "{value}"\n' for name, value in asked.headers.items())
        pause = f"function delay() return {pause_ms} end\n" if pause_ms else ""
        read = f'local file = io.open("{body}", "rb")\nwrk.body = file:read("*a")\nfile:close()\n'
        script.write_text(f'wrk.method = "POST"\n{headers}{read}{pause}', encoding="utf-8")
        command = ["taskset", "-c", LOAD_CORE, program("wrk"), "-t1", f"-c{connections}", f"-d{round(seconds)}s"]
        command += ["--latency", "--timeout", "30s", "-s", str(script), asked.url]
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 60, check=True)
    return parse_wrk(done.stdout)


def request_bytes(asked: Asked, body: bytes | None = None) -> bytes:
    """The request as it goes over the wire, with another body if one is given."""
    sent = asked.body if body is None else body
    parts = urlsplit(asked.url)
    headers = "".join(f"{name}: {value}\r\n" for name, value in asked.headers.items())
    head = f"POST {parts.path} HTTP/1.1\r\nhost: {parts.netloc}\r\n{headers}content-length: {len(sent)}\r\n\r\n"
    return head.encode() + sent


@dataclass(frozen=True)
class Reply:
    """One reply as it came; ``head`` is its status line and headers."""

    status: int
    head: bytes
    body: bytes


async def read_reply(reader: asyncio.StreamReader) -> Reply:
    """One reply, with a Content-Length or chunked."""
    head = await reader.readuntil(b"\r\n\r\n")
    status = int(head[9:12])
    if b"transfer-encoding: chunked" not in head.lower():
        found = re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)
        return Reply(status, head, await reader.readexactly(int(found[1]) if found else 0))
    body = b""
    while size := int(await reader.readuntil(b"\r\n"), 16):
        body += (await reader.readexactly(size + 2))[:-2]
    await reader.readuntil(b"\r\n")
    return Reply(status, head, body)


async def streams(asked: Asked, count: int, seconds: float) -> Streams:
    """Keep ``count`` streams open for so many seconds, each on a connection of its own that asks again when it ends.

    A stream's time to its first word counts from its request, on an open connection. They start within one second.
    """
    found = Streams()
    stop = time.perf_counter() + seconds
    await asyncio.gather(*(_one_stream(asked, found, stop) for _ in range(count)))
    return found


class _Stream(asyncio.Protocol):
    """One connection of ``streams``: sends the request, counts events as they come, and asks again."""

    def __init__(self, request: bytes, found: Streams, stop: float) -> None:
        self._request = request
        self._found = found
        self._stop = stop
        self._tail = b""
        self._started = 0.0
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._out = cast(asyncio.Transport, transport)
        self._ask()

    def _ask(self) -> None:
        self._first = True
        self._head = True
        self._started = time.perf_counter()
        self._out.write(self._request)

    def data_received(self, data: bytes) -> None:
        if self._head:
            self._head = False
            if b" 200 " not in data[:20] or b"chunked" not in data.lower():
                self._out.close()
                return
        if self._first and FIRST_WORD in data:
            self._first = False
            self._found.first_ms.append(1000 * (time.perf_counter() - self._started))
        seen = self._tail + data
        self._found.chunks += seen.count(EVENT)
        self._tail = seen[-(len(EVENT) - 1) :]
        if data.endswith(b"0\r\n\r\n"):
            self._found.done += 1
            if time.perf_counter() < self._stop:
                self._ask()
            else:
                self.ended.set_result(None)
                self._out.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ended.done():
            self._found.failed += 1
            self.ended.set_result(None)


async def _one_stream(asked: Asked, found: Streams, stop: float) -> None:
    parts = urlsplit(asked.url)
    await asyncio.sleep(random.random())
    loop = asyncio.get_running_loop()
    try:
        _, stream = await loop.create_connection(
            lambda: _Stream(request_bytes(asked), found, stop), parts.hostname or "", parts.port or 80
        )
    except OSError:
        found.failed += 1
        return
    await stream.ended


async def ask_each(asked: Asked, bodies: Bodies, check: Check, connections: int) -> int:
    """Send each body over so many connections, and ``check(body, reply)`` every reply that came whole.

    Returns how many times a connection broke, or a reply took a minute. It is opened again while the server listens,
    ten times at most.
    """
    return sum(await asyncio.gather(*(_asker(asked, bodies, check) for _ in range(connections))))


async def _asker(asked: Asked, bodies: Bodies, check: Check) -> int:
    broken = 0
    while broken < RETRIES:
        try:
            await _ask_on_one(asked, bodies, check)
        except ConnectionRefusedError:
            return broken + 1
        except (OSError, EOFError, ValueError):
            broken += 1
        else:
            break
    return broken


async def _ask_on_one(asked: Asked, bodies: Bodies, check: Check) -> None:
    """Ask over one connection until there is nothing left to ask, or the server closes it after a reply."""
    parts = urlsplit(asked.url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        while (body := bodies()) is not None:
            writer.write(request_bytes(asked, body))
            async with asyncio.timeout(REPLY_S):
                reply = await read_reply(reader)
            check(body, reply)
            if b"\r\nconnection: close" in reply.head.lower():
                writer.close()
                reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    finally:
        writer.close()
