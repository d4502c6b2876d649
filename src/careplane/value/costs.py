"""The cost ledger: lines of the ERP export, each read once, and what an app costs by category."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection, func, select

from careplane.records.money import CostLine
from careplane.store import Store, find, insert_new
from careplane.store.tables import costs as table
from careplane.store.tables import runs

PLATFORM = "platform"
"""The item of lines that all apps share: servers, monitoring, platform engineers."""


def import_costs(store: Store, lines: Iterable[CostLine]) -> int:
    """Add cost lines; says how many were new. A line id that is there already is left as it is."""
    with store.write() as connection:
        return add_costs(connection, lines)


def add_costs(connection: Connection, lines: Iterable[CostLine]) -> int:
    """Add cost lines in a transaction that is under way; says how many were new."""
    return sum(
        insert_new(
            connection,
            table,
            line,
            id=line.id,
            item=line.item,
            category=line.category,
            on=line.on.isoformat(),
            usd=line.usd,
        )
        for line in lines
    )


def find_costs(store: Store, item: str, until: datetime | None = None) -> list[CostLine]:
    """The cost lines of an item, oldest first, up to and including a day."""
    where = [table.c.item == item]
    if until is not None:
        where.append(table.c.on <= until.date().isoformat())
    with store.read() as connection:
        return find(connection, table, CostLine, *where, order_by=(table.c.on, table.c.id))


def costs_by_category(lines: Iterable[CostLine]) -> dict[str, float]:
    """USD by category, by name."""
    totals: dict[str, float] = {}
    for line in lines:
        totals[line.category] = totals.get(line.category, 0.0) + line.usd
    return dict(sorted(totals.items()))


def count_drafts(store: Store, app: str | None = None) -> tuple[int, float]:
    """The runs that reached a draft, of one app or all, and what all model calls cost, failed runs' too (USD)."""
    where = () if app is None else (runs.c.app == app,)
    drafted = select(func.count()).where(*where, runs.c.status.in_(("draft", "accepted", "edited", "rejected")))
    spent = select(func.coalesce(func.sum(runs.c.cost_usd), 0.0)).where(*where)
    with store.read() as connection:
        return int(connection.execute(drafted).scalar_one()), float(connection.execute(spent).scalar_one())
