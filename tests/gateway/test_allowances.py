"""Limits and budgets opened together: applied, changed, told to the ledger, closed."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime

import pytest

from careplane.errors import LimitReached
from careplane.gateway.allowances import Allowances
from careplane.gateway.budgets import Budget
from careplane.gateway.limits import Quota, limits_status
from careplane.gateway.spending import spending
from careplane.ledger import Ledger
from careplane.store import Store

APP = "app:an_app"
NOW = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)


def test_events_of_budgets_are_on_record_and_closing_gives_back(store: Store, ledger: Ledger) -> None:
    allowances = Allowances(store, ledger, clock=lambda: NOW)
    allowances.apply({APP: Quota(requests_per_minute=50)}, {APP: Budget(day=1.0, warn_share=0.5)})

    async def run() -> None:
        tending = asyncio.create_task(allowances.tend(events_seconds=0.05))
        (await allowances.budgets.reserve((APP,), 0.8)).settle(0.7)
        with suppress(LimitReached):
            await allowances.budgets.reserve((APP,), 0.9)
        await allowances.limits.admit((APP,))
        while len(list(ledger.records())) < 2:
            await asyncio.sleep(0.02)
        tending.cancel()

    asyncio.run(asyncio.wait_for(run(), 30))
    allowances.close()
    told = {record.kind: record for record in ledger.records()}
    assert set(told) == {"budget.warned", "budget.stopped"}
    assert told["budget.warned"].app == "an_app"
    assert told["budget.warned"].facts == {
        "subject": APP,
        "period": "day:2026-03-02",
        "limit_usd": 1.0,
        "spent_usd": 0.7,
    }
    assert {row.reserved_usd for row in spending(store)} == {0.0}
    assert [row.used for row in limits_status(store)] == [1]


def test_what_is_no_longer_named_is_no_longer_limited(store: Store, ledger: Ledger) -> None:
    allowances = Allowances(store, ledger, clock=lambda: NOW)

    async def run() -> None:
        allowances.apply({APP: Quota(requests_per_minute=1)}, {APP: Budget(month=0.1)})
        await allowances.limits.admit((APP,))
        with pytest.raises(LimitReached):
            await allowances.limits.admit((APP,))
        with pytest.raises(LimitReached):
            await allowances.budgets.reserve((APP,), 0.2)
        allowances.apply({}, {})
        await allowances.limits.admit((APP,))
        await allowances.budgets.reserve((APP,), 0.2)

    asyncio.run(run())
    allowances.close()
    assert allowances.outage is None


def test_a_crowd_at_the_start_is_let_in_by_few_exchanges(sqlite_store: Store, ledger: Ledger) -> None:
    allowances = Allowances(sqlite_store, ledger)
    quota = Quota(requests_per_minute=100_000, tokens_per_minute=100_000_000, concurrent=1000)
    allowances.apply({"app:busy": quota}, {"app:busy": Budget(day=1000.0, month=1000.0)})

    async def one() -> None:
        permit = await allowances.limits.admit(("app:busy",), 1000)
        hold = await allowances.budgets.reserve(("app:busy",), 0.01)
        permit.release(1000)
        hold.settle(0.01)

    async def crowd() -> None:
        await asyncio.gather(*(one() for _ in range(64)))

    asyncio.run(crowd())
    assert allowances.exchanges <= 12  # one by one it would be over a hundred
    allowances.close()
