"""Error rates with their intervals: by class, and by version."""

from collections.abc import Sequence

import altair as alt

from careplane.console.charts.figure import ACCENT, INK, LINE, MUTED, Figure, Layer, draw, values
from careplane.records.quality import Rate

_LABELS = 260
_NUMBERS = 190
COLUMNS = ("What", "Per 100 outputs", "Low", "High", "Outputs read", "Errors seen", "Note")


def rates_figure(rates: Sequence[Rate], sentence: str, note: str = "", width: int = 1060) -> Figure:
    """Rates per 100 outputs as points with intervals; what is withheld or not measured says so in words."""
    shown: list[dict[str, object]] = [
        {"name": _name(rate), "low": rate.low, "high": rate.high, "value": rate.value, "text": _numbers(rate)}
        for rate in rates
        if rate.value is not None
    ]
    hidden: list[dict[str, object]] = [
        {"name": _name(rate), "text": "withheld: too few" if rate.withheld else "not measured"}
        for rate in rates
        if rate.value is None
    ]
    inner = width - _LABELS - _NUMBERS
    order = [_name(rate) for rate in rates]
    axis = alt.Axis(ticks=False, domain=False, labelPadding=8, labelLimit=_LABELS, grid=True, gridColor=LINE)
    y = alt.Y("name:N", sort=order, scale=alt.Scale(domain=order), title=None, axis=axis)
    x_axis = alt.Axis(title="errors per 100 outputs, 95 % interval; fewer is better", grid=False, tickCount=8)
    top = max([rate.high for rate in rates if rate.high is not None], default=1.0)
    x = alt.X("low:Q", scale=alt.Scale(domain=[0, top], nice=False), axis=x_axis)
    base = alt.Chart(values(shown)).encode(y=y)
    layers: Layer = base.mark_rule(color=ACCENT, strokeWidth=2).encode(x=x, x2="high:Q")
    layers += base.mark_point(color=ACCENT, opacity=1, filled=True, size=80).encode(x="value:Q")
    layers += base.mark_text(align="right", color=INK).encode(x=alt.value(inner + _NUMBERS - 6), text="text:N")
    gone = alt.Chart(values(hidden)).mark_text(align="right", color=MUTED, fontStyle="italic")
    layers += gone.encode(y=y, x=alt.value(inner + _NUMBERS - 6), text="text:N")
    return Figure(
        svg=draw(layers.properties(width=inner, height=24 * max(1, len(rates)))),
        sentence=sentence,
        columns=COLUMNS,
        rows=tuple(_row(rate) for rate in rates),
        note=note,
    )


def _name(rate: Rate) -> str:
    words = rate.name.replace("_", " ")
    return "all errors" if words == "errors" else words


def _numbers(rate: Rate) -> str:
    if rate.value is None or rate.low is None or rate.high is None:
        return ""
    return f"{rate.value:.1f} ({rate.low:.1f} to {rate.high:.1f})"


def _row(rate: Rate) -> tuple[str, ...]:
    numbers = (rate.value, rate.low, rate.high)
    if rate.value is None:
        return (_name(rate), *("withheld" if rate.withheld else "not measured" for _ in numbers), "", "", rate.withheld)
    return (
        _name(rate),
        *("" if one is None else f"{one:.2f}" for one in numbers),
        f"{rate.n:,}",
        f"{rate.events:,}",
        rate.method,
    )
