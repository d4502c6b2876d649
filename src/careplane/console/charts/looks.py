"""The sequential monitor: the statistic of each look against what it had to pass."""

from collections.abc import Sequence

import altair as alt

from careplane.console.charts.figure import ACCENT, CAUTION, INK, MUTED, Figure, draw, values
from careplane.records.evidence import Look, Point

_HEIGHT = 190


def looks_figure(looks: Sequence[Look], width: int = 1060) -> Figure:
    """Each look at its share of the pilot: ``z`` as a point, both boundaries as dashes."""
    rows: list[dict[str, object]] = [
        {
            "share": 100 * look.share,
            "z": look.z,
            "upper": look.bound,
            "lower": -look.bound,
            "text": f"look {look.number}{'' if look.planned else ', not planned'}",
        }
        for look in looks
    ]
    x = alt.X("share:Q", title="share of the pilot that had passed, %", scale=alt.Scale(domain=[0, 105]))
    most = max(max(abs(look.z), look.bound) for look in looks) * 1.25
    y = alt.Scale(domain=[-most, most])
    base = alt.Chart(values(rows)).encode(x=x)
    zero = alt.Chart(values([{"at": 0.0}])).mark_rule(color=MUTED).encode(y=alt.Y("at:Q", scale=y, title="z"))
    layers = zero
    for name in ("upper", "lower"):
        layers += base.mark_line(color=CAUTION, strokeDash=[4, 3], strokeWidth=2).encode(y=f"{name}:Q")
        layers += base.mark_tick(color=CAUTION, thickness=3, width=16, orient="horizontal").encode(y=f"{name}:Q")
    layers += base.mark_line(color=ACCENT, strokeWidth=1.5).encode(y="z:Q")
    layers += base.mark_point(color=ACCENT, filled=True, opacity=1, size=70).encode(y="z:Q")
    layers += base.mark_text(color=INK, dy=-14, align="right").encode(y="z:Q", text="text:N")
    crossed = next((look for look in looks if look.crossed), None)
    told = f"crossed at look {crossed.number}" if crossed else "never crossed"
    kind = looks[-1].kind.replace("_", " ")
    return Figure(
        svg=draw(layers.properties(width=width - 60, height=_HEIGHT)),
        sentence=f"Of {len(looks)} look{'s' if len(looks) > 1 else ''} ({kind}) the boundary was {told}.",
        columns=("Look", "Share of the pilot", "Planned", "z", "Boundary", "Crossed"),
        rows=tuple(
            (
                str(look.number),
                f"{100 * look.share:.0f} %",
                "yes" if look.planned else "no",
                f"{look.z:.2f}",
                f"{look.bound:.2f}",
                "yes" if look.crossed else "no",
            )
            for look in looks
        ),
        note=looks[-1].text,
    )


def curve_figure(points: Sequence[Point], title: str, unit: str, width: int = 1060) -> Figure:
    """An effect by period with its intervals, zero as a line."""
    rows: list[dict[str, object]] = [
        {"at": one.at, "estimate": one.estimate, "low": one.ci_low, "high": one.ci_high} for one in points
    ]
    scale = alt.Scale(nice=False, padding=20)
    base = alt.Chart(values(rows)).encode(x=alt.X("at:Q", title="period", scale=scale, axis=alt.Axis(tickMinStep=1)))
    y = alt.Y("estimate:Q", title=unit)
    layers = alt.Chart(values([{"zero": 0.0}])).mark_rule(color=INK).encode(y=alt.Y("zero:Q", title=unit))
    layers += base.mark_rule(color=ACCENT, strokeWidth=2).encode(y="low:Q", y2="high:Q")
    layers += base.mark_point(color=ACCENT, filled=True, opacity=1, size=60).encode(y=y)
    return Figure(
        svg=draw(layers.properties(width=width - 60, height=_HEIGHT)),
        sentence=f"{title[:1].upper()}{title[1:]}, in {unit}.",
        columns=("Period", "Estimate", "Low", "High"),
        rows=tuple((f"{one.at:g}", f"{one.estimate:.2f}", _cell(one.ci_low), _cell(one.ci_high)) for one in points),
    )


def _cell(value: float | None) -> str:
    return "none" if value is None else f"{value:.2f}"
