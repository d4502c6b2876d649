"""Budgets of one process on the shared store: reserved before, settled after, told once, stopped at the whole."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from careplane.errors import LimitReached, Refused
from careplane.gateway.budgets import Budget, Budgets
from careplane.gateway.leases import Keeper
from careplane.gateway.spending import spending
from careplane.store import Store

APP, SITE = "app:an_app", "site:north"
BOTH = (APP, SITE)
NOW = datetime(2026, 3, 31, 15, 0, tzinfo=UTC)


@pytest.fixture
def keeper(store: Store) -> Iterator[Keeper]:
    keeper = Keeper(store, tick_seconds=0.1)
    yield keeper
    keeper.close()


def spent(store: Store) -> dict[tuple[str, str], float]:
    return {(row.subject, row.period): round(row.spent_usd, 6) for row in spending(store)}


def test_the_real_cost_is_counted_by_day_and_month_for_each_subject(store: Store, keeper: Keeper) -> None:
    budgets = Budgets(keeper, {APP: Budget(day=1.0)}, clock=lambda: NOW)

    async def run() -> None:
        hold = await budgets.reserve(BOTH, 0.5)
        assert hold.usd == 0.5
        hold.settle(0.2)
        hold.settle(0.4)  # twice does no harm
        (await budgets.reserve(BOTH, 0.1)).release()
        (await budgets.reserve(BOTH, 0.1)).settle(None)  # the cost is not known: what was reserved counts

    asyncio.run(run())
    keeper.close()
    assert spent(store) == dict.fromkeys(
        [(APP, "day:2026-03-31"), (APP, "month:2026-03"), (SITE, "day:2026-03-31"), (SITE, "month:2026-03")], 0.3
    )
    assert [(row.limit_usd, row.reserved_usd) for row in spending(store, APP)] == [(None, 0.0), (1.0, 0.0)]


def test_it_stops_when_the_worst_case_is_not_covered(keeper: Keeper) -> None:
    budgets = Budgets(keeper, {SITE: Budget(month=1.0), APP: Budget(day=50.0)}, clock=lambda: NOW - timedelta(days=9))

    async def run() -> None:
        first = await budgets.reserve(BOTH, 0.7)
        with pytest.raises(LimitReached, match=r"budget of the site north \(month 2026-03\)") as refused:
            await budgets.reserve(BOTH, 0.4)
        assert refused.value.code == "insufficient_quota"
        assert refused.value.retry_after is None
        first.settle(0.5)
        await asyncio.sleep(0.6)  # a refusal is remembered for half a second
        (await budgets.reserve(BOTH, 0.4)).settle(0.4)
        with pytest.raises(LimitReached):
            await budgets.reserve(BOTH, 0.2)
        budgets.set(SITE, Budget(month=2.0))
        (await budgets.reserve(BOTH, 0.2)).settle(0.2)
        budgets.set(SITE, None)
        (await budgets.reserve(BOTH, 30.0)).settle(30.0)

    asyncio.run(run())


def test_warned_once_at_the_share_and_stopped_once(keeper: Keeper) -> None:
    budgets = Budgets(keeper, {APP: Budget(total=1.0, warn_share=0.6)}, clock=lambda: NOW)
    heard: list[tuple[str, str]] = []

    async def run() -> None:
        for _ in range(12):
            with suppress(LimitReached):
                (await budgets.reserve((APP,), 0.1)).settle(0.1)
            await asyncio.sleep(0.15)
            heard.extend((event.kind, event.period) for event in budgets.events())

    asyncio.run(run())
    assert heard == [("budget.warned", "total"), ("budget.stopped", "total")]


def test_a_day_ends_where_the_site_is_and_says_when_that_is_soon(store: Store, keeper: Keeper) -> None:
    zone = ZoneInfo("America/Chicago")
    now = [datetime(2026, 3, 31, 23, 40, tzinfo=zone)]
    budgets = Budgets(keeper, {APP: Budget(day=1.0)}, timezone=zone, clock=lambda: now[0])

    async def run() -> None:
        late = await budgets.reserve((APP,), 0.9)
        with pytest.raises(LimitReached, match="Try again in 20 minutes") as refused:
            await budgets.reserve((APP,), 0.9)
        assert refused.value.retry_after is not None
        assert 1100 < refused.value.retry_after <= 1200
        now[0] += timedelta(minutes=30)
        budgets._look = 0.0  # the calendar is looked at twice a minute
        (await budgets.reserve((APP,), 0.9)).settle(0.8)
        late.settle(0.7)  # counts for the day that it was reserved in

    asyncio.run(run())
    keeper.close()
    assert spent(store) == {
        (APP, "day:2026-03-31"): 0.7,
        (APP, "day:2026-04-01"): 0.8,
        (APP, "month:2026-03"): 0.7,
        (APP, "month:2026-04"): 0.8,
    }


def test_a_cost_that_is_not_known_cannot_be_held_to_a_budget(store: Store, keeper: Keeper) -> None:
    budgets = Budgets(keeper, {APP: Budget(day=1.0)}, clock=lambda: NOW)

    async def run() -> None:
        with pytest.raises(Refused, match="no known price") as refused:
            await budgets.reserve(BOTH, None)
        assert "price file" in refused.value.way_out
        hold = await budgets.reserve(("app:other",), None)
        hold.settle(None)

    asyncio.run(run())


def test_money_is_leased_in_small_parts_and_given_back(store: Store) -> None:
    keeper = Keeper(store, tick_seconds=0.1)
    budgets = Budgets(keeper, {APP: Budget(day=10.0)}, clock=lambda: NOW)

    async def run() -> float:
        (await budgets.reserve((APP,), 0.01)).settle(0.01)
        await asyncio.sleep(0.3)
        return max(row.reserved_usd for row in spending(store, APP))

    leased = asyncio.run(run())
    assert 0 < leased < 10.0 / 4
    keeper.close()
    assert max(row.reserved_usd for row in spending(store, APP)) == 0


def test_keys_are_counted_only_where_they_have_a_budget(store: Store, keeper: Keeper) -> None:
    budgets = Budgets(keeper, {"key:k2": Budget(total=1.0)}, clock=lambda: NOW)

    async def run() -> None:
        for key in ("key:k1", "key:k2"):
            (await budgets.reserve((APP, key), 0.2)).settle(0.1)

    asyncio.run(run())
    keeper.close()
    assert spent(store) == {(APP, "day:2026-03-31"): 0.2, (APP, "month:2026-03"): 0.2, ("key:k2", "total"): 0.1}


def test_a_limit_that_comes_later_starts_with_nothing_leased(keeper: Keeper) -> None:
    budgets = Budgets(keeper, clock=lambda: NOW)

    async def run() -> None:
        for _ in range(5):
            (await budgets.reserve((APP,), 10.0)).settle(0.01)
        budgets.set(APP, Budget(day=0.1))
        await asyncio.sleep(0.3)
        (await budgets.reserve((APP,), 0.05)).settle(0.05)
        with pytest.raises(LimitReached):
            await budgets.reserve((APP,), 0.01)

    asyncio.run(run())
