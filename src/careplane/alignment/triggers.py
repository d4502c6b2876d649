"""Hard triggers: what needs an answer however good the mean of the signs is."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date

from sqlalchemy import Select, func, select

from careplane.alignment.checks import SCALE_GATES, Study, metric_checks
from careplane.records.portfolio import DecisionItem, RegisterItem
from careplane.store import Store
from careplane.store.tables import costs, runs

UNDECIDED_DAYS = 365
FUNDED_DAYS = 90
PLATFORM = "platform"
"""The cost ledger's name for what all apps share; it is no use of GenAI of its own."""
_ENDED = ("retired", "stopped")


def hard_triggers(
    store: Store,
    items: Sequence[RegisterItem],
    decisions: Sequence[DecisionItem],
    studies: Mapping[str, Study],
    today: date,
) -> tuple[str, ...]:
    """One sentence each: a pilot undecided for a year, a tier-3 pilot without an equity measure, money that ends
    within 90 days, and anything that runs or is paid for and is on no register."""
    with store.read() as connection:
        spent = {row.item: float(row.usd) for row in connection.execute(_spent())}
        ran = set(connection.execute(select(runs.c.app).distinct()).scalars())
    known = {item.id for item in items}
    decided = {one.item for one in decisions if one.gate in SCALE_GATES and one.decided_at is not None}
    found = [sentence for item in items for sentence in _of_item(item, item.id in decided, studies, spent, today)]
    found += [f"{name} runs or is paid for, and is on no register." for name in sorted((ran | set(spent)) - known)]
    return tuple(found)


def _of_item(
    item: RegisterItem,
    decided: bool,
    studies: Mapping[str, Study],
    spent: Mapping[str, float],
    today: date,
) -> Iterator[str]:
    days = (today - item.stage_since).days
    if item.stage == "pilot" and days > UNDECIDED_DAYS and not decided:
        yield f"{item.title} has been a pilot for {days} days and nobody has decided."
    strict = item.stage == "pilot" and item.tier == 3
    if strict and not metric_checks(item, studies.get(item.id, Study()), today)["equity"]:
        yield f"{item.title} is a tier 3 pilot without an equity measure."
    left = _funded_days(item, spent.get(item.id, 0.0))
    if left is not None and left < FUNDED_DAYS and item.stage not in _ENDED:
        funds = f"has funds for {round(left)} more days" if left >= 1 else "has used up its funds"
        yield f"{item.title} {funds}."


def _funded_days(item: RegisterItem, spent: float) -> float | None:
    """Days until the committed funds are used up at the yearly cost; ``None`` when no yearly cost is known."""
    if not item.annual_cost_usd:
        return None
    return (item.funding_usd - spent) / (item.annual_cost_usd / 365)


def _spent() -> Select[tuple[str, float]]:
    return (
        select(costs.c.item, func.sum(costs.c.usd).label("usd")).where(costs.c.item != PLATFORM).group_by(costs.c.item)
    )
