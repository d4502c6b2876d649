"""Why users set cards aside: a Pareto chart, the most frequent reason first."""

from collections.abc import Sequence

import altair as alt

from careplane.change import ReasonCount
from careplane.console.charts.figure import ACCENT, CAUTION, Figure, draw, values

SHOWN = 12
"""Reasons that the chart draws; the table has all of them."""


def reasons_figure(reasons: Sequence[ReasonCount], width: int = 1060) -> Figure:
    """Cards by reason, and what share of all the reasons up to there make; at least one reason."""
    first, total = reasons[0], sum(one.cards for one in reasons)
    rows: list[dict[str, object]] = [
        {"reason": one.text[:60], "cards": one.cards, "cumulative": one.cumulative, "order": number}
        for number, one in enumerate(reasons[:SHOWN])
    ]
    base = alt.Chart(values(rows)).encode(
        y=alt.Y("reason:N", title=None, sort=alt.EncodingSortField(field="order", order="ascending"))
    )
    bars = base.mark_bar(color=ACCENT).encode(
        x=alt.X("cards:Q", title="cards", axis=alt.Axis(tickMinStep=1), scale=alt.Scale(domain=[0, total], nice=False))
    )
    line = base.mark_line(color=CAUTION, point=alt.OverlayMarkDef(color=CAUTION, filled=True), strokeWidth=2).encode(
        x=alt.X(
            "cumulative:Q",
            title="share of all, up to here",
            axis=alt.Axis(format="%", orient="top"),
            scale=alt.Scale(domain=[0, 1]),
        ),
        order="order:O",
    )
    chart = alt.layer(bars, line).resolve_scale(x="independent").properties(width=width - 320, height=28 * len(rows))
    return Figure(
        svg=draw(chart),
        sentence=f"Of {total:,} cards set aside, {first.cards:,} ({first.share:.0%}) were for “{first.text[:60]}”.",
        columns=("Reason", "Cards", "Share", "Up to here"),
        rows=tuple((one.text, str(one.cards), f"{one.share:.0%}", f"{one.cumulative:.0%}") for one in reasons),
        note="Of each card the newest answer counts. Cards that nobody answered are not in it.",
    )
