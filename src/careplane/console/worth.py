"""What several pages, the board pack and the demo's summary say about one item: its value now, and its live gate."""

from sqlalchemy import func, select

from careplane.alignment import gate, load_item
from careplane.change import three_questions, trained_share
from careplane.console.context import ConsoleContext
from careplane.evidence import load_plan
from careplane.records.evidence import Result
from careplane.records.money import Value
from careplane.records.portfolio import Gate, RegisterItem
from careplane.store import Store
from careplane.store.tables import runs
from careplane.value import newest_results, triple_aim, value_of


def value_now(context: ConsoleContext, item: RegisterItem, result: Result | None) -> Value:
    """Costs and value of an item. Time is valued for the events that the pilot's clinics had, brought to a year."""
    yearly = events_per_year(context.store, result) if result is not None else None
    return value_of(context.store, item, result, context.clock(), messages_per_year=yearly)


def events_per_year(store: Store, result: Result) -> float | None:
    """Eligible events of the intervention arm, brought from the days of the plan to a year."""
    plan = load_plan(store, result.plan)
    days = (plan.end - plan.start).days
    return result.uptake.eligible * 365 / days if days > 0 else None


def live_gate(context: ConsoleContext, item_id: str, name: str) -> Gate:
    """Compute a gate of an item from live data.

    Raises:
        NotFound: no such gate, or the item is not on the register.
    """
    store, now = context.store, context.clock()
    item = load_item(store, item_id)
    app = context.apps.get(item_id)
    result = newest_results(store).get(item_id)
    return gate(
        store,
        item_id,
        name,
        now.date(),
        result=result,
        value=value_now(context, item, result),
        questions=three_questions(store, item_id, context.small_cell),
        trained_share=trained_share(store, app, users(store, item_id), now) if app else None,
        aims=triple_aim(store, [item], {item_id: result} if result else {}, context.measures),
    )


def users(store: Store, app: str) -> list[str]:
    """Everybody whom the app is meant to serve: it was triggered for them outside the control arm of a plan, whether or
    not it was allowed to speak. A control arm is left untrained on purpose."""
    served = (runs.c.app == app, runs.c.reviewer.is_not(None), func.coalesce(runs.c.arm, "") != "control")
    query = select(runs.c.reviewer).where(*served).distinct()
    with store.read() as connection:
        return [str(person) for person in connection.execute(query.order_by(runs.c.reviewer)).scalars()]
