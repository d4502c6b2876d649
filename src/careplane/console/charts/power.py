"""The smallest effect that a design finds, by weeks and units, against the smallest worthwhile change."""

import altair as alt

from careplane.console.charts.figure import BAD, INK, Figure, draw, values
from careplane.records.planning import Advice

_DASHES: tuple[list[int], ...] = ([1, 0], [6, 3], [2, 2])


def power_figure(advice: Advice, width: int = 1060) -> Figure:
    """A line for each number of units; numbers of units are written at the end of the lines, dashes tell them apart."""
    found = [point for point in advice.points if point.detectable is not None]
    counts = sorted({point.clusters for point in advice.points})
    rows: list[dict[str, object]] = [
        {"weeks": point.weeks, "effect": point.detectable, "units": f"{point.clusters} units"} for point in found
    ]
    ends = [row for row in rows if row["weeks"] == max((point.weeks for point in found), default=0)]
    base = alt.Chart(values(rows)).encode(
        x=alt.X("weeks:Q", title="weeks", scale=alt.Scale(zero=True)),
        y=alt.Y("effect:Q", title=f"smallest effect found ({advice.unit})", scale=alt.Scale(zero=True)),
    )
    dashes = alt.Scale(domain=[f"{count} units" for count in counts], range=list(_DASHES[: len(counts)]))
    lines = base.mark_line(color=INK, point=alt.OverlayMarkDef(color=INK)).encode(
        strokeDash=alt.StrokeDash("units:N", scale=dashes, legend=None)
    )
    labels = (
        alt.Chart(values(ends))
        .mark_text(align="left", dx=8, color=INK)
        .encode(x="weeks:Q", y="effect:Q", text="units:N")
    )
    layers: list[alt.Chart] = [lines, labels]
    if advice.mcid is not None:
        rule = alt.Chart(values([{"effect": advice.mcid, "text": "smallest worthwhile change"}]))
        layers += [
            rule.mark_rule(color=BAD, strokeDash=[8, 4]).encode(y="effect:Q"),
            rule.mark_text(align="left", dx=4, dy=12, color=BAD).encode(y="effect:Q", x=alt.value(0), text="text:N"),
        ]
    chart = alt.LayerChart(layer=layers).properties(width=width - 170, height=260)
    return Figure(
        svg=draw(chart),
        sentence=advice.power,
        columns=("Units", "Weeks", f"Smallest effect found ({advice.unit})", "Cost (USD)"),
        rows=tuple(
            (
                str(point.clusters),
                str(point.weeks),
                "not computed" if point.detectable is None else f"{point.detectable:.3g}",
                "not given" if point.usd is None else f"{point.usd:,.0f}",
            )
            for point in advice.points
        ),
        note="With 80 % power, two-sided 0.05. What is not drawn was not computed.",
    )
