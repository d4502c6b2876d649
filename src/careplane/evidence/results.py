"""Results as they are kept: the newest of a plan, all of them, one by its name, and the looks that they were."""

from datetime import datetime

from careplane.errors import NotFound
from careplane.evidence.windows import epoch
from careplane.records.evidence import Look, Plan, Result
from careplane.store import Store, fetch, find
from careplane.store.tables import plans, results


def latest_result(store: Store, plan_id: str) -> Result | None:
    """The newest result of a plan, or ``None`` before its first analysis."""
    found = find_results(store, plan_id)
    return found[0] if found else None


def find_results(store: Store, plan_id: str | None = None) -> list[Result]:
    """All results (of a plan), the newest first."""
    where = () if plan_id is None else (results.c.plan == plan_id,)
    with store.read() as connection:
        return find(connection, results, Result, *where, order_by=(results.c.computed_at.desc(), results.c.plan))


def load_result(store: Store, name: str) -> Result:
    """A result by its name (or the first letters of it), or the newest of the plan of that name.

    Raises:
        NotFound: there is none, or several begin so.
    """
    every = find_results(store)
    found = [one for one in every if one.id == name] or [one for one in every if one.plan == name][:1]
    found = found or [one for one in every if one.id and one.id.startswith(name)]
    if len(found) != 1:
        known = ", ".join(one.id or one.plan for one in every[:20]) or "none"
        raise NotFound(f"There is no one result {name!r}. Known: {known}.")
    return found[0]


def plan_of(store: Store, result: Result) -> Plan:
    """The version of the plan that a result is of.

    Raises:
        NotFound: it is not in the store.
    """
    with store.read() as connection:
        held = fetch(connection, plans, Plan, plans.c.id == result.plan, plans.c.version == result.version)
    if held is None:
        raise NotFound(f"Version {result.version} of the plan {result.plan!r} is not in the store.")
    return held


def earlier_looks(store: Store, plan: Plan, at: datetime) -> tuple[Look, ...]:
    """The looks at the primary measure of a plan in its pilot, before a time and before the end, one a day."""
    first, end = epoch(plan, plan.start), epoch(plan, plan.end)
    looks: dict[str, Look] = {}
    for result in reversed(find_results(store, plan.id)):
        moment = result.computed_at.timestamp()
        for effect in result.effects:
            if (
                effect.role == "primary"
                and effect.look is not None
                and first <= moment < end
                and result.computed_at < at
            ):
                looks[result.computed_at.date().isoformat()] = effect.look
    return tuple(looks.values())
