"""Limits of one process on the shared store: what is admitted, refused, given back, changed, and an outage survived."""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Iterator

import psycopg
import pytest
from sqlalchemy import text

from careplane.errors import LimitReached, StoreError
from careplane.gateway.leases import Keeper
from careplane.gateway.limits import Limits, Permit, Quota, limits_status
from careplane.store import Store

APP, SITE = "app:an_app", "site:north"


@pytest.fixture
def keeper(store: Store) -> Iterator[Keeper]:
    keeper = Keeper(store, tick_seconds=0.1)
    yield keeper
    keeper.close()


async def admitted(limits: Limits, subjects: tuple[str, ...], most: int, tokens: int = 0) -> list[Permit]:
    """Permits until one is refused."""
    permits: list[Permit] = []
    for _ in range(most):
        try:
            permits.append(await limits.admit(subjects, tokens))
        except LimitReached:
            break
    return permits


def test_requests_are_counted_for_every_subject_or_for_none(keeper: Keeper) -> None:
    limits = Limits(keeper, {APP: Quota(requests_per_minute=5), SITE: Quota(requests_per_minute=8)})

    async def run() -> None:
        assert len(await admitted(limits, (APP, SITE), 99)) == 5
        with pytest.raises(LimitReached, match="5 requests a minute is reached for the app an_app") as refused:
            await limits.admit((APP, SITE))
        assert refused.value.code == "rate_limit_exceeded"
        assert refused.value.retry_after is not None
        assert 50 < refused.value.retry_after <= 72
        assert len(await admitted(limits, ("app:other", SITE), 99)) == 3, "a refused request counted for the site"

    asyncio.run(run())


def test_tokens_are_reserved_and_the_real_ones_settled(keeper: Keeper) -> None:
    limits = Limits(keeper, {APP: Quota(tokens_per_minute=1000)})

    async def run() -> None:
        first = await limits.admit((APP,), 800)
        with pytest.raises(LimitReached, match="1000 tokens a minute"):
            await limits.admit((APP,), 300)
        first.release(tokens=100)
        first.release(tokens=0)  # twice does no harm
        await asyncio.sleep(1.1)  # a refusal is remembered for a second
        more = await limits.admit((APP,), 900)
        more.release(tokens=1500)  # it used more than it had reserved
        with pytest.raises(LimitReached):
            await limits.admit((APP,), 1)
        with pytest.raises(LimitReached, match="This request counts 1001, the limit is 1000 tokens") as refused:
            await limits.admit((APP,), 1001)
        assert refused.value.retry_after is None

    asyncio.run(run())


def test_requests_at_once_end_when_they_are_released(keeper: Keeper) -> None:
    limits = Limits(keeper, {APP: Quota(concurrent=3)})

    async def run() -> None:
        permits = await admitted(limits, (APP,), 99)
        assert len(permits) == 3
        with pytest.raises(LimitReached, match="3 requests are under way") as refused:
            await limits.admit((APP,))
        assert refused.value.retry_after == 1.0
        permits[0].release()
        permits[0].release()
        with await limits.admit((APP,)), pytest.raises(LimitReached):
            await limits.admit((APP,))
        assert len(await admitted(limits, (APP,), 99)) == 1

    asyncio.run(run())


def test_a_changed_limit_holds_from_the_next_request(keeper: Keeper) -> None:
    limits = Limits(keeper, {APP: Quota(requests_per_minute=100, concurrent=50)})

    async def run() -> None:
        assert len(await admitted(limits, (APP,), 20)) == 20
        limits.set(APP, Quota(requests_per_minute=30, concurrent=50))
        assert len(await admitted(limits, (APP,), 99)) == 10
        limits.set(APP, Quota(concurrent=31))
        assert len(await admitted(limits, (APP,), 99)) == 1
        limits.set(APP, Quota(requests_per_minute=0))
        with pytest.raises(LimitReached, match="The limit is 0 requests a minute"):
            await limits.admit((APP,))
        limits.set(APP, None)
        assert len(await admitted(limits, (APP,), 40)) == 40

    asyncio.run(run())


def test_while_a_lease_lasts_no_request_goes_to_the_store(keeper: Keeper) -> None:
    limits = Limits(keeper, {APP: Quota(requests_per_minute=1_000_000, tokens_per_minute=10**8, concurrent=1000)})

    async def run() -> None:
        for _ in range(2000):
            (await limits.admit((APP,), 100)).release(60)

    asyncio.run(run())
    assert keeper.exchanges < 100


def test_several_event_loops_share_one_process_s_leases(keeper: Keeper) -> None:
    limits = Limits(keeper, {APP: Quota(requests_per_minute=10)})
    got = [len(asyncio.run(admitted(limits, (APP,), 4))) for _ in range(4)]
    assert got == [4, 4, 2, 0]


def test_many_at_once_are_answered_by_few_exchanges(keeper: Keeper) -> None:
    limits = Limits(keeper, {APP: Quota(requests_per_minute=60)})

    async def one() -> bool:
        try:
            await limits.admit((APP,))
        except LimitReached:
            return False
        return True

    async def run() -> int:
        return sum(await asyncio.gather(*(one() for _ in range(200))))

    assert asyncio.run(run()) == 60
    assert keeper.exchanges < 60


def test_what_is_leased_and_not_used_is_given_back(store: Store) -> None:
    quotas = {APP: Quota(requests_per_minute=100, tokens_per_minute=1000, concurrent=10)}
    keeper = Keeper(store, tick_seconds=0.1)
    limits = Limits(keeper, quotas)

    async def use() -> None:
        (await limits.admit((APP,), 10)).release(4)

    asyncio.run(use())
    keeper.close()
    status = {(row.metric, row.subject): (row.used, row.limit) for row in limits_status(store)}
    assert status == {("requests", APP): (1, 100), ("tokens", APP): (4, 1000), ("concurrent", APP): (0, 10)}


@pytest.fixture
def outage(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Callable[[], object], Callable[[], object]]]:
    """Take the database away and give it back: PostgreSQL refuses connections, SQLite's file is locked by another."""
    monkeypatch.setattr("careplane.gateway.limits.PATIENCE_SECONDS", 0.4)
    url = store.engine.url
    if url.get_backend_name() == "sqlite":
        other = sqlite3.connect(str(url.database), isolation_level=None)
        yield lambda: other.execute("BEGIN EXCLUSIVE"), lambda: other.execute("ROLLBACK")
        other.close()
        return
    admin = psycopg.connect(
        url.set(drivername="postgresql", database="postgres").render_as_string(hide_password=False), autocommit=True
    )
    name = str(url.database)

    def stop() -> None:
        admin.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS false")
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])

    def start() -> None:
        admin.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS true")

    yield stop, start
    start()
    admin.close()


async def until_refused(limits: Limits) -> int:
    """How many requests are served from the lease before the outage is felt."""
    for served in range(1000):
        try:
            await limits.admit((APP,))
        except StoreError:
            return served
    return 1000


def test_an_outage_of_the_store_fails_closed_and_ends_by_itself(
    store: Store, keeper: Keeper, outage: tuple[Callable[[], object], Callable[[], object]]
) -> None:
    stop, start = outage
    limits = Limits(keeper, {APP: Quota(requests_per_minute=1000), SITE: Quota(concurrent=2)})

    async def run() -> int:
        held = [await limits.admit((APP, SITE)), await limits.admit((APP, SITE))]
        stop()
        served = await until_refused(limits)
        held[0].release()
        await limits.admit((SITE,))  # what is leased can be used
        start()
        deadline = time.monotonic() + 30
        while True:
            try:
                await limits.admit((APP,))
            except StoreError:
                assert time.monotonic() < deadline, "it did not recover"
            else:
                return served

    assert asyncio.run(run()) < 1000
    assert keeper.outage is None
    with store.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM shared_limits")).scalar_one() == 2


def test_an_outage_is_not_made_worse_by_those_who_ask(
    store: Store, keeper: Keeper, outage: tuple[Callable[[], object], Callable[[], object]]
) -> None:
    stop, start = outage
    limits = Limits(keeper, {f"app:a{i}": Quota(requests_per_minute=10) for i in range(30)})
    tries: list[float] = []
    exchange = keeper._exchange

    def counted(asks: object) -> object:
        tries.append(time.monotonic())
        return exchange(asks)  # type: ignore[arg-type]

    keeper._exchange = counted  # type: ignore[method-assign, assignment]

    async def run() -> None:
        stop()
        refused = await asyncio.gather(*(limits.admit((f"app:a{i}",)) for i in range(30)), return_exceptions=True)
        assert all(isinstance(error, StoreError) for error in refused)
        start()

    asyncio.run(run())
    assert len(tries) <= 12


def test_a_damaged_row_refuses_its_subject_and_no_other(store: Store, keeper: Keeper) -> None:
    limits = Limits(keeper, {APP: Quota(requests_per_minute=10), SITE: Quota(requests_per_minute=10)})

    async def run() -> None:
        await limits.admit((APP,))
        await limits.admit((SITE,))
        with store.write() as connection:
            connection.execute(text("UPDATE shared_limits SET body = 'nonsense' WHERE subject = 'app:an_app'"))
        both = await asyncio.gather(until_refused(limits), admitted(limits, (SITE,), 9))
        assert both[0] < 10
        assert len(both[1]) == 9
        with pytest.raises(StoreError, match="row of shared limits is damaged"):
            await limits.admit((APP,))

    asyncio.run(run())


def test_a_forked_process_cannot_spend_its_parent_s_leases(store: Store) -> None:
    keeper = Keeper(store)
    keeper._process += 1  # as a child sees it
    limits = Limits(keeper, {APP: Quota(requests_per_minute=10)})
    with pytest.raises(StoreError, match="open them in each process"):
        asyncio.run(limits.admit((APP,)))
