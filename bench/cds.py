"""How long an EHR waits for a CDS Hooks call: 100 registered apps, 10 of them on the hook, a scripted model at 50 ms.

Run ``bench/run cds [--rate 50] [--seconds 10]``. The server is a process of its own, as ``careplane serve`` runs it,
with SQLite and the ledger under ``bench/results``; the client is this process: signed calls at a steady rate that waits
for nobody (so a late answer counts as late), each of another hook instance, all data sent along. Beside it: ``/health``
of the same server at the same rate, and one app alone. Goals: p99 < 500 ms at 50 calls/s on 2 cores; ten apps cost less
than twice one. What came as a link because it was late, and what was left out because the process had no room, is told
apart: within the budget an answer is quick by construction. ``load_before`` is the load of the machine when it began:
on a machine that others use, the times are theirs too, and the processor time of a call is what to compare.
"""

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import orjson

import _proc
from _load import median, percentile
from _machine import RESULTS, record
from careplane import alignment, change
from careplane.governance.cds_trust import trust_client
from careplane.records.portfolio import Stage
from careplane.sandbox.cds_client import CdsClient
from careplane.server.platform import Platform, open_platform
from careplane.settings import Settings, read_settings

APPS, MATCHING = 100, 10
DELAY_MS = 50
BUDGET_MS = 400
NURSE = "Practitioner/p1"
HOOK = "patient-view"
ALL = f"careplane-{HOOK}"
WARM = 20

_MANIFEST = """\
id: {ident}
title: Synthetic app {number}
version: 1.0.0
area: clinical
problem: A synthetic problem of a benchmark.
owner: Owner
sponsor: Sponsor
technical_owner: Engineer
goals: [workforce]
task: summarise
tier: {{patient_impact: 1, autonomy: 0, audience: 1, data: 1, reach: 1}}
trigger: {{kind: hook, 'on': {hook}}}
context:
  - {{resource: Patient, search: '_id={{patient}}', fields: [name, birthDate, gender], limit: 1}}
  - {{resource: Condition, search: 'patient={{patient}}&clinical-status=active', fields: [code, onset], limit: 20}}
output: {{kind: DocumentReference, title: Summary, citations: optional, min_words: 1, max_words: 300}}
review: {{role: Clinician, reasons: [wrong fact, not needed]}}
measures: {{primary: [utilisation], balancing: [error_rate], equity: [language]}}
stop_rule: Any harm.
fallback: Read the chart.
"""
_PROMPT = """\
TASK: summarise
Summarise.
---user---
{{ title }}
<sources>
{% for source in sources %}
[{{ source.n }}] {{ source.text }}
{% endfor %}
</sources>
"""
_LESSON = "# Lesson\n\n## Quiz\n### Who signs?\n- [x] A person\n- [ ] The model\n> Always a person.\n"
_MODELS = f"""\
[providers.model]
kind = "scripted"
fault_percent = 0
delay_ms = {DELAY_MS}
"""


def main() -> None:
    """Measure and record, or serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=50.0, help="calls a second")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long each part takes")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        serve(given.serve)
        return
    RESULTS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=RESULTS) as folder:
        record("cds", measured(Path(folder), given.rate, given.seconds))


def measured(folder: Path, rate: float, seconds: float) -> dict[str, Any]:
    """All parts, one after the other, on one server."""
    before = round(os.getloadavg()[0], 1)
    write_apps(folder / "apps")
    (folder / "models.toml").write_text(_MODELS, encoding="utf-8")
    with serving(folder) as (address, pid), CdsClient(address) as ehr:
        platform = open_platform(settings_of(folder), synthetic=True)
        trust_client(platform.store, platform.ledger, ehr.trust())
        platform.close()
        asyncio.run(load(ehr, ALL, 5.0, WARM))
        idle = settled(pid)
        one = asyncio.run(alone(ehr, "bench_000", pid, idle))
        ten = asyncio.run(alone(ehr, ALL, pid, idle))
        health = asyncio.run(open_loop(rate, seconds, lambda client: _health(client, address)))
        found = asyncio.run(load(ehr, ALL, rate, int(rate * seconds)))
    return {
        "load_before": before,
        "idle_percent_of_a_core": round(100 * idle, 1),
        "apps": APPS,
        "matching": MATCHING,
        "rate_per_s": rate,
        "calls": found["calls"],
        "p50_ms": found["p50_ms"],
        "p95_ms": found["p95_ms"],
        "p99_ms": found["p99_ms"],
        "drafts_percent": found["drafts_percent"],
        "links_percent": found["links_percent"],
        "left_out_percent": round(100 - found["drafts_percent"] - found["links_percent"], 1),
        "errors": found["errors"],
        "goal_p99_500_ms": found["p99_ms"] < 500 and not found["errors"],
        "health_p99_ms": round(percentile(health, 99), 1),
        "alone_one_app_ms": one["ms"],
        "alone_ten_apps_ms": ten["ms"],
        "ten_over_one": round(ten["ms"] / one["ms"], 2),
        "one_app_cpu_ms": one["cpu_ms"],
        "ten_apps_cpu_ms": ten["cpu_ms"],
        "goal_ten_under_twice_one": ten["ms"] < 2 * one["ms"],
    }


async def load(ehr: CdsClient, service: str, rate: float, calls: int) -> dict[str, Any]:
    """So many calls at a steady rate; latencies, and what the answers held."""
    bodies = [signed(ehr, service) for _ in range(calls)]
    answers: list[httpx.Response] = []

    async def one(client: httpx.AsyncClient) -> None:
        headers, body = bodies.pop()
        answers.append(await client.post(f"{ehr.base_url}/cds-services/{service}", content=body, headers=headers))

    times = await open_loop(rate, calls / rate, one)
    good = [answer.json()["cards"] for answer in answers if answer.status_code == 200]
    cards = [card for given in good for card in given]
    wanted = MATCHING * len(answers)
    return {
        "calls": len(answers),
        "p50_ms": round(percentile(times, 50), 1),
        "p95_ms": round(percentile(times, 95), 1),
        "p99_ms": round(percentile(times, 99), 1),
        "drafts_percent": round(100 * sum("suggestions" in card for card in cards) / max(1, wanted), 1),
        "links_percent": round(100 * sum("suggestions" not in card for card in cards) / max(1, wanted), 1),
        "errors": len(answers) - len(good),
    }


def idle_share(pid: int, seconds: float = 3.0) -> float:
    """What the server uses of a core while nobody calls: its worker looks for events."""
    before = _proc.processor_s(pid)
    time.sleep(seconds)
    return (_proc.processor_s(pid) - before) / seconds


def settled(pid: int, tries: int = 20) -> float:
    """The same once what a server does when it begins is done: it reads how all its apps are."""
    for _ in range(tries):
        if (share := idle_share(pid)) < 0.25:
            break
    return share


async def alone(ehr: CdsClient, service: str, pid: int, idle: float, calls: int = 30) -> dict[str, float]:
    """One call after the other: median wall time, and the processor time of each beyond what an idle server uses."""
    bodies = [signed(ehr, service) for _ in range(calls)]
    began_all, busy = time.perf_counter(), _proc.processor_s(pid)
    times = []
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
        for headers, body in bodies:
            began = time.perf_counter()
            answer = await client.post(f"{ehr.base_url}/cds-services/{service}", content=body, headers=headers)
            answer.raise_for_status()
            times.append(1000 * (time.perf_counter() - began))
    spent = _proc.processor_s(pid) - busy - idle * (time.perf_counter() - began_all)
    return {"ms": round(median(times), 1), "cpu_ms": round(1000 * spent / calls, 1)}


async def open_loop(rate: float, seconds: float, act: Callable[[httpx.AsyncClient], Awaitable[None]]) -> list[float]:
    """Start ``act`` at a steady rate whatever the answers do; milliseconds of each, from when it was due."""
    times: list[float] = []
    limits = httpx.Limits(max_connections=500, max_keepalive_connections=500)
    async with httpx.AsyncClient(trust_env=False, timeout=60, limits=limits) as client:
        begin = time.perf_counter()

        async def one(due: float) -> None:
            await act(client)
            times.append(1000 * (time.perf_counter() - due))

        tasks = []
        for number in range(int(rate * seconds)):
            due = begin + number / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            tasks.append(asyncio.ensure_future(one(due)))
        await asyncio.gather(*tasks)
    return times


async def _health(client: httpx.AsyncClient, address: str) -> None:
    (await client.get(f"{address}/health")).raise_for_status()


def signed(ehr: CdsClient, service: str) -> tuple[dict[str, str], bytes]:
    """The headers and body of a fresh call with all its data."""
    token = ehr.token(f"{ehr.base_url}/cds-services/{service}", None, exp=int(time.time()) + 500)
    conditions = [
        {
            "resource": {
                "resourceType": "Condition",
                "id": f"c{number}",
                "subject": {"reference": "Patient/ana"},
                "code": {"text": f"Synthetic problem {number}"},
                "onsetDateTime": f"20{10 + number}-03-02",
            }
        }
        for number in range(6)
    ]
    body = {
        "hook": HOOK,
        "hookInstance": str(uuid4()),
        "context": {"userId": NURSE, "patientId": "ana", "encounterId": "e1"},
        "prefetch": {
            "patient": {"resourceType": "Patient", "id": "ana", "name": [{"family": "Quill", "given": ["Ana"]}]},
            "user": {"resourceType": "Practitioner", "id": "p1", "name": [{"family": "Okafor"}]},
            "condition": {"resourceType": "Bundle", "type": "searchset", "entry": conditions},
        },
    }
    return {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}, orjson.dumps(body)


def write_apps(folder: Path) -> None:
    """A hundred apps, ten of them on the hook."""
    for number in range(APPS):
        home = folder / f"bench_{number:03}"
        home.mkdir(parents=True)
        hook = HOOK if number < MATCHING else f"other-hook-{number % 30}"
        (home / "app.yaml").write_text(_MANIFEST.format(ident=home.name, number=number, hook=hook), encoding="utf-8")
        (home / "prompt.md").write_text(_PROMPT, encoding="utf-8")
        (home / "lesson.md").write_text(_LESSON, encoding="utf-8")


def settings_of(folder: Path) -> Settings:
    """The settings of the server."""
    return read_settings(
        {},
        home=str(folder / "home"),
        apps_path=str(folder / "apps"),
        gateway_file=str(folder / "models.toml"),
        cds_budget_ms=BUDGET_MS,
    )


@contextmanager
def serving(folder: Path) -> Iterator[tuple[str, int]]:
    """The server in a process of its own; gives its address and process id."""
    command: Sequence[str] = [sys.executable, __file__, "--serve", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().strip()
            yield address, process.pid
        finally:
            process.terminate()
            process.wait(60)


def serve(folder: Path) -> None:
    """Serve until the end of the benchmark; says the address on the first line."""
    import uvicorn

    from careplane.server.asgi import asgi_app
    from careplane.server.binding import bind
    from careplane.workflow.durable import Durable

    platform = open_platform(settings_of(folder), synthetic=True)
    for number in range(APPS):
        _make_pilot(platform, f"bench_{number:03}")
    durable = Durable(platform.runtime, platform.home)
    durable.start()
    listener = bind("127.0.0.1", 0)
    print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    try:
        uvicorn.Server(uvicorn.Config(asgi_app(platform, durable), log_level="error", access_log=False)).run([listener])
    finally:
        durable.stop()
        platform.close()


def _make_pilot(platform: Platform, app: str) -> None:
    stages: tuple[Stage, ...] = ("intake", "shadow", "pilot")
    for stage in stages:
        item = alignment.load_item(platform.store, app)
        alignment.move_stage(platform.store, platform.ledger, item, stage, datetime.now(UTC), "owner", "bench")
    known = platform.app(app)
    answers = [question.answer for question in change.lesson(known).questions]
    change.take_quiz(platform.store, platform.ledger, known, NURSE, answers, datetime.now(UTC))


if __name__ == "__main__":
    main()
