"""A control chart: the points with their limits; what a run rule marks has another shape, and its name beside it."""

from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import altair as alt

from careplane.console.charts.figure import ACCENT, BAD, CAUTION, GOOD, INK, MUTED, Figure, draw, values
from careplane.records.monitoring import Chart, ChartPoint, Mark, Reading

KINDS = ("common cause", "improvement", "concern", "change")
_SHAPES = {"common cause": "circle", "improvement": "square", "concern": "triangle-up", "change": "diamond"}
_COLOURS = {"common cause": ACCENT, "improvement": GOOD, "concern": BAD, "change": CAUTION}


def control_figure(reading: Reading, chart: Chart, marks: Sequence[Mark] = (), width: int = 500) -> Figure:
    """The chart of a reading.

    Args:
        reading: whose chart it is; its threshold is drawn as a line.
        chart: at least two points.
        marks: what was decided or done, shown in the period in which it was.
        width: in pixels.
    """
    kinds = {point.time: _kind(chart, point.time) for point in chart.points}
    rows: list[dict[str, object]] = [
        {
            "time": point.time,
            "value": point.value,
            "centre": point.centre,
            "low": point.low,
            "high": point.high,
            "phase": point.phase,
            "kind": kinds[point.time],
        }
        for point in chart.points
    ]
    x = alt.X("time:O", title=None, axis=alt.Axis(labelAngle=0, labelOverlap=True))
    share = reading.unit == "share"
    axis = alt.Axis(format="%" if share else ",.2~f", tickCount=5)
    y = alt.Y("value:Q", title=None if share else reading.unit, scale=alt.Scale(zero=False, nice=True), axis=axis)
    base = alt.Chart(values(rows)).encode(x=x)
    layers = alt.layer(
        base.mark_line(color=INK, interpolate="step").encode(y=alt.Y("centre:Q"), detail="phase:N"),
        *(
            base.mark_line(color=MUTED, strokeDash=[4, 3], interpolate="step").encode(y=f"{limit}:Q", detail="phase:N")
            for limit in ("low", "high")
        ),
        base.mark_line(color=ACCENT, strokeWidth=1.5).encode(y=y),
        base.mark_point(filled=True, size=64, opacity=1).encode(
            y=y,
            shape=alt.Shape("kind:N", scale=_scale(_SHAPES), legend=alt.Legend(orient="top", title=None)),
            color=alt.Color("kind:N", scale=_scale(_COLOURS), legend=alt.Legend(orient="top", title=None)),
        ),
        *_words(chart),
        *_threshold(reading, chart),
        *_marks(chart, marks),
    )
    return Figure(
        svg=draw(cast(alt.LayerChart, layers).properties(width=width - 70, height=150)),
        sentence=_sentence(reading, chart),
        columns=("Period", reading.unit or "value", "Cases", "Mean", "Low", "High", "Signal"),
        rows=tuple(_row(point, share, kinds[point.time]) for point in chart.points),
        note=_note(reading, chart, marks),
    )


def _scale(by_kind: dict[str, str]) -> alt.Scale:
    return alt.Scale(domain=list(KINDS), range=[by_kind[kind] for kind in KINDS])


def _kind(chart: Chart, time: str) -> str:
    """What the rules make of a point: a concern before an improvement before a change."""
    means = {signal.means for signal in chart.signals if time in signal.points}
    return next((kind for kind in ("concern", "improvement", "change") if kind in means), KINDS[0])


def _words(chart: Chart) -> list[alt.Chart]:
    """The name of each rule at the newest point that it marks; the table has all."""
    by_time = {point.time: point for point in chart.points}
    newest = {signal.rule: signal.points[-1] for signal in sorted(chart.signals, key=lambda one: one.points[-1])}
    told: dict[str, str] = {}
    for rule, time in newest.items():
        words = rule.replace("_", " ")
        told[time] = f"{told[time]}, {words}" if time in told else words
    if not told:
        return []
    rows: list[dict[str, object]] = [{"time": time, "value": by_time[time].value, "text": told[time]} for time in told]
    text = alt.Chart(values(rows)).mark_text(dy=-13, fontSize=11, color=INK)
    return [text.encode(x="time:O", y="value:Q", text="text:N")]


def _threshold(reading: Reading, chart: Chart) -> list[alt.Chart]:
    """The threshold, where it lies near what is drawn: far away it would flatten the points."""
    if reading.threshold is None:
        return []
    low = min(min(point.low, point.value) for point in chart.points)
    high = max(max(point.high, point.value) for point in chart.points)
    room = high - low or abs(high) or 1.0
    if not low - room <= reading.threshold <= high + room:
        return []
    line = alt.Chart(values([{"at": reading.threshold}]))
    rule = line.mark_rule(color=CAUTION, strokeDash=[1, 3], strokeWidth=2).encode(y="at:Q")
    word = line.mark_text(align="left", dy=-6, fontSize=11, color=MUTED, text="threshold")
    return [rule, word.encode(x=alt.value(2), y="at:Q")]


def _marks(chart: Chart, marks: Sequence[Mark]) -> list[alt.Chart]:
    rows: list[dict[str, object]] = [
        {"time": time, "text": str(number)} for number, (time, _mark) in enumerate(_placed(chart, marks), 1)
    ]
    if not rows:
        return []
    base = alt.Chart(values(rows))
    line = base.mark_rule(color=MUTED, strokeDash=[2, 2]).encode(x="time:O")
    return [line, base.mark_text(dy=-4, color=INK, fontWeight=600).encode(x="time:O", y=alt.value(0), text="text:N")]


def _placed(chart: Chart, marks: Sequence[Mark]) -> list[tuple[str, Mark]]:
    """Each mark with the period in which it lies; those before the first are left out."""
    times = [point.time for point in chart.points]
    ends = dict([*pairwise(times), (times[-1], "9999")])
    placed = []
    for mark in sorted(marks, key=lambda one: (one.on, one.text)):
        day = mark.on.isoformat()
        period = next((time for time in times if time <= day < ends[time]), None)
        if period is not None:
            placed.append((period, mark))
    return placed


def _sentence(reading: Reading, chart: Chart) -> str:
    last = chart.points[-1]
    share = reading.unit == "share"
    value, low, high = (_number(one, share) for one in (last.value, last.low, last.high))
    unit = "" if share or not reading.unit else f" {reading.unit}"
    return f"{reading.title}: {value}{unit} in {last.time}, limits {low} to {high}. {_capital(chart.variation)}."


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _number(value: float, share: bool) -> str:
    return f"{value:.1%}" if share else f"{value:,.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def _row(point: ChartPoint, share: bool, kind: str) -> tuple[str, ...]:
    rules = ", ".join(rule.replace("_", " ") for rule in point.rules)
    numbers = (_number(one, share) for one in (point.centre, point.low, point.high))
    return (point.time, _number(point.value, share), f"{point.n:,}", *numbers, f"{kind}: {rules}" if rules else "")


def _note(reading: Reading, chart: Chart, marks: Sequence[Mark]) -> str:
    placed = _placed(chart, marks)
    done = "; ".join(f"{number}: {mark.text} ({mark.on})" for number, (_time, mark) in enumerate(placed, 1))
    phases = "; ".join(f"new limits from {one.start}: {one.reason}" for one in chart.phases[1:])
    periods = "1 period" if reading.withheld == 1 else f"{reading.withheld} periods"
    held = f"{periods} with few cases withheld" if reading.withheld else ""
    said = (chart.method, f"limits from {chart.phases[-1].baseline_points} points", phases, held, done)
    return "; ".join(one for one in said if one) + "."
