"""The register of every use, and the page of one."""

from collections.abc import Callable
from math import ceil
from typing import Any, get_args

from starlette.responses import Response

from careplane.alignment import decisions, find_items, find_moves, load_item
from careplane.alignment.checks import Study, metric_checks, path_checks, studies
from careplane.alignment.integration import latest_report
from careplane.change import find_requests, three_questions
from careplane.console.charts import use_figure
from careplane.console.pages.counts import run_counts, weekly_use
from careplane.console.pages.page import Page
from careplane.console.visit import Visit
from careplane.console.worth import value_now
from careplane.evidence import find_plans, latest_result
from careplane.governance import stopped
from careplane.records.portfolio import INTEGRATION_CHECKS, PATH_CHECKS, STAGES, Kind, RegisterItem
from careplane.value import fixed_usd, model_usd_per_run
from careplane.workflow.time_budget import time_budget

PAGE_ROWS = 50
SORTS: dict[str, Callable[[RegisterItem], Any]] = {
    "title": lambda item: item.title.lower(),
    "stage": lambda item: STAGES.index(item.stage),
    "tier": lambda item: item.tier,
    "kind": lambda item: item.kind,
    "owner": lambda item: (item.owner is not None, (item.owner or "").lower()),
    "path": lambda item: len(item.path),
    "since": lambda item: item.stage_since,
    "cost": lambda item: (item.annual_cost_usd is not None, item.annual_cost_usd or 0.0),
}


def register(visit: Visit) -> Response:
    found = _found(visit)
    order = visit.query("sort", "title")
    name = order.removeprefix("-")
    found.sort(key=SORTS.get(name, SORTS["title"]), reverse=order.startswith("-"))
    pages = max(1, ceil(len(found) / PAGE_ROWS))
    page = min(max(1, visit.number("page", 1)), pages)
    return visit.page(
        "register.html",
        items=found[(page - 1) * PAGE_ROWS : page * PAGE_ROWS],
        total=len(found),
        page=page,
        pages=pages,
        order=order,
        stages=STAGES,
        kinds=get_args(Kind),
        nobody=sum(item.owner is None for item in found),
        path_checks=len(PATH_CHECKS),
    )


def _found(visit: Visit) -> list[RegisterItem]:
    stage, kind = visit.query("stage"), visit.query("kind")
    tier, owner = visit.query("tier"), visit.query("owner")
    return find_items(
        visit.context.store,
        visit.query("q"),
        stage=next((name for name in STAGES if name == stage), None),
        tier=int(tier) if tier in ("1", "2", "3") else None,
        kind=next((name for name in get_args(Kind) if name == kind), None),
        owner=None if not owner else "" if owner == "nobody" else owner,
    )


def item(visit: Visit) -> Response:
    store = visit.context.store
    row = load_item(store, visit.path("id"))
    app = visit.context.apps.get(row.id)
    plans = find_plans(store, row.id)
    results = {plan.id: latest_result(store, plan.id) for plan in plans}
    own = [one for one in decisions(store, visit.today, open_only=False) if one.item == row.id]
    last = next((result for result in results.values() if result is not None), None)
    value = value_now(visit.context, row, last)
    return visit.page(
        "item.html",
        item=row,
        app=app,
        use=use_figure(weekly_use(store, row.id)) if app else None,
        runs=run_counts(store, row.id),
        checks=[
            _checks("Path to scale", row, path_checks(row, visit.today, own)),
            _checks(_integration_title(row), row, {name: name in row.integration for name in INTEGRATION_CHECKS}),
            _checks("Measured", row, metric_checks(row, studies(store).get(row.id, Study()), visit.today)),
        ],
        integration=latest_report(store, row.id),
        plans=plans,
        results=results,
        time=time_budget(store, row.id) if app else None,
        minutes=[one for one in last.effects if one.unit in ("min", "minutes")] if last else [],
        value=value,
        fixed=fixed_usd(value),
        more=model_usd_per_run(value),
        voice=three_questions(store, row.id, visit.context.small_cell),
        requests=find_requests(store, row.id),
        decisions=own,
        moves=find_moves(store, row.id),
        stop=stopped(store, row.id, None, app.spec.version) if app else None,
    )


def _integration_title(row: RegisterItem) -> str:
    """Whether the answers were measured, and when, or are what somebody states."""
    if row.integration_at is not None:
        return f"Fits the platform, checked live on {row.integration_at:%Y-%m-%d}"
    return "Fits the platform, by its manifest" if row.kind == "platform_app" else "Fits the platform, as stated"


def _checks(title: str, row: RegisterItem, passed: dict[str, bool]) -> tuple[str, int, list[tuple[str, str]]]:
    """A checklist: its title, how many pass, and each check with pass, fail or not_measured."""
    lines = [
        (name, "pass" if holds else "not_measured" if name in row.unknown else "fail") for name, holds in passed.items()
    ]
    return title, sum(passed.values()), lines


PAGES = (Page("/apps", register, "portfolio"), Page("/apps/{id}", item, "portfolio"))
