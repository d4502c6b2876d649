"""The measured parts of the gateway benchmark: each asks its targets in turn, round by round."""

import asyncio
import os
import re
import tempfile
import time
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import _bodies
import _proc
import _upstream
from _load import Load, median, percentile, streams, wrk
from _peers import NotInstalled
from _targets import Maker, Target, end, free_port, live_upstream, running, start, static_upstream

CONNECTIONS = (1, 32, 128)
DELAY_MS = 50
STREAMS = 128
CHUNKS = 50
INTERVAL_MS = 20
MILLION_S = 180
UPSTREAM_CORE = "1" if (os.cpu_count() or 1) > 1 else "0"
Sample = dict[str, float]


@dataclass
class Measured:
    """Samples of each target by setting, one a round; and the targets that could not be run, with the reason."""

    samples: dict[str, dict[str, list[Sample]]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)

    def add(self, target: str, setting: str, sample: Sample) -> None:
        """Keep one sample."""
        self.samples.setdefault(target, {}).setdefault(setting, []).append(sample)

    def median(self, target: str, setting: str, what: str) -> float | None:
        """The median over the rounds; None when there is no sample."""
        found = [sample[what] for sample in self.samples.get(target, {}).get(setting, ())]
        return median(found) if found else None

    def against(self, target: str, beside: str, setting: str, what: str) -> float | None:
        """The median of the ratios of each round to that of another target in the same round."""
        pairs = self._pairs(target, beside, setting, what)
        return median([one / other for one, other in pairs if other]) if pairs else None

    def beyond(self, target: str, beside: str, setting: str, what: str) -> float | None:
        """The median of the differences of each round to another target in the same round."""
        pairs = self._pairs(target, beside, setting, what)
        return median([one - other for one, other in pairs]) if pairs else None

    def _pairs(self, target: str, beside: str, setting: str, what: str) -> list[tuple[float, float]]:
        """Both values of each round; none at all where our own target answered something wrong."""
        ones, others = (self.samples.get(name, {}).get(setting, []) for name in (target, beside))
        if any(one.get("errors") for one in ones):
            return []
        return [(one[what], other[what]) for one, other in zip(ones, others, strict=False)]

    def wrong(self) -> dict[str, int]:
        """How many errors each target gave, those with any."""
        counts = {
            target: round(sum(sample.get("errors", 0) for found in settings.values() for sample in found))
            for target, settings in self.samples.items()
        }
        return {target: count for target, count in counts.items() if count}

    def medians(self) -> dict[str, dict[str, dict[str, float]]]:
        """Every median, for the record."""
        return {
            target: {
                setting: {what: round(median([sample[what] for sample in found]), 3) for what in found[0]}
                for setting, found in settings.items()
            }
            for target, settings in self.samples.items()
        }


def throughput(
    makers: Mapping[str, Maker], bodies: Mapping[str, Any], folder: Path, rounds: int, seconds: float
) -> Measured:
    """Whole replies from an upstream that answers at once, at 1, 32 and 128 connections; memory after the last round.

    All targets are started first and idle while another is asked. ``bodies`` gives the body of each target.
    """
    found = Measured()
    port = free_port()
    upstream = static_upstream(folder, port, _upstream.completion(_upstream.reply_text()))
    with ExitStack() as stack:
        stack.enter_context(running(upstream, folder, UPSTREAM_CORE))
        started = start_all(stack, makers, port, folder, found)
        for number in range(rounds):
            for name, (target, pid) in started.items():
                for connections in CONNECTIONS:
                    sample = _whole(target, pid, port, bodies[name], connections, seconds)
                    found.add(name, str(connections), sample)
            found.add("disk", "fdatasync", {"p50_ms": fdatasync_ms(folder)})
            _tell(f"round {number + 1} of {rounds}")
        for name, (_, pid) in started.items():
            found.add(name, "memory", {"mb": _proc.resident_mb(pid), "descriptors": _proc.descriptors(pid)})
    return found


def start_all(
    stack: ExitStack, makers: Mapping[str, Maker], port: int, folder: Path, found: Measured
) -> dict[str, tuple[Target, int]]:
    """Start each target and warm it up for a second; those that cannot be had are noted with the reason."""
    started = {}
    for name, make in makers.items():
        began = time.monotonic()
        try:
            target = make(folder / name, port)
            process = start(target, folder / name)
        except NotInstalled as reason:
            found.missing[name] = str(reason)
            _tell(f"{name}: not installed: {reason}")
            continue
        stack.callback(end, process)
        started[name] = (target, process.pid)
        _tell(f"{name} listens after {time.monotonic() - began:.1f} s")
    return started


def delayed(
    makers: Mapping[str, Maker], body: Mapping[str, Any], folder: Path, rounds: int, seconds: float
) -> Measured:
    """An upstream that takes 50 ms, at 128 connections: what a gateway adds when it mostly waits."""
    found = Measured()
    port = free_port()
    with ExitStack() as stack:
        upstream = live_upstream(port, "--delay-ms", str(DELAY_MS))
        stack.enter_context(running(upstream, folder, UPSTREAM_CORE))
        started = start_all(stack, makers, port, folder, found)
        for _ in range(rounds):
            for name, (target, pid) in started.items():
                found.add(name, "128", _whole(target, pid, port, body, 128, seconds))
    return found


def streamed(makers: Mapping[str, Maker], folder: Path, rounds: int, seconds: float) -> Measured:
    """128 streams of 50 events, the first after 50 ms, then each 20 ms: processor time of one, time to the first."""
    found = Measured()
    port = free_port()
    options = ("--delay-ms", str(DELAY_MS), "--chunks", str(CHUNKS), "--interval-ms", str(INTERVAL_MS))
    body = _bodies.chat(stream=True)
    with ExitStack() as stack:
        stack.enter_context(running(live_upstream(port, *options), folder, UPSTREAM_CORE))
        started = start_all(stack, makers, port, folder, found)
        for _ in range(rounds):
            for name, (target, pid) in started.items():
                busy = _proc.processor_s(pid)
                seen = asyncio.run(streams(target.asked(body), STREAMS, seconds))
                spent = _proc.processor_s(pid) - busy
                sample = {
                    "cpu_us_per_chunk": 1e6 * spent / max(1, seen.chunks),
                    "first_p50_ms": percentile(seen.first_ms, 50),
                    "first_p99_ms": percentile(seen.first_ms, 99),
                    "chunks": seen.chunks,
                    "errors": seen.failed,
                }
                found.add(name, str(STREAMS), sample)
            found.add("disk", "fdatasync", {"p50_ms": fdatasync_ms(folder)})
    return found


def million(name: str, make: Maker, body: Mapping[str, Any], folder: Path, requests: int) -> Measured:
    """Memory of one target after a twentieth of so many requests and after all, or as many as come in MILLION_S."""
    found = Measured()
    port = free_port()
    upstream = static_upstream(folder, port, _upstream.completion(_upstream.reply_text()))
    with ExitStack() as stack:
        stack.enter_context(running(upstream, folder, UPSTREAM_CORE))
        for target, pid in start_all(stack, {name: make}, port, folder, found).values():
            asked, errors = 0, 0
            early = 0.0
            began = time.monotonic()
            while asked < requests and time.monotonic() - began < MILLION_S:
                load = wrk(target.asked(body), 64, 5)
                asked, errors = asked + load.requests, errors + load.errors
                share = max(asked / requests, (time.monotonic() - began) / MILLION_S)
                early = early or (_proc.resident_mb(pid) if share >= 1 / 20 else 0.0)
                if not load.requests:
                    break
            late = _proc.resident_mb(pid)
            grown = 100 * (late / early - 1) if early else 0.0
            sample = {"requests": asked, "errors": errors, "early_mb": early, "late_mb": late, "growth_percent": grown}
            found.add(name, "million", sample)
    return found


def fdatasync_ms(folder: Path, count: int = 100, size: int = 600) -> float:
    """Median time of an append with ``fdatasync`` on the disk of a folder: what a lone durable reply must pay."""
    times = []
    with tempfile.NamedTemporaryFile(dir=folder, buffering=0) as file:
        for _ in range(count):
            began = time.perf_counter()
            file.write(b"x" * size)
            os.fdatasync(file.fileno())
            times.append(1000 * (time.perf_counter() - began))
    return median(times)


def _whole(
    target: Target, pid: int, upstream: int, body: Mapping[str, Any], connections: int, seconds: float
) -> Sample:
    """One run of wrk. A request costs what was spent until the target rests, by the requests the upstream got.

    When the load ends, replies under way are cut off and wrk does not count them, though they cost.
    """
    busy, before = _proc.processor_s(pid), _came(upstream)
    load: Load = wrk(target.asked(body), connections, target.longer * seconds)
    _rest(pid)
    spent = _proc.processor_s(pid) - busy
    requests = max(load.requests, _came(upstream) - before - 1)
    return {
        "rps": load.rps,
        "p50_ms": load.p50_ms,
        "p99_ms": load.p99_ms,
        "cpu_us": 1e6 * spent / max(1, requests),
        "errors": load.errors or int(not load.requests),
    }


def _came(port: int) -> int:
    """How many requests an upstream has got, this one among them where nginx counts."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/status", timeout=10) as told:
        return int(re.findall(rb"\n (\d+) (\d+) (\d+)", told.read())[0][2])


def _rest(pid: int, most: float = 5.0) -> None:
    """Wait until a process does next to nothing, so that the next target has the core to itself."""
    until = time.monotonic() + most
    used = _proc.processor_s(pid)
    while time.monotonic() < until:
        time.sleep(0.1)
        before, used = used, _proc.processor_s(pid)
        if used - before <= 0.01:
            return


def _tell(what: str) -> None:
    print(what, flush=True)


def targets_of(found: Sequence[Measured]) -> dict[str, str]:
    """Every target that could not be run, with the reason."""
    return {name: why for measured in found for name, why in measured.missing.items()}
