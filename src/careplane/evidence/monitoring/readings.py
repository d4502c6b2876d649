"""Reading all metrics of an app: points by period, a chart with frozen limits, a state in words, and what broke."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from careplane.errors import NotFound
from careplane.evidence.monitoring.baselines import frozen
from careplane.evidence.monitoring.breaches import hold
from careplane.evidence.monitoring.series import Calendar, Point, measure_points, override_reasons, run_points
from careplane.evidence.rows import Extract, extract
from careplane.evidence.run_tables import read_record
from careplane.ledger import Ledger
from careplane.measures import Measure
from careplane.records.app import App
from careplane.records.evidence import MeasureInfo
from careplane.records.hooks import CardFeedback
from careplane.records.monitoring import METRICS, Chart, MetricInfo, MetricRule, Reading, Rebase, State
from careplane.records.run import Run
from careplane.store import Store, find, save, stamp
from careplane.store.tables import monitor_readings
from careplane.workflow import find_runs
from careplane.workflow.card_feedback import find_feedback

Charting = Callable[[Mapping[str, Sequence[Any]], Mapping[str, Any]], Chart]
"""Draws the limits: columns ``time``, ``amount`` and ``size``, and the keys of the estimator ``spc``."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Where readings come from and go to; ``chart`` is bound by the composition root, which alone loads shelves."""

    store: Store
    ledger: Ledger
    home: Path
    measures: Mapping[str, Measure]
    chart: Charting
    small_cell: int = 11


@dataclass(frozen=True, slots=True)
class _Seen:
    """What one app's readings rest on."""

    runs: Sequence[Run]
    cards: Sequence[CardFeedback]
    extract: Extract | None
    calendar: Calendar
    now: datetime

    @property
    def units(self) -> set[str]:
        """Where the app runs."""
        return {run.event.unit for run in self.runs if run.event.unit and run.status != "refused"}


def read_app(sources: Sources, app: App, now: datetime) -> list[Reading]:
    """Read every metric of an app and its measures; breaches open and close, and the readings are kept."""
    seen = _look(sources, app, now)
    readings = [_read(sources, app, info, seen) for info in metrics_of(app, sources.measures)]
    with sources.store.write() as connection:
        for one in readings:
            at = stamp(one.computed_at)
            save(connection, monitor_readings, one, app=one.app, metric=one.metric, computed_at=at)
    return readings


def find_readings(store: Store, app: str | None = None) -> list[Reading]:
    """The newest readings, of one app or all, in the order of the metrics."""
    where = () if app is None else (monitor_readings.c.app == app,)
    with store.read() as connection:
        found = find(connection, monitor_readings, Reading, *where, order_by=(monitor_readings.c.app,))
    order = {info.id: place for place, info in enumerate(METRICS)}
    return sorted(found, key=lambda one: (one.app, order.get(one.metric, len(order)), one.metric))


def metrics_of(app: App, measures: Mapping[str, Measure]) -> list[MetricInfo]:
    """The metrics of every app, and as its impact the measures that its manifest names."""
    named = dict.fromkeys((*app.spec.measures.primary, *app.spec.measures.balancing))
    own = {info.id for info in METRICS}
    return [*METRICS, *(_impact(name, measures.get(name)) for name in named if name not in own)]


def metric_of(app: App, name: str, measures: Mapping[str, Measure]) -> MetricInfo:
    """One metric of an app.

    Raises:
        NotFound: it has none of this name.
    """
    known = {info.id: info for info in metrics_of(app, measures)}
    if name not in known:
        raise NotFound(f"{app.id} has no metric {name!r}. Known: {', '.join(known)}.")
    return known[name]


def _impact(name: str, measure: Measure | None) -> MetricInfo:
    info: MeasureInfo | None = None if measure is None else measure.info
    if info is None:
        words = name.replace("_", " ")
        return MetricInfo(
            id=name,
            layer="impact",
            title=words[:1].upper() + words[1:],
            unit="",
            kind="xmr",
            better="neither",
            definition="A measure that the app names and that is not on the shelf of this installation.",
        )
    return MetricInfo(
        id=name,
        layer="impact",
        title=info.title,
        unit="share" if info.unit == "proportion" else info.unit,
        kind="p_prime" if info.unit == "proportion" else "xmr",
        better="lower" if info.direction == "lower" else "higher" if info.direction == "higher" else "neither",
        definition=info.definition,
    )


def _look(sources: Sources, app: App, now: datetime) -> _Seen:
    runs = find_runs(sources.store, app.id, limit=None)
    named = (*app.spec.measures.primary, *app.spec.measures.balancing)
    wanted = {name: sources.measures[name] for name in named if name in sources.measures}
    found = extract(sources.home, wanted, read_record(sources.store, app.id)) if wanted else None
    calendar = Calendar(app.spec.monitoring.period, now.tzinfo)
    return _Seen(runs, find_feedback(sources.store, app.id), found, calendar, now)


def _points(info: MetricInfo, seen: _Seen) -> list[Point]:
    """The points of the whole periods; the one that is under way says nothing yet."""
    if info.layer != "impact":
        points = run_points(info.id, seen.runs, seen.cards, seen.calendar)
    elif seen.extract is None or info.id not in seen.extract.rows:
        points = []
    else:
        rows = seen.extract.rows[info.id]
        points = measure_points(rows, seen.units, info.kind == "p_prime", seen.calendar)
    under_way = seen.calendar.label(seen.now)
    return [point for point in points if point.time < under_way]


def _read(sources: Sources, app: App, info: MetricInfo, seen: _Seen) -> Reading:
    rule, own = rule_of(app, info)
    every = _points(info, seen)
    shown = [point for point in every if info.id == "calls" or point.size >= sources.small_cell]
    reading = Reading(
        app=app.id,
        metric=info.id,
        layer=info.layer,
        title=info.title,
        unit=info.unit,
        better=info.better,
        definition=info.definition,
        state="not_measured",
        text=_nothing(info, every, sources.small_cell),
        computed_at=seen.now,
        withheld=len(every) - len(shown),
        threshold=rule.threshold,
        reviewer=reviewer_of(app, rule),
        action=rule.action,
        due_days=rule.due_days,
        own=own,
    )
    if len(shown) < 2:
        return reading if not shown else replace(reading, state="learning", text="One whole period so far.")
    least = app.spec.monitoring.baseline_points
    points, phases = frozen(sources.store, app.id, info.id, shown, least, seen.now)
    chart = sources.chart(_columns(points), _keys(app, info, rule, points, phases))
    learning = len(points) < least
    last = chart.points[-1]
    reading = replace(
        reading,
        state=_state(chart, last.time, learning),
        text=_sentence(info, chart, learning, least) + (override_reasons(seen.cards) if "card" in info.id else ""),
        period=last.time,
        value=last.value,
        n=last.n,
        chart=chart,
    )
    return hold(sources.store, sources.ledger, reading, _wrong(info, rule, chart, learning), seen.now)


def rule_of(app: App, info: MetricInfo) -> tuple[MetricRule, bool]:
    """How an app watches a metric, and whether its manifest says so (else by default)."""
    for rule in app.spec.monitoring.metrics:
        if rule.metric == info.id:
            return rule, True
    return MetricRule(metric=info.id, threshold=info.threshold, reviewer=info.reviewer), False


def reviewer_of(app: App, rule: MetricRule) -> str:
    """The person or post behind ``owner``, ``technical_owner`` or ``sponsor``, else the name as it is."""
    posts = {"owner": app.spec.owner, "technical_owner": app.spec.technical_owner, "sponsor": app.spec.sponsor}
    return posts.get(rule.reviewer, rule.reviewer)


def _columns(points: Sequence[Point]) -> dict[str, list[Any]]:
    return {
        "time": [point.time for point in points],
        "amount": [point.amount for point in points],
        "size": [float(point.size) for point in points],
    }


def _keys(
    app: App, info: MetricInfo, rule: MetricRule, points: Sequence[Point], phases: Sequence[Rebase]
) -> dict[str, Any]:
    keys: dict[str, Any] = {
        "outcome": "amount",
        "time": "time",
        "chart": info.kind,
        "rules": app.spec.monitoring.rules,
        "better": info.better,
        "baseline": app.spec.monitoring.baseline_points,
        "target": rule.threshold,
    }
    if info.kind != "xmr":
        keys["size"] = "size"
    begun = _begun([point.time for point in points], phases)
    return {**keys, "rebase": begun} if begun else keys


def _begun(times: Sequence[str], phases: Sequence[Rebase]) -> dict[str, str]:
    """The first points of the phases after the first; one that has fewer than two points yet waits."""
    begun: dict[str, str] = {}
    ends = [one.start for one in phases[1:]] + ["9999"]
    for one, end in zip(phases[1:], ends[1:], strict=True):
        inside = [time for time in times if one.start <= time < end]
        if len(inside) >= 2 and inside[0] != times[0]:
            begun[inside[0]] = f"{one.reason} ({one.by})"
    return begun


def _wrong(info: MetricInfo, rule: MetricRule, chart: Chart, learning: bool) -> list[tuple[str, str]]:
    """Of each point what is wrong with it; limits count once the baseline is whole."""
    concerns: dict[str, str] = {}
    for signal in chart.signals if not learning else ():
        if signal.means == "concern":
            concerns |= {time: signal.text for time in signal.points if time not in concerns}
    told = []
    for point in chart.points:
        text = ""
        if rule.threshold is not None and _beyond(point.value, rule.threshold, info):
            text = f"{_amount(info, point.value)}, beyond the threshold of {_amount(info, rule.threshold)}."
        elif point.time in concerns:
            text = f"A signal of concern: {concerns[point.time]}."
        told.append((point.time, text))
    return told


def _beyond(value: float, threshold: float, info: MetricInfo) -> bool:
    return value < threshold if info.better == "higher" else value > threshold


def _state(chart: Chart, last: str, learning: bool) -> State:
    means = {signal.means for signal in chart.signals if last in signal.points}
    if learning:
        return "learning"
    if "improvement" in means:
        return "improving"
    return "changed" if means else "steady"


def _sentence(info: MetricInfo, chart: Chart, learning: bool, least: int) -> str:
    last = chart.points[-1]
    value = _amount(info, last.value)
    if learning:
        return f"{value} in {last.time}; {len(chart.points)} of {least} periods of the baseline so far."
    return f"{value} in {last.time}: {chart.variation}."


def _amount(info: MetricInfo, value: float) -> str:
    if info.unit == "share":
        return f"{value:.1%}"
    return f"{value:,.0f} {info.unit}" if abs(value) >= 1000 else f"{value:.3g} {info.unit}"


def _nothing(info: MetricInfo, every: Sequence[Point], small_cell: int) -> str:
    if every:
        return f"Withheld: no whole period has {small_cell} cases."
    if info.layer == "impact":
        return "The data have no case of it yet." if info.unit else info.definition
    if info.id == "canaries":
        return info.definition
    return "The run record holds no whole period of it yet."
