"""The forest: an effect in each group, so that nobody is left behind unseen."""

from collections.abc import Sequence

import altair as alt

from careplane.console.charts.effects import POINT_SIZE, axis_title, domain, numbers_text
from careplane.console.charts.figure import ACCENT, INK, LINE, MUTED, Figure, Layer, draw, values
from careplane.records.evidence import Effect, EquityRow

_LABELS = 330
_NUMBERS = 236
"""Width of the names on the left of a forest and of the numbers on its right, in pixels."""
LANGUAGES = {
    "ar": "Arabic",
    "en": "English",
    "es": "Spanish",
    "fr": "French",
    "hmn": "Hmong",
    "ko": "Korean",
    "ru": "Russian",
    "so": "Somali",
    "tl": "Tagalog",
    "vi": "Vietnamese",
    "zh": "Chinese",
}
"""Languages of patients by ISO 639 code; any other code is shown as it is."""


def forest_figure(rows: Sequence[EquityRow], unit: str, whole: Effect | None = None, width: int = 1060) -> Figure:
    """The effect in each group with its interval and numbers; a withheld group says so instead of a mark."""
    shown: list[dict[str, object]] = [
        {
            "group": _label(row),
            "low": row.ci_low,
            "high": row.ci_high,
            "estimate": row.estimate,
            "n": f"{row.n:,}",
            "text": numbers_text(row),
        }
        for row in rows
        if row.estimate is not None
    ]
    hidden: list[dict[str, object]] = [{"group": _label(row)} for row in rows if row.estimate is None]
    inner = width - _LABELS - _NUMBERS
    y = _groups([_label(row) for row in rows])
    layers = _zero_line(rows, unit, whole)
    base = alt.Chart(values(shown)).encode(y=y)
    layers += base.mark_rule(color=ACCENT, strokeWidth=2).encode(x="low:Q", x2="high:Q")
    layers += base.mark_point(color=ACCENT, opacity=1, filled=True, size=POINT_SIZE).encode(x="estimate:Q")
    layers += base.mark_text(align="right", color=MUTED).encode(x=alt.value(inner + 52), text="n:N")
    layers += base.mark_text(align="right", color=INK).encode(x=alt.value(inner + _NUMBERS - 6), text="text:N")
    layers += _heads(inner)
    layers += (
        alt.Chart(values(hidden))
        .mark_text(color=MUTED, align="right", fontStyle="italic")
        .encode(y=y, x=alt.value(inner + _NUMBERS - 6), text=alt.value("withheld: too few people"))
    )
    if whole is not None:
        line = alt.Chart(values([{"at": whole.estimate}])).mark_rule(color=MUTED, strokeDash=[2, 3])
        layers += line.encode(x="at:Q")
    return Figure(
        svg=draw(layers.properties(width=inner, height=24 * max(1, len(rows)))),
        sentence=_forest_sentence(rows, whole),
        columns=("Group", "n", "Effect", "Low", "High", "Gap to the others", "Note"),
        rows=tuple(_forest_row(row) for row in rows),
        note="The dotted line is the effect in everyone." if whole is not None else "",
    )


def _groups(order: list[str]) -> alt.Y:
    axis = alt.Axis(ticks=False, domain=False, labelPadding=8, labelLimit=_LABELS, grid=True, gridColor=LINE)
    return alt.Y("group:N", sort=order, scale=alt.Scale(domain=order), title=None, axis=axis)


def _zero_line(rows: Sequence[EquityRow], unit: str, whole: Effect | None) -> Layer:
    """No difference, which also carries the axis of the effect."""
    numbers = [row.ci_low for row in rows] + [row.ci_high for row in rows] + [0.0]
    scale = alt.Scale(domain=domain([value for value in numbers if value is not None]), nice=False, zero=False)
    title = f"intervention minus control, {unit}" if whole is None else axis_title(unit, whole.direction)
    axis = alt.Axis(title=title, grid=False, tickCount=8)
    line: Layer = alt.Chart(values([{"at": 0.0}])).mark_rule(color=INK).encode(x=alt.X("at:Q", scale=scale, axis=axis))
    return line


def _heads(inner: int) -> Layer:
    """The names of the two columns of numbers."""
    heads: list[dict[str, object]] = [
        {"x": inner + 52, "text": "n"},
        {"x": inner + _NUMBERS - 6, "text": "effect (95 % interval)"},
    ]
    texts = alt.Chart(values(heads)).mark_text(align="right", baseline="bottom", color=MUTED, dy=-2)
    layer: Layer = texts.encode(x=alt.X("x:Q", scale=None), y=alt.value(0), text="text:N")
    return layer


def _label(row: EquityRow) -> str:
    group = LANGUAGES.get(row.group, row.group) if row.dimension == "language" else row.group
    return f"{row.dimension.replace('_', ' ').capitalize()}: {group}"


def _forest_row(row: EquityRow) -> tuple[str, ...]:
    numbers = (row.estimate, row.ci_low, row.ci_high)
    shown = tuple("withheld" if value is None else f"{value:.2f}" for value in numbers)
    gap = "none" if row.gap is None else f"{row.gap:.2f} ({row.gap_low:.2f} to {row.gap_high:.2f})"
    return (_label(row), "withheld" if row.n is None else f"{row.n:,}", *shown, gap, row.withheld)


def _forest_sentence(rows: Sequence[EquityRow], whole: Effect | None) -> str:
    """Whether any group is made worse off, and how many are too small to tell."""
    seen = [row for row in rows if row.ci_low is not None and row.ci_high is not None]
    text = f"The effect in {len(seen)} groups"
    if whole is not None and seen:
        worse = [_label(row) for row in seen if _made_worse(row, whole.direction)]
        answer = f"worse for {', '.join(worse)}" if worse else "no interval lies wholly on the harmful side"
        text = f"{text}: {answer}"
    withheld = len(rows) - len(seen)
    return f"{text}; {withheld} withheld, being too small." if withheld else f"{text}."


def _made_worse(row: EquityRow, direction: str) -> bool:
    if row.ci_low is None or row.ci_high is None:
        return False
    return (row.ci_low > 0 and direction == "lower") or (row.ci_high < 0 and direction == "higher")
