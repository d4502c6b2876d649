"""The gateway under faults: killed, out of disk, asked for what must not cross, and under load for a long time.

Each check returns ``ok``, a line that tells what was seen, and its figures. Every one runs the real server.
"""

import asyncio
import itertools
import json
import random
import re
import shutil
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import _bodies
import _careplane
import _proc
import _upstream
from _load import Reply, ask_each, median, wrk
from _parts import UPSTREAM_CORE
from _targets import Maker, end, free_port, live_upstream, running, start, static_upstream

CONNECTIONS = 32
RESTART_S = 2.0
DISK_MB = 64
CANARY = re.compile(r"CANARY-[0-9a-f]{16}")
DELTA = re.compile(rb"^data: (\{.*\})\r?$", re.MULTILINE)
Found = dict[str, Any]


def crash(make: Maker, folder: Path, kills: int) -> Found:
    """kill -9 under load, again and again: every reply that a client saw is in the ledger, and the ledger verifies.

    A restart is the median time from the start to the first reply, where there is something to recover.
    """
    port = free_port()
    upstream = static_upstream(folder, port, _upstream.completion(_upstream.reply_text()))
    seen: set[str] = set()
    statuses: Counter[int] = Counter()
    restarts: list[float] = []
    answered = threading.Event()

    def check(_: bytes, reply: Reply) -> None:
        statuses[reply.status] += 1
        if reply.status == 200:
            seen.add(_careplane.ident(reply))
            answered.set()

    with running(upstream, folder, UPSTREAM_CORE):
        target = make(folder, port)
        asked = target.asked(_bodies.chat())
        for _ in range(kills):
            answered.clear()
            began = time.monotonic()
            killer = threading.Thread(target=_kill_soon, args=(start(target, folder), answered, began, restarts))
            killer.start()
            asyncio.run(ask_each(asked, lambda: asked.body, check, CONNECTIONS))
            killer.join()
        end(start(target, folder))
    kept = _careplane.recorded(folder)
    lost = seen - kept
    verified, proof = _careplane.verified(folder)
    restart = median(restarts[1:] or restarts)
    told = (
        f"answers by status {dict(statuses)} over {kills} kills, {len(lost)} of {len(seen)} seen replies not recorded; "
        f"{proof}; first reply {restart:.2f} s after a start"
    )
    ok = bool(seen) and not lost and verified and restart < RESTART_S
    return {
        "ok": ok,
        "told": told,
        "seen": len(seen),
        "lost": len(lost),
        "kills": kills,
        "restart_s": round(restart, 2),
    }


def _kill_soon(process: subprocess.Popen[bytes], answered: threading.Event, began: float, took: list[float]) -> None:
    """kill -9 a little after the first reply; keep how long that took from the start."""
    answered.wait(20)
    took.append(time.monotonic() - began)
    time.sleep(random.uniform(0.2, 1.2))
    end(process, signal.SIGKILL)


def full(make: Maker, folder: Path) -> Found:
    """The disk fills up under load: 503 from then on, no 200 without a record; it answers again once there is room."""
    port = free_port()
    upstream = static_upstream(folder.parent, port, _upstream.completion(_upstream.reply_text()))
    seen: set[str] = set()
    statuses: list[int] = []

    def check(_: bytes, reply: Reply) -> None:
        statuses.append(reply.status)
        if reply.status == 200:
            seen.add(_careplane.ident(reply))

    with running(upstream, folder.parent, UPSTREAM_CORE), small_disk(folder) as why:
        if why:
            return {"ok": True, "told": f"not run: {why}", "skipped": True}
        target = make(folder, port)
        body = target.asked(_bodies.chat())
        with running(target, folder):
            _fill(folder)
            count = itertools.count()

            def until_refused() -> bytes | None:
                return body.body if statuses.count(503) < 200 and next(count) < 100_000 else None

            asyncio.run(ask_each(body, until_refused, check, CONNECTIONS))
            by_status = Counter(statuses)
            first = next((at for at, status in enumerate(statuses) if status != 200), len(statuses))
            late = sum(1 for status in statuses[first + CONNECTIONS :] if status == 200)
            (folder / "filler").unlink()
            time.sleep(1)
            statuses.clear()
            once = itertools.count()
            asyncio.run(ask_each(body, lambda: body.body if next(once) < 10 else None, check, 1))
        lost = seen - _careplane.recorded(folder)
        verified, proof = _careplane.verified(folder)
    again = statuses.count(200)
    told = (
        f"answers by status {dict(by_status)}, {late} late 200s, {len(lost)} of {len(seen)} seen replies not recorded; "
        f"{proof}; {again} of 10 answered once there is room"
    )
    ok = not lost and verified and set(by_status) <= {200, 503} and by_status[503] > 0 and again > 0
    return {"ok": ok, "told": told, "lost": len(lost), "seen": len(seen), "again": again}


def canary(make: Maker, folder: Path, count: int, context: bool) -> Found:
    """A unique value in every request, echoed: each reply carries its own and no other; every tenth is a stream."""
    port = free_port()
    bad: Counter[str] = Counter()
    numbers = itertools.count()

    with running(live_upstream(port, "--echo"), folder, UPSTREAM_CORE):
        target = make(folder, port)
        shapes = [_shape(target.asked, context, stream) for stream in (False, True)]

        def bodies() -> bytes | None:
            number = next(numbers)
            if number >= count:
                return None
            return shapes[number % 10 == 0].replace(_bodies.CANARY.encode(), b"CANARY-%016x" % (number * 2654435761))

        def check(body: bytes, reply: Reply) -> None:
            if (wrong := wrong_with(body, reply)) is not None:
                bad[wrong] += 1

        with running(target, folder):
            began = time.monotonic()
            broken = asyncio.run(ask_each(target.asked(_bodies.chat()), bodies, check, 64))
            spent = time.monotonic() - began
    told = f"{count} requests in {spent:.0f} s, {dict(bad) or 'none crossed, none empty'}, {broken} broken connections"
    return {"ok": not bad and not broken, "told": told, "requests": count, "bad": dict(bad), "broken": broken}


def soak(make: Maker, folder: Path, minutes: float, context: bool) -> Found:
    """Half of what it can carry, for a while: memory after the first third (five minutes at most) and at the end."""
    port = free_port()
    upstream = static_upstream(folder, port, _upstream.completion(_upstream.reply_text()))
    samples: list[tuple[float, float, int]] = []
    with running(upstream, folder, UPSTREAM_CORE):
        target = make(folder, port)
        plain = _bodies.chat()
        asked = target.asked(_bodies.with_context(plain) if context else plain)
        with running(target, folder) as process:
            most = wrk(asked, 64, 5).rps
            pause = max(1, round(1000 * 64 / (most / 2)))
            began = time.monotonic()
            errors = requests = 0
            while (spent := time.monotonic() - began) < 60 * minutes:
                load = wrk(asked, 64, 5, pause)
                errors, requests = errors + load.errors, requests + load.requests
                samples.append((spent, _proc.resident_mb(process.pid), _proc.descriptors(process.pid)))
    settled = min(300.0, 60 * minutes / 3)
    early = next((sample for sample in samples if sample[0] >= settled), samples[-1])
    late = samples[-1]
    growth = 100 * (late[1] / early[1] - 1)
    told = (
        f"{requests} requests in {minutes:g} minutes, {errors} errors; at most {most:.0f}/s; "
        f"memory {early[1]:.0f} to {late[1]:.0f} MB ({growth:+.1f} %), descriptors {early[2]} to {late[2]}"
    )
    ok = not errors and growth < 5 and late[2] <= early[2] + 2
    return {
        "ok": ok,
        "told": told,
        "growth_percent": round(growth, 2),
        "samples": [[round(s[0], 1), round(s[1], 1), s[2]] for s in samples[:: max(1, len(samples) // 60)]],
    }


@contextmanager
def small_disk(folder: Path) -> Iterator[str]:
    """A file system of DISK_MB mounted at a folder; gives why not, where it cannot be mounted."""
    folder.mkdir(parents=True, exist_ok=True)
    mount = shutil.which("mount")
    options = ["-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", str(folder)]
    done = subprocess.run([mount, *options], capture_output=True, text=True, check=False) if mount else None
    if done is None or done.returncode:
        yield "a small file system can be mounted by root only"
        return
    try:
        yield ""
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=False)


def _fill(folder: Path, left: int = 1_000_000) -> None:
    """Write until so many bytes are left."""
    room = shutil.disk_usage(folder).free - left
    (folder / "filler").write_bytes(b"\0" * max(0, room))


def _shape(asked: Callable[[dict[str, Any]], Any], context: bool, stream: bool) -> bytes:
    """A body with a place for the canary, in the text and, where there is one, in the context."""
    body = _bodies.chat(stream=stream, text=f"About record {_bodies.CANARY}: ")
    shaped: bytes = asked(_bodies.with_context(body, _bodies.CANARY) if context else body).body
    return shaped


def wrong_with(body: bytes, reply: Reply) -> str | None:
    """What is wrong with the reply to a body that carries a canary; None when it carries that one and no other."""
    own = CANARY.findall(body.decode())[0]
    if reply.status != 200:
        return f"status {reply.status} {_code(reply)}".strip()
    text = said(reply)
    if not text:
        return "empty"
    carried = set(CANARY.findall(text))
    if carried - {own}:
        return "crossed"
    return None if carried else "own one missing"


def _code(reply: Reply) -> str:
    """The code of an error in the API's shape; empty where there is none."""
    try:
        return str(json.loads(reply.body)["error"]["code"])
    except (ValueError, LookupError, TypeError):
        return ""


def said(reply: Reply) -> str:
    """What a reply says: its message, or the events of a stream together."""
    if b"text/event-stream" not in reply.head.lower():
        try:
            return str(json.loads(reply.body)["choices"][0]["message"]["content"])
        except (ValueError, LookupError):
            return ""
    parts = (json.loads(event)["choices"] for event in DELTA.findall(reply.body))
    return "".join(choices[0]["delta"].get("content") or "" for choices in parts if choices)
