"""Baselines: the points that limits come from, frozen once they are enough; a new one needs a reason and a name."""

from collections.abc import Sequence
from datetime import date, datetime

from msgspec.structs import replace

from careplane.errors import InputError
from careplane.evidence.monitoring.series import Point
from careplane.ledger import Ledger
from careplane.records.monitoring import Rebase
from careplane.store import Store, find, save
from careplane.store.tables import monitor_baselines

FIRST = "monitor"
"""Who froze the first baseline: nobody in person."""


def rebase(
    store: Store, ledger: Ledger, app: str, metric: str, start: date, reason: str, by: str, at: datetime
) -> Rebase:
    """Begin a new baseline at a day: the process was changed on purpose, so its limits are to be new.

    Raises:
        InputError: no reason or person is given.
    """
    for field, value in (("reason", reason), ("by", by)):
        if not value.strip():
            raise InputError("must not be empty", field=field)
    made = Rebase(app=app, metric=metric, start=start.isoformat(), reason=reason.strip(), by=by.strip(), at=at)
    _save(store, made)
    ledger.append("monitor.rebased", at=at, actor=made.by, app=app, facts={"metric": metric, "start": made.start})
    return made


def find_baselines(store: Store, app: str, metric: str) -> list[Rebase]:
    """The baselines of a metric, oldest first."""
    where = (monitor_baselines.c.app == app, monitor_baselines.c.metric == metric)
    with store.read() as connection:
        return find(connection, monitor_baselines, Rebase, *where, order_by=(monitor_baselines.c.start,))


def frozen(
    store: Store, app: str, metric: str, points: Sequence[Point], least: int, now: datetime
) -> tuple[list[Point], list[Rebase]]:
    """The points with each baseline as it was when it was frozen, and the baselines; those that have enough points now
    are frozen. What comes late to a frozen period changes nothing that limits rest on."""
    held = find_baselines(store, app, metric)
    if not held or (points and points[0].time < held[0].start):
        start = points[0].time if points else ""
        first = Rebase(app=app, metric=metric, start=start, reason=f"the first {least} periods", by=FIRST, at=now)
        held = [first, *held] if points else held
    told = []
    for number, one in enumerate(held):
        end = held[number + 1].start if number + 1 < len(held) else "9999"
        inside = [(point.time, point.amount, float(point.size)) for point in points if one.start <= point.time < end]
        if not one.points and len(inside) >= least:
            one = replace(one, points=tuple(inside[:least]))
            _save(store, one)
        told.append(one)
    kept = {point.time: point for point in points}
    kept |= {time: Point(time, amount, int(size)) for one in told for time, amount, size in one.points}
    return [kept[time] for time in sorted(kept)], told


def _save(store: Store, one: Rebase) -> None:
    with store.write() as connection:
        save(connection, monitor_baselines, one, app=one.app, metric=one.metric, start=one.start)
