"""Goals and the uses that serve them, moves of the funnel, and what was stopped and why."""

from starlette.responses import Response

from careplane.alignment import conversion, decisions, find_goals, find_items, find_moves, signal_history
from careplane.console.charts import Figure, xmr_figure
from careplane.console.pages.page import Page
from careplane.console.visit import Visit
from careplane.records import Record
from careplane.records.portfolio import Goal, RegisterItem

MOVES_SHOWN = 20
FEWEST_POINTS = 8
"""An XmR chart of fewer points says little about its limits."""


class GoalRow(Record, frozen=True):
    """A goal with the uses linked to it and the funds committed to them (USD)."""

    goal: Goal
    items: tuple[RegisterItem, ...]
    funding_usd: float


def portfolio(visit: Visit) -> Response:
    items = find_items(visit.context.store)
    goals = find_goals(visit.context.store)
    moves = find_moves(visit.context.store)
    known = {goal.id for goal in goals}
    rows = [_row(goal, items) for goal in goals]
    titles = {item.id: item.title for item in items}
    return visit.page(
        "portfolio.html",
        rows=rows,
        orphans=[item for item in items if not known & set(item.goals)],
        uncovered=[row.goal for row in rows if not row.items],
        moves=[move for move in reversed(moves) if move.from_stage is not None][:MOVES_SHOWN],
        reasons=_stop_reasons(visit),
        stops=[move for move in reversed(moves) if move.to_stage in ("stopped", "retired")][:MOVES_SHOWN],
        titles=titles,
        conversion=conversion(visit.context.store, visit.today),
        history=_history(visit),
    )


def _stop_reasons(visit: Visit) -> dict[str, str]:
    """By use, why the latest decision to stop it was taken."""
    made = decisions(visit.context.store, visit.today, open_only=False)
    stopped = sorted(
        (one for one in made if one.outcome == "stop" and one.rationale), key=lambda one: str(one.decided_at)
    )
    return {one.item: one.rationale for one in stopped}


def _history(visit: Visit) -> Figure | None:
    """The Pilot Reliance Index by day, once enough days are kept."""
    kept = signal_history(visit.context.store)
    points = [(day.computed_at.date().isoformat(), day.index) for day in kept if day.index is not None]
    return xmr_figure("Pilot Reliance Index", "of 100", points) if len(points) >= FEWEST_POINTS else None


def _row(goal: Goal, items: list[RegisterItem]) -> GoalRow:
    linked = tuple(item for item in items if goal.id in item.goals)
    return GoalRow(goal=goal, items=linked, funding_usd=sum(item.funding_usd for item in linked))


PAGES = (Page("/portfolio", portfolio, "portfolio"),)
