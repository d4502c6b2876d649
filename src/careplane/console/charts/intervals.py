"""Rows of estimates with intervals on one axis: access by group, the outcome by dose, methods side by side, a curve."""

from collections.abc import Sequence

import altair as alt

from careplane.console.charts.effects import POINT_SIZE, domain
from careplane.console.charts.figure import ACCENT, INK, LINE, MUTED, Figure, Layer, draw, values
from careplane.records import Record

_LABELS, _NUMBERS = 330, 260


class IntervalRow(Record, frozen=True):
    """One row: its name, what stands beside it, the estimate with its interval; without one ``note`` says why."""

    name: str
    beside: str
    estimate: float | None
    low: float | None = None
    high: float | None = None
    note: str = ""


def intervals_figure(
    rows: Sequence[IntervalRow], *, sentence: str, axis: str, head: str, line: float = 0.0, log: bool = False,
    note: str = "", width: int = 1060,
) -> Figure:  # fmt: skip
    """The rows in their order, a line at what would be no difference; a row without an estimate says why in words."""
    inner = width - _LABELS - _NUMBERS
    shown: list[dict[str, object]] = [
        {"name": row.name, "low": _or(row.low, row.estimate), "high": _or(row.high, row.estimate),
         "estimate": row.estimate, "text": _text(row), "beside": row.beside}
        for row in rows
        if row.estimate is not None and (not log or row.estimate > 0)
    ]  # fmt: skip
    hidden: list[dict[str, object]] = [
        {"name": row.name, "text": row.note or _text(row)}
        for row in rows
        if row.estimate is None or (log and row.estimate <= 0)
    ]
    order = [row.name for row in rows]
    layers = _line(shown, axis, line, log=log)
    y = alt.Y("name:N", sort=order, scale=alt.Scale(domain=order), title=None, axis=_names())
    base = alt.Chart(values(shown)).encode(y=y)
    layers += base.mark_rule(color=ACCENT, strokeWidth=2).encode(x="low:Q", x2="high:Q")
    layers += base.mark_point(color=ACCENT, opacity=1, filled=True, size=POINT_SIZE).encode(x="estimate:Q")
    layers += base.mark_text(align="right", color=MUTED).encode(x=alt.value(inner + 84), text="beside:N")
    layers += base.mark_text(align="right", color=INK).encode(x=alt.value(inner + _NUMBERS - 6), text="text:N")
    layers += (
        alt.Chart(values(hidden))
        .mark_text(color=MUTED, align="right", fontStyle="italic", limit=inner + _NUMBERS - 20)
        .encode(y=y, x=alt.value(inner + _NUMBERS - 6), text="text:N")
    )
    return Figure(
        svg=draw(layers.properties(width=inner, height=24 * max(1, len(rows)))),
        sentence=sentence,
        columns=("", head, "Estimate", "Low", "High", "Note"),
        rows=tuple((row.name, row.beside, *map(_cell, (row.estimate, row.low, row.high)), row.note) for row in rows),
        note=note,
    )


def _line(shown: Sequence[dict[str, object]], axis: str, line: float, *, log: bool) -> Layer:
    numbers = [float(str(row[name])) for row in shown for name in ("low", "high")] + [line]
    spread = domain(numbers) if not log else [min([*numbers, line / 1.2]) / 1.1, max([*numbers, line * 1.2]) * 1.1]
    scale = alt.Scale(domain=spread, nice=False, zero=False, type="log" if log else "linear")
    x = alt.X("at:Q", scale=scale, axis=alt.Axis(title=axis, grid=False, tickCount=8))
    layer: Layer = alt.Chart(values([{"at": line}])).mark_rule(color=INK).encode(x=x)
    return layer


def _names() -> alt.Axis:
    return alt.Axis(ticks=False, domain=False, labelPadding=8, labelLimit=_LABELS, grid=True, gridColor=LINE)


def _or(value: float | None, other: float | None) -> float | None:
    return other if value is None else value


def _text(row: IntervalRow) -> str:
    if row.estimate is None:
        return ""
    if row.low is None or row.high is None:
        return f"{row.estimate:.2f}".replace("-", "\N{MINUS SIGN}")
    return f"{row.estimate:.2f} ({row.low:.2f} to {row.high:.2f})".replace("-", "\N{MINUS SIGN}")


def _cell(value: float | None) -> str:
    return "none" if value is None else f"{value:.2f}"
