"""Allocations derived again: from the plan and its seed, and against what the ledger holds of each."""

from collections.abc import Sequence

from careplane.evidence.allocation import draw
from careplane.evidence.arms import arrival_seed, find_assignments, ledger_name, next_arrival
from careplane.evidence.plans import verify_lock
from careplane.ledger import Ledger
from careplane.records import Record
from careplane.records.evidence import Assignment, Plan
from careplane.store import Store


class AllocationCheck(Record, frozen=True):
    """What came of deriving the allocations of a plan again: how many ``held``, how many of them were ``drawn`` (listed
    units) and had ``arrived``, and each difference in words."""

    plan: str
    held: int
    drawn: int
    arrived: int
    on_ledger: int
    differences: tuple[str, ...]

    @property
    def holds(self) -> bool:
        return not self.differences


def check_allocations(store: Store, ledger: Ledger, plan: Plan) -> AllocationCheck:
    """Derive every allocation of a locked plan again and compare it with the store and the ledger.

    Raises:
        Conflict: the plan is not locked, or was changed after locking.
    """
    verify_lock(store, plan)
    held = find_assignments(store, plan.id)
    listed = {one.unit: one for one in draw(plan)}
    drawn = [one for one in held if one.unit in listed]
    arrived = [one for one in held if one.unit not in listed]
    differences = [*_drawn_again(listed, drawn), *_arrived_again(plan, drawn, arrived, arrival_seed(ledger, plan))]
    noted, missing = _on_ledger(ledger, plan, held)
    return AllocationCheck(
        plan=plan.id,
        held=len(held),
        drawn=len(drawn),
        arrived=len(arrived),
        on_ledger=noted,
        differences=(*differences, *missing),
    )


def _drawn_again(listed: dict[str, Assignment], drawn: Sequence[Assignment]) -> list[str]:
    told = [f"{name} is listed and has no arm." for name in sorted(set(listed) - {one.unit for one in drawn})]
    if len(told) == len(listed):
        return ["The arms are not drawn yet; run: careplane plan assign"] if listed else []
    return told + [
        f"{one.unit}: the store says {_said(one)}, the seed says {_said(listed[one.unit])}."
        for one in drawn
        if _said(one) != _said(listed[one.unit])
    ]


def _arrived_again(plan: Plan, drawn: list[Assignment], arrived: list[Assignment], seed: int) -> list[str]:
    """Allocate all who arrived again, in the order of their positions."""
    told, before = [], list(drawn)
    for one in sorted(arrived, key=lambda one: (one.position or 0, one.stratum)):
        if plan.enrol == "first_contact" and one.place not in plan.strata:
            told.append(f"An allocation was made in {one.place or 'no unit'}, which does not take part in the plan.")
            continue
        again = next_arrival(plan, tuple(before), one.unit, one.place, one.site, seed)
        if (again.arm, again.stratum, again.position) != (one.arm, one.stratum, one.position):
            told.append(
                f"Number {one.position} of {one.stratum}: the store says {one.arm}, the seed says {again.arm} at "
                f"number {again.position}."
            )
        before.append(one)
    return told


def _on_ledger(ledger: Ledger, plan: Plan, held: Sequence[Assignment]) -> tuple[int, list[str]]:
    """How many allocations the ledger holds as the store does; and what it does not. Of two records of one subject the
    later counts: an earlier one was never stored."""
    noted = {
        record.facts["unit"]: record.facts
        for record in ledger.records(kind="plan.allocated")
        if record.facts.get("plan") == plan.id
    }
    told = []
    for one in held:
        facts = noted.get(ledger_name(ledger, plan, one.unit))
        if facts is None:
            told.append(f"{_place(one)} is not on the ledger.")
        elif (facts["arm"], facts["position"]) != (one.arm, one.position):
            told.append(f"{_place(one)}: the store says {one.arm}, the ledger says {facts['arm']}.")
    return len(held) - len(told), told


def _place(one: Assignment) -> str:
    """An allocation in words that name no person."""
    return f"Number {one.position} of {one.stratum}" if one.place else one.unit


def _said(one: Assignment) -> str:
    begins = f" from {one.starts}" if one.starts else ""
    return f"{one.arm}{begins}" if not one.sequence else " ".join(arm[0].upper() for arm in one.sequence)
