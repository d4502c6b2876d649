"""``careplane budget show``: money and limits as people and programs read them."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

from click.testing import CliRunner

from careplane.cli import careplane
from careplane.gateway.budgets import Budget, Budgets
from careplane.gateway.leases import Keeper
from careplane.gateway.limits import Limits, Quota
from careplane.store import Store

APP = "app:portal_reply"


def use(store: Store) -> None:
    keeper = Keeper(store)
    limits = Limits(keeper, {APP: Quota(requests_per_minute=60)})
    budgets = Budgets(keeper, {APP: Budget(month=200.0)}, clock=lambda: datetime(2026, 3, 2, 15, tzinfo=UTC))

    async def run() -> None:
        await limits.admit((APP,))
        (await budgets.reserve((APP, "site:north"), 2.0)).settle(1.25)

    asyncio.run(run())
    keeper.close()


def test_money_and_limits_are_shown(sqlite_store: Store, home: Path) -> None:
    use(sqlite_store)
    shown = CliRunner().invoke(careplane, ["budget", "show", "--home", str(home)])
    assert shown.exit_code == 0
    lines = [" ".join(line.split()) for line in shown.output.splitlines()]
    assert "app:portal_reply month:2026-03 1.2500 USD of 200.00" in lines
    assert "site:north day:2026-03-02 1.2500 USD no limit" in lines
    assert "app:portal_reply requests/min 1 of 60" in lines


def test_json_of_one_subject(sqlite_store: Store, home: Path) -> None:
    use(sqlite_store)
    shown = CliRunner().invoke(careplane, ["budget", "show", APP, "--home", str(home), "--json"])
    told = json.loads(shown.output)
    assert {row["subject"] for row in (*told["spent"], *told["limits"])} == {APP}
    assert told["limits"] == [{"subject": APP, "metric": "requests", "limit": 60, "used": 1}]
    assert [row["spent_usd"] for row in told["spent"]] == [1.25, 1.25]


def test_nothing_yet_is_said(sqlite_store: Store, home: Path) -> None:
    shown = CliRunner().invoke(careplane, ["budget", "show", "--home", str(home)])
    assert "Nothing was spent" in shown.output
