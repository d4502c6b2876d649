"""Arms: drawn by the platform from the seed of a locked plan, stratified, the same for any order of the units."""

import hashlib
from datetime import datetime

from careplane.evidence.plans import find_plans, verify_lock
from careplane.evidence.windows import in_window
from careplane.ledger import Ledger
from careplane.records.evidence import Assignment, Plan
from careplane.store import Store, fetch, find, insert_new
from careplane.store.tables import assignments


def assign(store: Store, ledger: Ledger, plan: Plan, at: datetime) -> tuple[Assignment, ...]:
    """Draw the arms of a locked plan, half of each stratum each, and record them; once drawn they stay.

    Raises:
        Conflict: the plan is not locked, or was changed after locking.
    """
    verify_lock(store, plan)
    held = find_assignments(store, plan.id)
    if held:
        return held
    drawn = draw(plan)
    with store.write() as connection:
        for one in drawn:
            insert_new(connection, assignments, one, plan=one.plan, unit=one.unit, arm=one.arm)
    chosen = [one.unit for one in drawn if one.arm == "intervention"]
    facts: dict[str, str | int] = {
        "plan": plan.id,
        "hash": plan.hash,
        "seed": plan.seed,
        "intervention": " ".join(chosen),
    }
    ledger.append("plan.assigned", at=at, app=plan.app, facts=facts)
    return drawn


def draw(plan: Plan) -> tuple[Assignment, ...]:
    """The allocation: units of a stratum in the order of a hash of seed and unit, the first half intervention.

    In a stratum of odd size the hash of the stratum decides which arm gets the unit that is left.
    """
    drawn = []
    for stratum in sorted(set(plan.strata.values())):
        units = [unit for unit in plan.clusters if plan.strata[unit] == stratum]
        units.sort(key=lambda unit: _digest(plan.seed, stratum, unit))
        treated = (len(units) + _digest(plan.seed, stratum)[0] % 2) // 2
        drawn += [
            Assignment(plan=plan.id, unit=unit, arm="intervention" if rank < treated else "control", stratum=stratum)
            for rank, unit in enumerate(units)
        ]
    return tuple(sorted(drawn, key=lambda one: one.unit))


def _digest(seed: int, *parts: str) -> bytes:
    return hashlib.sha256("\x1f".join((str(seed), *parts)).encode()).digest()


def find_assignments(store: Store, plan_id: str) -> tuple[Assignment, ...]:
    """The arms of a plan, by unit; empty before they are drawn."""
    with store.read() as connection:
        rows = find(connection, assignments, Assignment, assignments.c.plan == plan_id, order_by=(assignments.c.unit,))
    return tuple(rows)


def arm_of(store: Store, app: str, unit: str | None, at: datetime) -> tuple[str, str] | None:
    """The plan and the arm that hold for a unit at a time, or ``None`` when no pilot of the app includes it then."""
    for plan in find_plans(store, app):
        if unit is None or not plan.locked or not in_window(plan, at):
            continue
        where = (assignments.c.plan == plan.id, assignments.c.unit == unit)
        with store.read() as connection:
            held = fetch(connection, assignments, Assignment, *where)
        if held is not None:
            return plan.id, held.arm
    return None
