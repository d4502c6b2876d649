"""The Triple Aim grid, and value by purse: cash, capacity and soft time are never added up."""

from math import ceil
from typing import get_args

from starlette.responses import Response

from careplane.alignment import find_items
from careplane.console.pages.page import Page
from careplane.console.visit import Visit
from careplane.console.worth import value_now
from careplane.records.money import Aim, Purse
from careplane.value import model_usd_per_run, newest_results, triple_aim

AIMS: tuple[Aim, ...] = get_args(Aim)
PURSES: dict[Purse, str] = {
    "cash": "leaves the budget",
    "capacity": "re-used on the schedule",
    "soft": "time that nobody has booked",
}
SHOWN_STAGES = ("shadow", "pilot", "limited_production", "scaled", "sustained")
PAGE_ROWS = 25


def value(visit: Visit) -> Response:
    store = visit.context.store
    results = newest_results(store)
    items = [item for item in find_items(store) if item.stage in SHOWN_STAGES]
    items.sort(key=lambda item: item.id not in results)
    cells = triple_aim(store, items, results, visit.context.measures)
    pages = max(1, ceil(len(items) / PAGE_ROWS))
    page = min(max(1, visit.number("page", 1)), pages)
    shown = items[(page - 1) * PAGE_ROWS : page * PAGE_ROWS]
    values = {item.id: value_now(visit.context, item, results.get(item.id)) for item in shown}
    found = {cell.item for cell in cells if cell.status == "measured"}
    return visit.page(
        "value.html",
        items=shown,
        page=page,
        pages=pages,
        count_all=len(items),
        cells={(cell.item, cell.aim): cell for cell in cells},
        aims=AIMS,
        purses=PURSES,
        values=values,
        more={name: model_usd_per_run(value) for name, value in values.items()},
        plans={name: result.plan for name, result in results.items()},
        shown_items=len(found),
        unmeasured_usd=sum(value.cost_total for name, value in values.items() if name not in found and pages == 1),
        measured=sum(cell.status == "measured" for cell in cells),
        total=len(cells),
    )


PAGES = (Page("/value", value, "portfolio"),)
