"""The decision queue: each decision has a question, an owner and a due date; not deciding is measured.

Outcomes are Duke's four (approve, approve with contingencies, re-review, decline) and stop.
"""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from uuid import uuid4

import msgspec
import numpy as np

from careplane.alignment.register import load_item
from careplane.errors import Conflict, InputError, NotFound, Refused
from careplane.ledger import Ledger
from careplane.records.portfolio import DecisionItem, Outcome
from careplane.store import Store, fetch, find, insert_new, save, stamp
from careplane.store.tables import decisions as table

SLA_BUSINESS_DAYS = {1: 5, 2: 15, 3: 30}
"""Business days allowed by tier; defaults."""
DEFERRALS_ALLOWED = 2


def open_decision(
    store: Store,
    ledger: Ledger,
    item: str,
    question: str,
    owner: str,
    at: datetime,
    *,
    requested_by: str = "",
    gate: str = "",
    options: Sequence[str] = (),
    evidence: Sequence[str] = (),
    net_benefit_per_year_usd: float | None = None,
) -> DecisionItem:
    """Ask for a decision; it is due after the business days that the item's tier allows.

    Raises:
        InputError: question or owner is empty.
        NotFound: the item is not on the register.
    """
    for field, value in (("question", question), ("owner", owner)):
        if not value.strip():
            raise InputError("must not be empty", field=field)
    tier = load_item(store, item).tier
    decision = DecisionItem(
        id=f"d-{uuid4().hex[:12]}",
        item=item,
        question=question.strip(),
        owner=owner.strip(),
        opened_at=at,
        due_on=due_date(at.date(), tier),
        tier=tier,
        gate=gate,
        options=tuple(options),
        evidence=tuple(evidence),
        net_benefit_per_year_usd=net_benefit_per_year_usd,
        requested_by=requested_by,
    )
    facts = {"decision": decision.id, "gate": gate, "due_on": decision.due_on.isoformat()}
    ledger.append("decision.opened", at=at, app=item, actor=requested_by or owner, facts=facts)
    _save(store, decision)
    return decision


def due_date(opened: date, tier: int) -> date:
    """The day a decision is due: the tier's business days (Monday to Friday) after it was opened."""
    due: date = np.busday_offset(opened, SLA_BUSINESS_DAYS[tier], roll="backward").astype(object)
    return due


def import_decisions(store: Store, decisions: Iterable[DecisionItem]) -> int:
    """Add decisions kept elsewhere; says how many were new. A repeat changes nothing."""
    with store.write() as connection:
        return sum(insert_new(connection, table, one, **_columns(one)) for one in decisions)


def decide(
    store: Store,
    ledger: Ledger,
    decision: str,
    outcome: Outcome,
    rationale: str,
    by: str,
    at: datetime,
    contingencies: Sequence[str] = (),
) -> DecisionItem:
    """Make a decision.

    Raises:
        InputError: no rationale, or an approval with contingencies that names none.
        Refused: the person who asked for it decides.
        Conflict: it was decided already.
    """
    if not rationale.strip():
        raise InputError("say why", field="rationale")
    if outcome == "approve_with_contingencies" and not contingencies:
        raise InputError("name at least one contingency", field="contingencies")
    held = _undecided(store, decision)
    if held.requested_by and held.requested_by == by:
        raise Refused([f"{by} asked for this decision."], "Another person must decide it.")
    made = msgspec.structs.replace(
        held,
        outcome=outcome,
        rationale=rationale.strip(),
        contingencies=tuple(contingencies),
        decided_at=at,
        decided_by=by,
    )
    ledger.append(
        "decision.made",
        at=at,
        app=held.item,
        actor=by,
        facts={"decision": held.id, "outcome": outcome, "gate": held.gate, "late": at.date() > held.due_on},
    )
    _save(store, made)
    return made


def defer(
    store: Store,
    ledger: Ledger,
    decision: str,
    until: date,
    by: str,
    at: datetime,
    *,
    sponsor_absent: bool = False,
) -> DecisionItem:
    """Put a decision off. Its due date stays, so that lateness keeps counting; ``until`` is kept in the ledger.

    Raises:
        InputError: ``until`` is not after today.
        Conflict: it was decided already.
    """
    if until <= at.date():
        raise InputError("must be after today", field="until")
    held = _undecided(store, decision)
    deferred = msgspec.structs.replace(
        held, deferrals=held.deferrals + 1, sponsor_absent=held.sponsor_absent + sponsor_absent
    )
    ledger.append(
        "decision.deferred",
        at=at,
        app=held.item,
        actor=by,
        facts={"decision": held.id, "until": until.isoformat(), "deferrals": deferred.deferrals},
    )
    _save(store, deferred)
    return deferred


def load_decision(store: Store, decision: str) -> DecisionItem:
    """A decision by id.

    Raises:
        NotFound: there is none.
    """
    with store.read() as connection:
        held = fetch(connection, table, DecisionItem, table.c.id == decision)
    if held is None:
        raise NotFound(f"There is no decision {decision!r}.")
    return held


def decisions(store: Store, today: date, open_only: bool = True) -> list[DecisionItem]:
    """Decisions, the costliest delay first, then by due date."""
    where = (table.c.decided_at.is_(None),) if open_only else ()
    with store.read() as connection:
        found = find(connection, table, DecisionItem, *where)
    return sorted(found, key=lambda one: (-(cost_of_delay(one, today) or 0.0), one.due_on, one.id))


def days_late(decision: DecisionItem, today: date) -> int:
    """Days past its due date, until it was decided or until today; 0 when in time."""
    end = decision.decided_at.date() if decision.decided_at else today
    return max(0, (end - decision.due_on).days)


def cost_of_delay(decision: DecisionItem, today: date) -> float | None:
    """USD lost by deciding late: days late × expected net benefit per day; ``None`` when that benefit is not known."""
    if decision.net_benefit_per_year_usd is None:
        return None
    return days_late(decision, today) * decision.net_benefit_per_year_usd / 365


def must_pause(decision: DecisionItem, today: date) -> bool:
    """The default on silence: past its due date after two deferrals, the pilot should stop enrolling until renewed."""
    return decision.decided_at is None and decision.deferrals >= DEFERRALS_ALLOWED and today > decision.due_on


def _undecided(store: Store, decision: str) -> DecisionItem:
    held = load_decision(store, decision)
    if held.decided_at is not None:
        raise Conflict(f"Decision {held.id} was made already, by {held.decided_by}.")
    return held


def _save(store: Store, decision: DecisionItem) -> None:
    with store.write() as connection:
        save(connection, table, decision, **_columns(decision))


def _columns(decision: DecisionItem) -> dict[str, str | None]:
    decided = decision.decided_at
    return {
        "id": decision.id,
        "item": decision.item,
        "due_on": decision.due_on.isoformat(),
        "decided_at": None if decided is None else stamp(decided),
    }
