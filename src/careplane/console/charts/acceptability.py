"""The cost-effectiveness acceptability curve: how sure it is, at each price of an improvement, that it is worth it."""

import altair as alt

from careplane.console.charts.figure import ACCENT, CAUTION, INK, Figure, draw, values
from careplane.records.money import Effectiveness, WorthAt


def acceptability_figure(found: Effectiveness, width: int = 1060) -> Figure:
    """The share of draws in favour over willingness to pay, with the stated one as a line; a table of all points."""
    points = sorted({one.usd: one for one in (*found.curve, *([found.stated] if found.stated else []))}.items())
    rows: list[dict[str, object]] = [{"usd": usd, "share": 100 * one.acceptability} for usd, one in points]
    x = alt.X("usd:Q", title=f"willingness to pay, USD per {found.unit} of improvement")
    y = alt.Y("share:Q", title="draws in favour, %", scale=alt.Scale(domain=[0, 100]))
    base = alt.Chart(values(rows)).encode(x=x, y=y)
    layers = base.mark_line(color=ACCENT, strokeWidth=2) + base.mark_point(color=ACCENT, filled=True, opacity=1)
    if found.stated:
        rule = alt.Chart(values([{"usd": found.stated.usd, "text": "stated"}])).encode(x="usd:Q")
        layers += rule.mark_rule(color=CAUTION, strokeDash=[6, 3], strokeWidth=2)
        layers += rule.mark_text(color=INK, align="left", dx=5).encode(y=alt.value(10), text="text:N")
    return Figure(
        svg=draw(layers.properties(width=width - 70, height=200)),
        sentence=f"{found.sentence} {found.verdict or 'No verdict: what an improvement may cost is not stated.'}",
        columns=(f"USD per {found.unit}", "Draws in favour", "Net benefit, USD/event", "Interval", "EVPI, USD/event"),
        rows=tuple(_row(one) for _usd, one in points),
        note=f"{found.draws:,} draws, per eligible event. A willingness to pay is no cash: nothing leaves a budget.",
    )


def _row(one: WorthAt) -> tuple[str, ...]:
    return (
        f"{one.usd:,g}",
        f"{100 * one.acceptability:.1f} %",
        f"{one.net_benefit:,.2f}",
        f"{one.low:,.2f} to {one.high:,.2f}",
        f"{one.evpi:,.3f}",
    )
