"""The funnel of the register and the six signs of pilot reliance."""

from collections.abc import Sequence

import altair as alt

from careplane.console.charts.figure import ACCENT, BAD, CAUTION, GOOD, INK, MUTED, Figure, draw, values
from careplane.records.portfolio import FunnelStage, Signals

BAND_COLOURS = {"low": GOOD, "middle": CAUTION, "high": BAD}
BAND_WORDS = {"low": "low", "middle": "watch", "high": "high"}


def funnel_figure(stages: Sequence[FunnelStage], width: int = 500) -> Figure:
    """Bars of how many uses are in each stage now, with the median days after which they left it."""
    rows: list[dict[str, object]] = [
        {"stage": stage.stage.replace("_", " "), "now": stage.now, "label": _stage_label(stage)} for stage in stages
    ]
    most = max((stage.now for stage in stages), default=0)
    base = alt.Chart(values(rows)).encode(
        y=alt.Y("stage:N", sort=None, title=None, axis=alt.Axis(ticks=False, domain=False, labelPadding=8)),
        x=alt.X("now:Q", axis=None, scale=alt.Scale(domain=[0, max(1, most) * 1.6])),
    )
    bars = base.mark_bar(color=ACCENT, height=16, cornerRadiusEnd=2)
    labels = base.mark_text(align="left", dx=6, color=INK).encode(text="label:N")
    return Figure(
        svg=draw((bars + labels).properties(width=width - 140, height=24 * max(1, len(rows)))),
        sentence=_funnel_sentence(stages),
        columns=("Stage", "Now", "Entered", "Left", "Median days"),
        rows=tuple(
            (
                stage.stage.replace("_", " "),
                str(stage.now),
                str(stage.entered),
                str(stage.left),
                "not measured" if stage.median_days is None else f"{stage.median_days:.0f}",
            )
            for stage in stages
        ),
    )


def _stage_label(stage: FunnelStage) -> str:
    days = "" if not stage.median_days else f" · median stay {stage.median_days:.0f} days"
    return f"{stage.now}{days}"


def _funnel_sentence(stages: Sequence[FunnelStage]) -> str:
    now = {stage.stage: stage.now for stage in stages}
    trying = now.get("shadow", 0) + now.get("pilot", 0)
    running = now.get("limited_production", 0) + now.get("scaled", 0) + now.get("sustained", 0)
    return f"In shadow or pilot: {trying}. In production: {running}."


def signals_figure(signals: Signals, width: int = 500) -> Figure:
    """Six bars from 0 (good) to 100 (bad), each with its value and its band in words."""
    rows: list[dict[str, object]] = [
        {
            "title": f"{signal.id.upper()} {signal.title}",
            "value": signal.value,
            "band": signal.band,
            "label": f"{signal.value:.0f} {BAND_WORDS[signal.band]}",
        }
        for signal in signals.signals
    ]
    colours = alt.Scale(domain=list(BAND_COLOURS), range=list(BAND_COLOURS.values()))
    axis = alt.Axis(values=[0, 25, 50, 100], title=None, grid=False)
    base = alt.Chart(values(rows)).encode(
        y=alt.Y("title:N", sort=None, axis=None),
        x=alt.X("value:Q", scale=alt.Scale(domain=[0, 112]), axis=axis),
    )
    color = alt.Color("band:N", scale=colours, legend=None)
    bars = base.mark_bar(height=9, yOffset=9, cornerRadiusEnd=2).encode(color=color)
    labels = base.mark_text(align="left", dx=6, dy=9, color=MUTED).encode(text="label:N")
    titles = base.mark_text(align="left", dy=-7, color=INK).encode(text="title:N", x=alt.value(0))
    return Figure(
        svg=draw((bars + labels + titles).properties(width=width - 20, height=39 * max(1, len(rows)))),
        sentence=_signals_sentence(signals),
        columns=("Sign", "Value (0 good, 100 bad)", "Band", "Data complete", "Parts"),
        rows=tuple(
            (
                f"{signal.id.upper()} {signal.title}",
                f"{signal.value:.1f}",
                BAND_WORDS[signal.band],
                f"{signal.complete:.0%}",
                ", ".join(f"{name} {value:.2f}" for name, value in signal.parts.items()),
            )
            for signal in signals.signals
        ),
        note="Under 25 is low, 25 to 50 is worth watching, over 50 is high. These cut points are defaults.",
    )


def _signals_sentence(signals: Signals) -> str:
    if not signals.signals:
        return "The six signs of pilot reliance are not measured yet."
    worst = max(signals.signals, key=lambda signal: signal.value)
    return f"The worst sign is {worst.id.upper()}, {worst.title.lower()}, at {worst.value:.0f} of 100."
