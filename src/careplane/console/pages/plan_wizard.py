"""The wizard: a few questions a screen, then the designs that can answer, with power, time and cost, and a draft.

Answers travel in the address, so that back, reload and a bookmark work and nothing is kept before a draft is written.
"""

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from careplane.console.charts.power import power_figure
from careplane.console.pages.page import Page
from careplane.console.visit import Visit
from careplane.errors import InputError, Refused
from careplane.estimators._item import Item
from careplane.evidence import save_draft
from careplane.evidence.advice import advise, plan_from
from careplane.evidence.people_units import staffed_units
from careplane.evidence.questions import QUESTIONS, Question, rollout_of, units_text, value_of
from careplane.evidence.windows import offset_minutes
from careplane.records.app import App
from careplane.records.evidence import MeasureInfo
from careplane.records.planning import Advice, Rollout

STEPS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("who", "Who takes part", ("units", "unit")),
    ("when", "When, and how long", ("start", "weeks", "live")),
    ("how", "How it reaches its users", ("randomise", "everyone", "waves", "weeks_between", "stay_without")),
    ("spill", "What could spill over", ("contaminates", "switchable", "carry_over")),
    ("outcome", "The outcome", ("lag_days", "rare", "history_weeks")),
    ("power", "How much it varies, and what it costs", ("sd", "icc", "cac", "per_week", "usd_per_unit_week", "seed")),
)
_BY_NAME = {one.name: one for one in QUESTIONS}
_MOST = 20_000


def step(visit: Visit) -> Response:
    """A screen of questions; the first earlier screen with a mistake comes back instead, with the mistake beside it."""
    app = visit.app(visit.path("app"))
    names = [name for name, _, _ in STEPS]
    wanted = visit.path("step")
    if wanted == "advice":
        return _advice(visit, app)
    number = names.index(wanted) if wanted in names else 0
    given = _texts(visit.request.query_params)
    before, errors = _mistakes(given, number)
    if errors:
        return _screen(visit, app, before, given, errors)
    return _screen(visit, app, number, given, {})


def begin(visit: Visit) -> Response:
    """The app that was chosen from the list of plans."""
    return visit.go(f"/evidence/plan/{visit.app(visit.query('app')).id}/{STEPS[0][0]}")


def write(visit: Visit) -> Response:
    """Write the draft with the chosen design."""
    app = visit.app(visit.path("app"))
    given = _texts(visit.form)
    before, errors = _mistakes(given, len(STEPS))
    if errors:
        return _screen(visit, app, before, given, errors)
    rollout, advice = _advised(visit, app, given)
    made = plan_from(
        app,
        tuple(visit.context.measures.values()),
        rollout,
        advice,
        visit.field("design"),
        offset_minutes(visit.now),
    )
    saved = save_draft(visit.context.store, made)
    return visit.go(f"/evidence/{saved.id}")


def _advice(visit: Visit, app: App) -> Response:
    given = _texts(visit.request.query_params)
    before, errors = _mistakes(given, len(STEPS))
    if errors:
        return _screen(visit, app, before, given, errors)
    try:
        _, advice = _advised(visit, app, given)
    except InputError as error:
        place = next((n for n, (_, _, asked) in enumerate(STEPS) if error.field in asked), 0)
        return _screen(visit, app, place, given, {error.field or "units": error.message})
    except Refused as refused:
        return visit.page("plan_refused.html", status=refused.status, app=app, error=refused, given=given)
    figure = power_figure(advice) if advice.points else None
    return visit.page("plan_advice.html", app=app, advice=advice, figure=figure, given=given)


def _advised(visit: Visit, app: App, given: Mapping[str, str]) -> tuple[Rollout, Advice]:
    answers = {one.name: value_of(one, given.get(one.name, "")) for one in QUESTIONS}
    rollout = rollout_of(app.id, answers)
    return rollout, advise(rollout, _primary(visit, app), _power(visit))


def _screen(visit: Visit, app: App, number: int, given: Mapping[str, str], errors: Mapping[str, str]) -> Response:
    _, title, asked = STEPS[number]
    questions = [_BY_NAME[name] for name in asked]
    following = STEPS[number + 1][0] if number + 1 < len(STEPS) else "advice"
    return visit.page(
        "plan_wizard.html",
        status=400 if errors else 200,
        app=app,
        title=title,
        number=number + 1,
        steps=len(STEPS),
        back=STEPS[number - 1][0] if number else None,
        following=following,
        questions=[(one, _shown(visit, one, given)) for one in questions],
        others={name: text for name, text in given.items() if name not in asked},
        given=given,
        errors=errors,
    )


def _mistakes(given: Mapping[str, str], until: int) -> tuple[int, dict[str, str]]:
    """The first screen before ``until`` with mistakes, and those; answers not given yet count where they must be."""
    for number, (_, _, asked) in enumerate(STEPS[:until]):
        errors: dict[str, str] = {}
        for name in asked:
            try:
                value_of(_BY_NAME[name], given.get(name, ""))
            except InputError as error:
                errors[name] = error.message
        if errors:
            return number, errors
    return 0, {}


def _shown(visit: Visit, question: Question, given: Mapping[str, str]) -> str:
    """What stands in a field: what was typed, else the default; the units where staff work."""
    if question.name in given:
        return given[question.name]
    if question.kind == "units":
        return units_text(staffed_units(visit.context.store))
    return question.default or ""


def _texts(values: Any) -> dict[str, str]:
    return {one.name: str(values[one.name])[:_MOST] for one in QUESTIONS if one.name in values}


def _primary(visit: Visit, app: App) -> MeasureInfo | None:
    found = (visit.context.measures.get(name) for name in app.spec.measures.primary)
    return next((info for info in found if info is not None), None)


def _power(visit: Visit) -> Item:
    if visit.context.power is None:
        raise Refused(["This console has no estimators, so it cannot plan."], "Use the one of careplane serve.")
    return visit.context.power


PAGES = (
    Page("/evidence/plan/begin", begin, "plan"),
    Page("/evidence/plan/{app}/{step}", step, "plan"),
    Page("/evidence/plan/{app}", write, "plan", "POST"),
)
