"""An effect against zero and the smallest worthwhile change, and the forest of groups."""

from collections.abc import Sequence

import altair as alt

from careplane.console.charts.figure import ACCENT, CAUTION, INK, LINE, MUTED, Figure, draw, values
from careplane.records.evidence import Effect, EquityRow

_POINT_SIZE = 90


def effect_figure(effect: Effect, width: int = 980) -> Figure:
    """The effect with its interval, zero as a line, and as a dashed one the smallest worthwhile change, or for a
    balancing measure the margin by which it may get worse."""
    name, margin = _margin(effect)
    row: list[dict[str, object]] = [
        {"low": effect.ci_low, "high": effect.ci_high, "estimate": effect.estimate, "row": "effect"}
    ]
    marks: list[dict[str, object]] = [
        {"at": 0.0, "text": "no difference"},
        {"at": margin, "text": name},
    ]
    scale = alt.Scale(domain=_domain((effect.ci_low, effect.ci_high, 0.0, margin)), nice=False, zero=False)
    axis = alt.Axis(title=f"intervention minus control, {effect.unit}", grid=False, tickCount=8)
    rules = alt.Chart(values(marks[:1])).mark_rule(color=INK).encode(x=alt.X("at:Q", scale=scale, axis=axis))
    wish = alt.Chart(values(marks[1:])).mark_rule(color=CAUTION, strokeDash=[4, 3], strokeWidth=2).encode(x="at:Q")
    names = (
        alt.Chart(values(marks))
        .mark_text(baseline="bottom", color=MUTED, dy=-2)
        .encode(x="at:Q", y=alt.value(0), text="text:N")
    )
    base = alt.Chart(values(row)).encode(y=alt.value(36))
    line = base.mark_rule(color=ACCENT, strokeWidth=3).encode(x="low:Q", x2="high:Q")
    point = base.mark_point(color=ACCENT, opacity=1, filled=True, size=_POINT_SIZE).encode(x="estimate:Q")
    return Figure(
        svg=draw((rules + wish + names + line + point).properties(width=width - 40, height=64)),
        sentence=effect.sentence,
        columns=("Measure", "Effect", "Low", "High", name.capitalize(), "n", "Clusters", "p", "Method"),
        rows=(
            (
                effect.measure.replace("_", " "),
                f"{effect.estimate:.2f} {effect.unit}",
                f"{effect.ci_low:.2f}",
                f"{effect.ci_high:.2f}",
                f"{margin:.2f}",
                f"{effect.n:,}",
                str(effect.clusters),
                f"{effect.p_value:.3f}",
                effect.method,
            ),
        ),
    )


def _margin(effect: Effect) -> tuple[str, float]:
    """The line that an effect is held against besides zero."""
    better = -effect.mcid if effect.direction == "lower" else effect.mcid
    return ("may get worse by", -better) if effect.role == "balancing" else ("smallest worthwhile", better)


def forest_figure(rows: Sequence[EquityRow], unit: str, whole: Effect | None = None, width: int = 980) -> Figure:
    """The effect in each group with its interval; a withheld group says so instead of showing a mark."""
    shown: list[dict[str, object]] = [
        {"group": _label(row), "low": row.ci_low, "high": row.ci_high, "estimate": row.estimate}
        for row in rows
        if row.estimate is not None
    ]
    hidden: list[dict[str, object]] = [{"group": _label(row)} for row in rows if row.estimate is None]
    order = [_label(row) for row in rows]
    numbers = [row.ci_low for row in rows] + [row.ci_high for row in rows] + [0.0]
    scale = alt.Scale(domain=_domain([value for value in numbers if value is not None]), nice=False, zero=False)
    y = alt.Y(
        "group:N",
        sort=order,
        scale=alt.Scale(domain=order),
        title=None,
        axis=alt.Axis(ticks=False, domain=False, labelPadding=8, grid=True, gridColor=LINE),
    )
    x_axis = alt.Axis(title=f"intervention minus control, {unit}", grid=False, tickCount=8)
    zero = alt.Chart(values([{"at": 0.0}])).mark_rule(color=INK).encode(x=alt.X("at:Q", scale=scale, axis=x_axis))
    base = alt.Chart(values(shown)).encode(y=y)
    layers = zero + base.mark_rule(color=ACCENT, strokeWidth=2).encode(x="low:Q", x2="high:Q")
    layers += base.mark_point(color=ACCENT, opacity=1, filled=True, size=_POINT_SIZE).encode(x="estimate:Q")
    layers += (
        alt.Chart(values(hidden))
        .mark_text(color=MUTED, align="left")
        .encode(y=y, x=alt.value(6), text=alt.value("withheld: too few people"))
    )
    if whole is not None:
        line = alt.Chart(values([{"at": whole.estimate}])).mark_rule(color=MUTED, strokeDash=[2, 3])
        layers += line.encode(x="at:Q")
    return Figure(
        svg=draw(layers.properties(width=width - 220, height=26 * max(1, len(rows)))),
        sentence=_forest_sentence(rows),
        columns=("Group", "n", "Effect", "Low", "High", "Note"),
        rows=tuple(_forest_row(row) for row in rows),
        note="The dotted line is the effect in everyone." if whole is not None else "",
    )


def _label(row: EquityRow) -> str:
    size = "" if row.n is None else f" (n {row.n:,})"
    return f"{row.dimension.replace('_', ' ')}: {row.group}{size}"


def _forest_row(row: EquityRow) -> tuple[str, ...]:
    numbers = (row.estimate, row.ci_low, row.ci_high)
    shown = tuple("withheld" if value is None else f"{value:.2f}" for value in numbers)
    return (_label(row), "withheld" if row.n is None else f"{row.n:,}", *shown, row.withheld)


def _forest_sentence(rows: Sequence[EquityRow]) -> str:
    withheld = sum(row.estimate is None for row in rows)
    text = f"The effect in {len(rows) - withheld} groups"
    return f"{text}; {withheld} withheld, being too small." if withheld else f"{text}."


def _domain(numbers: Sequence[float]) -> list[float]:
    low, high = min(numbers), max(numbers)
    margin = (high - low or 1.0) * 0.12
    return [low - margin, high + margin]
