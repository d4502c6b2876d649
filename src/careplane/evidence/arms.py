"""Arms: drawn by the platform from the seed of a locked plan, once; and the arm that holds for an event.

Who arrives one by one is allocated at the first event, in a transaction, so that workers that see it at the same time
give one arm. An allocation never changes: a patient who changes clinic and a clinician who changes unit keep theirs.
Every allocation is on the ledger with what it was computed from (:mod:`careplane.evidence.audit` derives it again).
"""

from datetime import datetime

from msgspec.structs import replace
from sqlalchemy import Connection, select

from careplane.evidence.allocation import arrival_levels, block_arm, draw, listed_levels, minimised_arm
from careplane.evidence.plans import locked_plans, verify_lock
from careplane.evidence.windows import epoch, in_window
from careplane.ledger import Ledger, Prepared, prepare
from careplane.records.design import RANDOMISED, Arm, Minimisation, Placement
from careplane.records.evidence import Assignment, Plan
from careplane.records.run import Event
from careplane.store import Store, fetch, find, insert_new
from careplane.store.tables import assignments, plans

JOINED = "joined"
"""The stratum of units that join a plan after its units were listed."""

_LONGEST = 120
"""Characters of a name on the ledger; a longer one is put there as its pseudonym."""


def assign(store: Store, ledger: Ledger, plan: Plan, at: datetime) -> tuple[Assignment, ...]:
    """Draw the arms of the listed units of a locked plan and record them; once drawn they stay.

    Raises:
        Conflict: the plan is not locked, or was changed after locking.
    """
    verify_lock(store, plan)
    with store.write() as connection:
        _hold(connection, plan)
        held = _allocated(connection, plan.id)
        drawn = () if held else tuple(replace(one, at=at) for one in draw(plan))
        if not drawn:
            return held
        for one in drawn:
            insert_new(connection, assignments, one, plan=one.plan, unit=one.unit, arm=one.arm)
        facts: dict[str, str | int] = {
            "plan": plan.id,
            "hash": plan.hash,
            "seed": plan.seed,
            "units": len(drawn),
            "intervention": sum(one.arm == "intervention" for one in drawn),
        }
        whole = prepare("plan.assigned", at, None, plan.app, None, facts)
        ledger.append_all([whole, *(allocation_entry(ledger, plan, one, at) for one in drawn)])
    return tuple(sorted(drawn, key=lambda one: one.unit))


def find_assignments(store: Store, plan_id: str) -> tuple[Assignment, ...]:
    """The arms of a plan, by unit; empty before they are drawn."""
    with store.read() as connection:
        return _allocated(connection, plan_id)


def placement(store: Store, ledger: Ledger, event: Event, now: datetime) -> Placement | None:
    """Where an event stands in the running plans of its app; who has no arm yet and should is allocated.

    Args:
        now: the time that an allocation gets.

    Returns:
        ``None`` when no plan of the app runs at the time of the event, or none that cares about its unit.

    Raises:
        LedgerError: an allocation could not be put on the ledger, so it was not made.
    """
    outside = None
    for plan in locked_plans(store, event.app):
        if not in_window(plan, event.at):
            continue
        found = _placed(store, ledger, plan, event, now)
        if found is not None and found.arm is not None:
            return found
        outside = outside or found
    return outside


def arm_at(plan: Plan, given: Assignment, at: datetime) -> Arm:
    """The arm that an allocation means at a time of the pilot: units that begin later are controls until then."""
    if given.sequence and plan.switching is not None:
        day = int(at.timestamp() - epoch(plan, plan.start)) // 86400
        return given.sequence[min(max(0, day) // plan.switching.period_days, len(given.sequence) - 1)]
    if given.starts is not None and at.timestamp() < epoch(plan, given.starts):
        return "control"
    return given.arm


def _placed(store: Store, ledger: Ledger, plan: Plan, event: Event, now: datetime) -> Placement | None:
    subject = {"patient": event.patient, "clinician": event.user, "site": event.site}.get(plan.unit, event.unit)
    if subject is None:
        return Placement(plan=plan.id, arm=None, reason=f"The event names no {plan.unit}, so it has no arm.")
    given = _one(store, plan, subject)
    if given is None and _may_join(plan, event, subject):
        given = _allocate(store, ledger, plan, event, subject, now)
    if given is not None:
        moved = bool(given.place) and event.unit is not None and event.unit != given.place
        return Placement(plan=plan.id, arm=arm_at(plan, given, event.at), subject=subject, moved=moved)
    if plan.joiners == "ignore" and subject not in plan.clusters:
        return None
    what = "its arms are not drawn yet" if subject in plan.clusters else f"this {plan.unit} does not take part in it"
    return Placement(plan=plan.id, arm=None, subject=subject, reason=f"Plan {plan.id} is running and {what}.")


def _may_join(plan: Plan, event: Event, subject: str) -> bool:
    """Whether who has no arm gets one now: persons who arrive where the plan runs, and units if the plan says so."""
    if plan.enrol == "first_contact":
        return event.unit in plan.clusters
    return plan.joiners == "allocate" and plan.design in RANDOMISED and subject not in plan.clusters


def _allocate(store: Store, ledger: Ledger, plan: Plan, event: Event, subject: str, now: datetime) -> Assignment:
    """Allocate who arrives, after all who came before; one transaction, so that two workers give one arm."""
    with store.write() as connection:
        _hold(connection, plan)
        held = _allocated(connection, plan.id)
        known = next((one for one in held if one.unit == subject), None)
        if known is not None:
            return known
        given = next_arrival(plan, held, subject, event.unit or "", event.site or "", arrival_seed(ledger, plan))
        given = replace(given, at=now)
        insert_new(connection, assignments, given, plan=plan.id, unit=subject, arm=given.arm)
        ledger.append_all([allocation_entry(ledger, plan, given, now)])
        return given


def arrival_seed(ledger: Ledger, plan: Plan) -> int:
    """The seed of those who arrive: of the plan's and of the key of the installation, so that nobody who has read the
    plan can tell the next arm, and the installation can derive each again."""
    return int(ledger.pseudonym(f"allocation\x1f{plan.id}\x1f{plan.seed}"), 16)


def next_arrival(
    plan: Plan, held: tuple[Assignment, ...], subject: str, place: str, site: str, seed: int
) -> Assignment:
    """The allocation of who arrives after those who are held.

    A person belongs to the stratum of the place of the first event; a unit that joins to the stratum ``joined``.
    """
    person = plan.enrol == "first_contact"
    stratum = plan.strata[place] if person else JOINED
    if plan.allocation == "minimised":
        position = len(held)
        levels = arrival_levels(plan, place, site) if person else {"stratum": JOINED}
        before = [(_levels(plan, one), one.arm) for one in held]
        arm = minimised_arm(seed, plan.minimisation or Minimisation(), before, levels, position)
    else:
        position = sum(one.stratum == stratum for one in held)
        arm = block_arm(seed, stratum, plan.block_sizes, position)
    seen = (place, site) if person else ("", "")
    return Assignment(
        plan=plan.id, unit=subject, arm=arm, stratum=stratum, place=seen[0], site=seen[1], position=position
    )


def _levels(plan: Plan, one: Assignment) -> dict[str, str]:
    if one.place:
        return arrival_levels(plan, one.place, one.site)
    return listed_levels(plan, one.unit) if one.unit in plan.strata else {"stratum": one.stratum}


def allocation_entry(ledger: Ledger, plan: Plan, one: Assignment, at: datetime) -> Prepared:
    """What the ledger holds of an allocation; persons by their pseudonym."""
    facts: dict[str, str | int | None] = {
        "plan": plan.id,
        "hash": plan.hash,
        "unit": ledger_name(ledger, plan, one.unit),
        "arm": one.arm,
        "stratum": _short(ledger, one.stratum),
        "place": _short(ledger, one.place) if one.place else None,
        "position": one.position,
        "starts": one.starts.isoformat() if one.starts else None,
        "sequence": _short(ledger, "".join(arm[0] for arm in one.sequence)) if one.sequence else None,
    }
    return prepare("plan.allocated", at, None, plan.app, None, facts)


def ledger_name(ledger: Ledger, plan: Plan, subject: str) -> str:
    """What has an arm, as the ledger names it: people by pseudonym."""
    return ledger.pseudonym(subject) if plan.unit in ("patient", "clinician") else _short(ledger, subject)


def _short(ledger: Ledger, name: str) -> str:
    return name if len(name) <= _LONGEST and name.isprintable() else ledger.pseudonym(name)


def _hold(connection: Connection, plan: Plan) -> None:
    """Make the allocations of a plan wait for each other: on PostgreSQL by its first row; SQLite has one writer."""
    connection.execute(select(plans.c.id).where(plans.c.id == plan.id, plans.c.version == 1).with_for_update())


def _allocated(connection: Connection, plan_id: str) -> tuple[Assignment, ...]:
    rows = find(connection, assignments, Assignment, assignments.c.plan == plan_id, order_by=(assignments.c.unit,))
    return tuple(rows)


def _one(store: Store, plan: Plan, subject: str) -> Assignment | None:
    where = (assignments.c.plan == plan.id, assignments.c.unit == subject)
    with store.read() as connection:
        return fetch(connection, assignments, Assignment, *where)
