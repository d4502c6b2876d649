"""Monitoring: the board of apps by layer, each app's charts, its breaches and what was done, its safety watch."""

from typing import cast, get_args

from starlette.responses import Response

from careplane import alignment
from careplane.console.charts import Figure, control_figure
from careplane.console.pages.page import Page
from careplane.console.visit import Visit
from careplane.errors import InputError
from careplane.evidence.monitoring import (
    acknowledge,
    find_breaches,
    find_flags,
    find_readings,
    find_watches,
    flag_harm,
    runs_to_notice,
    sentence,
)
from careplane.governance import RUNNING_STAGES, switches
from careplane.records import Record
from careplane.records.monitoring import LAYERS, HarmLevel, Layer, Mark, Reading, SafetyWatch, State

GRAVEST: tuple[State, ...] = ("breach", "concern", "changed", "improving", "steady", "learning", "not_measured")
"""States from the gravest to the one that says nothing."""

WORDS: dict[State, tuple[str, str, str]] = {
    "breach": ("■", "breach", "bad"),
    "concern": ("▲", "recovering", "caution"),
    "changed": ("◆", "changed", "caution"),
    "improving": ("✓", "improving", "good"),
    "steady": ("●", "steady", "good"),
    "learning": ("…", "learning", ""),
    "not_measured": ("–", "not measured", ""),
}
"""A state on the page: its shape, its word, and the colour that only repeats them."""

LEVELS: dict[HarmLevel, str] = {
    "none_reached": "nothing reached the patient",
    "no_harm": "it reached the patient, without harm",
    "mild": "mild harm",
    "moderate": "moderate harm",
    "severe": "severe harm",
    "death": "death",
    "unknown": "not known yet",
}
NOTED_DECISIONS = 6


class Cell(Record, frozen=True):
    """One field of the board: the gravest state of a layer, and how many metrics are in it."""

    state: State
    count: int
    measured: int


def board(visit: Visit) -> Response:
    """All apps that run, by layer."""
    store = visit.context.store
    readings = find_readings(store)
    watches = {one.app: one for one in reversed(find_watches(store))}
    running = [item.id for item in alignment.find_items(store) if item.stage in RUNNING_STAGES]
    shown = sorted({*(name for name in running if name in visit.context.apps), *(one.app for one in readings)})
    rows = [(name, {layer: _cell(readings, name, layer) for layer in LAYERS}, watches.get(name)) for name in shown]
    return visit.page(
        "monitoring.html",
        rows=rows,
        layers=LAYERS,
        words=WORDS,
        breaches=find_breaches(store, only_open=True),
        computed=max((one.computed_at for one in readings), default=None),
        titles={name: app.spec.title for name, app in visit.context.apps.items()},
        stopped={one.target: one for one in switches(store) if one.scope == "app"},
    )


def app_page(visit: Visit) -> Response:
    """One app: safety, breaches, and small multiples of charts by layer."""
    app, store = visit.app(visit.path("app")), visit.context.store
    readings = find_readings(store, app.id)
    watches = find_watches(store, app.id)
    marks = _marks(visit, app.id)
    return visit.page(
        "monitoring_app.html",
        app=app,
        layers=[(layer, [(one, _figure(one, marks)) for one in readings if one.layer == layer]) for layer in LAYERS],
        words=WORDS,
        levels=LEVELS,
        watch=watches[0] if watches else None,
        earlier=watches[1:],
        said=sentence,
        notice=_notice(watches[0]) if watches else [],
        flags=len(find_flags(store, app.id)),
        breaches=find_breaches(store, app.id),
        stop=next((one for one in switches(store) if one.scope == "app" and one.target == app.id), None),
    )


def acknowledge_breach(visit: Visit) -> Response:
    """Somebody says what is being done about a breach."""
    app = visit.app(visit.path("app"))
    context = visit.context
    acknowledge(context.store, context.ledger, visit.path("breach"), visit.who, visit.field("note"), visit.now)
    return visit.go(f"/safety/monitoring/{app.id}#breaches")


def flag_run(visit: Visit) -> Response:
    """Somebody flags that a run did harm."""
    app, context, level = visit.app(visit.path("app")), visit.context, visit.field("level")
    if level not in get_args(HarmLevel):
        raise InputError(f"must be one of {', '.join(get_args(HarmLevel))}", field="level")
    note = visit.form.get("note", "").strip()
    flag_harm(context.store, context.ledger, visit.field("run"), cast(HarmLevel, level), visit.who, visit.now, note)
    return visit.go(f"/safety/monitoring/{app.id}")


def _cell(readings: list[Reading], app: str, layer: Layer) -> Cell:
    mine: list[State] = [one.state for one in readings if one.app == app and one.layer == layer]
    state: State = min(mine, key=GRAVEST.index) if mine else "not_measured"
    measured = sum(one != "not_measured" for one in mine)
    return Cell(state=state, count=mine.count(state), measured=measured)


def _figure(reading: Reading, marks: list[Mark]) -> Figure | None:
    return None if reading.chart is None else control_figure(reading, reading.chart, marks)


def _notice(watch: SafetyWatch) -> list[tuple[float, int | None]]:
    """At which share the watch would cross after about how many runs."""
    rule = watch.rule
    rates = [min(times * rule.max_rate, 1.0) for times in (2, 3, 5)]
    return [(rate, runs_to_notice(rule.max_rate, rule.alpha, rate)) for rate in rates]


def _marks(visit: Visit, app: str) -> list[Mark]:
    """What was decided about an app, and where its safety watch crossed."""
    made = alignment.decisions(visit.context.store, visit.today, open_only=False)
    decided = [
        Mark(on=one.decided_at.date(), text=f"decided: {(one.outcome or '').replace('_', ' ')}")
        for one in made
        if one.item == app and one.decided_at is not None
    ]
    crossed = [
        Mark(on=one.crossed_at.date(), text="safety watch crossed")
        for one in find_watches(visit.context.store, app)
        if one.crossed_at is not None
    ]
    return [*sorted(decided, key=lambda one: one.on)[-NOTED_DECISIONS:], *crossed]


PAGES = (
    Page("/safety/monitoring", board, "safety"),
    Page("/safety/monitoring/{app}", app_page, "safety"),
    Page("/safety/monitoring/{app}/flags", flag_run, "take_part", "POST"),
    Page("/safety/monitoring/{app}/breaches/{breach}", acknowledge_breach, "stop", "POST"),
)
