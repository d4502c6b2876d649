"""How an app is used by week, and the XmR chart of a measure over time."""

from collections.abc import Sequence
from itertools import pairwise

import altair as alt

from careplane.console.charts.figure import ACCENT, BAD, CAUTION, GOOD, INK, MUTED, Figure, draw, values

ACTIONS = ("accepted", "edited", "rejected", "waiting")
_COLOURS = {"accepted": GOOD, "edited": "#56b4e9", "rejected": BAD, "waiting": "#999999"}
XMR_FACTOR = 2.66
"""Limits of an XmR chart: mean ± 2.66 times the mean moving range (Wheeler; NHS Making Data Count)."""


def use_figure(weeks: Sequence[tuple[str, dict[str, int]]], width: int = 1060) -> Figure:
    """Drafts by week (its Monday) and what became of them."""
    rows: list[dict[str, object]] = [
        {"week": week, "action": action, "drafts": counts.get(action, 0), "order": index}
        for week, counts in weeks
        for index, action in enumerate(ACTIONS)
    ]
    colours = alt.Scale(domain=list(ACTIONS), range=[_COLOURS[action] for action in ACTIONS])
    chart = (
        alt.Chart(values(rows))
        .mark_bar()
        .encode(
            x=alt.X("week:O", title="week of", axis=alt.Axis(labelAngle=0, labelOverlap=True)),
            y=alt.Y("drafts:Q", title="drafts", axis=alt.Axis(tickMinStep=1)),
            color=alt.Color("action:N", scale=colours, legend=alt.Legend(orient="top", title=None)),
            order="order:O",
        )
        .properties(width=width - 60, height=150)
    )
    total = {action: sum(counts.get(action, 0) for _week, counts in weeks) for action in ACTIONS}
    signed = total["accepted"] + total["edited"]
    done = signed + total["rejected"]
    sentence = f"Of {done:,} drafts reviewed, {signed:,} were signed ({total['edited']:,} of them edited)."
    return Figure(
        svg=draw(chart),
        sentence=sentence if done else "No draft was reviewed yet.",
        columns=("Week of", *(action.capitalize() for action in ACTIONS)),
        rows=tuple((week, *(str(counts.get(action, 0)) for action in ACTIONS)) for week, counts in weeks),
    )


def xmr_limits(points: Sequence[float]) -> tuple[float, float, float]:
    """Mean, lower and upper limit of an XmR chart."""
    mean = sum(points) / len(points)
    ranges = [abs(after - before) for before, after in pairwise(points)]
    spread = XMR_FACTOR * (sum(ranges) / len(ranges)) if ranges else 0.0
    return mean, mean - spread, mean + spread


def xmr_figure(title: str, unit: str, points: Sequence[tuple[str, float]], width: int = 1060) -> Figure:
    """A measure by date with its mean and limits; points outside the limits are marked."""
    mean, low, high = xmr_limits([value for _date, value in points])
    rows: list[dict[str, object]] = [
        {"date": date, "value": value, "special": not low <= value <= high} for date, value in points
    ]
    x = alt.X("date:O", title=None, axis=alt.Axis(labelAngle=0, labelOverlap=True))
    y = alt.Y("value:Q", title=unit, scale=alt.Scale(zero=False))
    base = alt.Chart(values(rows)).encode(x=x, y=y)
    marked = alt.condition("datum.special", alt.value(CAUTION), alt.value(ACCENT))
    layers = base.mark_line(color=ACCENT, strokeWidth=1.5) + base.mark_point(filled=True, size=50, opacity=1).encode(
        color=marked
    )
    for level, dash in ((mean, [1, 0]), (low, [4, 3]), (high, [4, 3])):
        rule = alt.Chart(values([{"at": level}])).mark_rule(color=INK if level == mean else MUTED, strokeDash=dash)
        layers += rule.encode(y="at:Q")
    outside = sum(not low <= value <= high for _date, value in points)
    said = f"{outside} of {len(points)} points lie outside" if outside else "every point lies within"
    return Figure(
        svg=draw(layers.properties(width=width - 60, height=150)),
        sentence=f"{title}: mean {mean:.2f} {unit}; {said} the limits ({low:.2f} to {high:.2f}).",
        columns=("Date", unit),
        rows=tuple((date, f"{value:.2f}") for date, value in points),
        note="XmR chart: limits are the mean ± 2.66 × the mean moving range.",
    )
