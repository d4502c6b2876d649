"""Plans and what they found: effect against zero and the worthwhile change, equity, uptake, and the rows behind."""

from starlette.responses import Response

from careplane.console.charts import effect_figure, forest_figure
from careplane.console.pages.page import Page
from careplane.console.visit import Visit
from careplane.evidence import find_assignments, find_plans, latest_result, load_plan
from careplane.records.evidence import Effect, Result

GRADES = {
    "A": "randomised, enough clusters, little missing",
    "B": "a strong comparison with a limit",
    "C": "a comparison that may be confounded",
    "D": "no counterfactual",
}


def plans(visit: Visit) -> Response:
    found = find_plans(visit.context.store)
    results = {plan.id: latest_result(visit.context.store, plan.id) for plan in found}
    verdicts = {plan: _primary(result) for plan, result in results.items() if result is not None}
    return visit.page("plans.html", plans=found, verdicts=verdicts)


def plan(visit: Visit) -> Response:
    held = load_plan(visit.context.store, visit.path("plan"))
    result = latest_result(visit.context.store, held.id)
    effects = result.effects if result else ()
    return visit.page(
        "plan.html",
        plan=held,
        result=result,
        primary=_primary(result) if result else None,
        grades=GRADES,
        figures=[(effect, effect_figure(effect)) for effect in effects],
        forests=[(name, forest) for name, forest in _forests(result)] if result else [],
        info=visit.context.measures,
        waiting=max(0, (held.end - visit.today).days),
    )


def rows(visit: Visit) -> Response:
    """The units of the plan, their arms, and the figures of each arm."""
    held = load_plan(visit.context.store, visit.path("plan"))
    return visit.page(
        "plan_rows.html",
        plan=held,
        assignments=find_assignments(visit.context.store, held.id),
        result=latest_result(visit.context.store, held.id),
        info=visit.context.measures,
    )


def _primary(result: Result) -> Effect | None:
    return next((effect for effect in result.effects if effect.role == "primary"), None)


def _forests(result: Result) -> list[tuple[str, object]]:
    effects = {effect.measure: effect for effect in result.effects}
    names = dict.fromkeys(row.measure for row in result.equity)
    return [
        (
            name,
            forest_figure([row for row in result.equity if row.measure == name], effects[name].unit, effects[name]),
        )
        for name in names
        if name in effects
    ]


PAGES = (
    Page("/evidence", plans, "evidence"),
    Page("/evidence/{plan}", plan, "evidence"),
    Page("/evidence/{plan}/rows", rows, "evidence"),
)
