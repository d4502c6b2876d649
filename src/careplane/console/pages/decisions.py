"""The decision queue by due date and cost of delay, and the page on which one is decided."""

from typing import get_args

from starlette.responses import Response

from careplane.alignment import cost_of_delay, decide, decisions, find_items, load_decision, load_item, must_pause
from careplane.console.pages.page import Page
from careplane.console.visit import Visit
from careplane.console.worth import live_gate
from careplane.errors import InputError
from careplane.evidence import find_plans, latest_result
from careplane.records.portfolio import DecisionItem, Outcome


def queue(visit: Visit) -> Response:
    every = decisions(visit.context.store, visit.today, open_only=False)
    waiting = decisions(visit.context.store, visit.today)
    return visit.page(
        "decisions.html",
        waiting=waiting,
        made=sorted((one for one in every if one.decided_at), key=lambda one: str(one.decided_at), reverse=True),
        late=[one for one in waiting if one.due_on < visit.today],
        delay={one.id: cost_of_delay(one, visit.today) for one in waiting},
        titles={item.id: item.title for item in find_items(visit.context.store)},
    )


def one(visit: Visit) -> Response:
    return _page(visit, _load(visit))


def answer(visit: Visit) -> Response:
    """Take the form: an outcome with its rationale."""
    decision = _load(visit)
    try:
        given = visit.field("outcome")
        outcome = next((name for name in get_args(Outcome) if name == given), None)
        if outcome is None:
            raise InputError("Choose one of the five outcomes.", field="outcome")
        conditions = tuple(line.strip() for line in visit.form.get("contingencies", "").splitlines() if line.strip())
        decide(
            visit.context.store,
            visit.context.ledger,
            decision.id,
            outcome,
            visit.field("rationale"),
            by=visit.who,
            at=visit.now,
            contingencies=conditions,
        )
    except InputError as error:
        return _page(visit, decision, error)
    return visit.go(f"/decisions/{decision.id}")


def _load(visit: Visit) -> DecisionItem:
    return load_decision(visit.context.store, visit.path("id"))


def _page(visit: Visit, decision: DecisionItem, error: InputError | None = None) -> Response:
    store = visit.context.store
    item = load_item(store, decision.item)
    results = [result for plan in find_plans(store, item.id) if (result := latest_result(store, plan.id)) is not None]
    return visit.page(
        "decision.html",
        status=400 if error else 200,
        decision=decision,
        item=item,
        gate=live_gate(visit.context, item.id, decision.gate) if decision.gate else None,
        results=results,
        shown_plans={result.plan for result in results},
        delay=cost_of_delay(decision, visit.today),
        pause=must_pause(decision, visit.today),
        outcomes=get_args(Outcome),
        error=error,
    )


PAGES = (
    Page("/decisions", queue, "portfolio"),
    Page("/decisions/{id}", one, "portfolio"),
    Page("/decisions/{id}", answer, "decide", "POST"),
)
