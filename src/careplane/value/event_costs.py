"""What an eligible event of a pilot cost, in parts that can be drawn from (measure M31: gamma and PERT).

What was booked is fixed; what varies between events (model calls, minutes of review) is a gamma of its mean and
standard error; what ``app.yaml`` only assumes is a PERT from half to twice the figure, which is a default.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

import numpy as np
from sqlalchemy import func, select

from careplane.estimators import Floats
from careplane.evidence.run_tables import RunRecord, read_record
from careplane.records.app import CostDriver
from careplane.records.evidence import Plan, Result
from careplane.records.run import Run
from careplane.store import Store, stamp
from careplane.store.tables import runs as runs_table
from careplane.value.benefit import MODEL_USAGE
from careplane.value.costs import PLATFORM, find_costs

LEAST, MOST = 0.5, 2.0
"""Ends of the PERT of an assumption, as shares of the figure: a default of this library."""
DAYS_PER_MONTH = 365.25 / 12


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the cost of an event: its mean (USD), and the standard error of a gamma where it has one."""

    name: str
    usd: float
    basis: str
    se: float = 0.0
    assumed: bool = False

    def draw(self, rng: np.random.Generator, count: int) -> Floats:
        """Draws of the mean cost of an event, USD, shape (count,)."""
        if self.assumed and self.usd > 0:
            low, high = LEAST * self.usd, MOST * self.usd
            rise, fall = ((end - self.usd) / (high - low) for end in (low, high))
            return low + (high - low) * rng.beta(1 - 4 * rise, 1 + 4 * fall, count)
        if self.usd > 0 and self.se > 0:
            return rng.gamma((self.usd / self.se) ** 2, self.se**2 / self.usd, count)
        return np.full(count, self.usd)


def event_costs(
    store: Store, plan: Plan, result: Result, drivers: Sequence[CostDriver], *, review: bool = True
) -> tuple[list[Part], list[str]]:
    """The parts of the cost per eligible event of the intervention arm, and in words what is not among them.

    Args:
        drivers: what the app assumes of its costs; taken only where the ledger holds none of them.
        review: whether minutes of review count; not where the measure itself counts them.
    """
    events, until = result.uptake.eligible, min(_midnight(plan), result.computed_at)
    record = read_record(store, plan.app, plan.id)
    mine = [run for run in record.runs if run.arm == "intervention" and plan.start <= run.event.at.date() < plan.end]
    lines = find_costs(store, plan.app, until - timedelta(seconds=1))
    parts, missing = [], []
    booked: dict[str, float] = {}
    for line in lines:
        booked[line.category] = booked.get(line.category, 0.0) + line.usd
    if MODEL_USAGE not in booked:
        parts.append(_sampled("Model calls", [run.cost_usd for run in mine], events, "run record"))
        if not parts[-1].usd:
            missing.append("Model calls: none of these runs has a cost on record (a model without a price, or no run).")
    share = _share(store, len(mine), until, plan.app)
    told = f"cost ledger until {until:%Y-%m-%d}, {share:.0%} of it by events; fixed"
    parts += [Part(name.replace("_", " ").capitalize(), usd * share / events, told) for name, usd in booked.items()]
    shared = sum(line.usd for line in find_costs(store, PLATFORM, until - timedelta(seconds=1)))
    if shared:
        part = _share(store, len(mine), until)
        parts.append(Part("Platform share", shared * part / events, f"cost ledger, {part:.1%} of it by events; fixed"))
    else:
        missing.append("The platform that all apps share: its costs are not in the ledger.")
    if review:
        found, unknown = _review(record, mine, events)
        parts += found
        missing += unknown
    else:
        missing.append("Minutes of review: the measure counts them already.")
    if not lines:
        found, unknown = _assumed(drivers, mine, events, (until.date() - plan.start).days)
        parts += found
        missing += unknown
    return [part for part in parts if part.usd], missing


def _midnight(plan: Plan) -> datetime:
    return datetime.combine(plan.end, time(), UTC)


def _share(store: Store, mine: int, until: datetime, app: str | None = None) -> float:
    """The share of the pilot in all runs outside a control arm (of an app) up to a time; all where there were none."""
    where = [func.coalesce(runs_table.c.arm, "") != "control", runs_table.c.at <= stamp(until)]
    if app is not None:
        where.append(runs_table.c.app == app)
    with store.read() as connection:
        every = int(connection.execute(select(func.count()).where(*where)).scalar_one())
    return min(1.0, mine / every) if every else float(app is not None)


def _sampled(name: str, values: Sequence[float], events: int, source: str) -> Part:
    """The mean over all eligible events, those without a value costing nothing, with its standard error."""
    mean = sum(values) / events
    spread = max(0.0, sum(value**2 for value in values) / events - mean**2)
    basis = f"{source}, {len(values):,} runs over {events:,} events; gamma"
    return Part(name, mean, basis, (spread / events) ** 0.5)


def _review(record: RunRecord, mine: Sequence[Run], events: int) -> tuple[list[Part], list[str]]:
    rates = {person.rpartition("/")[2]: float(rate) for person, rate in record.rates.items()}
    done = [run.review for run in mine if run.review is not None]
    known = [one.seconds * rates[who] / 3600 for one in done if (who := one.by.rpartition("/")[2]) in rates]
    without = len(done) - len(known)
    told = [f"{without:,} of {len(done):,} reviews: the hourly rate of the person is not known."] if without else []
    told += [] if done else ["Minutes of review: none is recorded."]
    return ([_sampled("Review time", known, events, "review seconds at the ERP's rates")] if known else []), told


def _assumed(
    drivers: Sequence[CostDriver], mine: Sequence[Run], events: int, days: int
) -> tuple[list[Part], list[str]]:
    people = len({run.review.by for run in mine if run.review is not None})
    times = {"run": len(mine), "month": days / DAYS_PER_MONTH, "user": people, "once": 1}
    basis = f"app.yaml, not booked; PERT from {LEAST:g} to {MOST:g} times (default); charged to the pilot in full"
    parts = [
        Part(one.name, one.usd * times[one.per] / events, basis, assumed=True) for one in drivers if one.per in times
    ]
    return parts, [f"{one.name}: hours are not recorded." for one in drivers if one.per not in times]
