"""An effect with its interval, against zero and the smallest worthwhile change."""

from collections.abc import Sequence

import altair as alt

from careplane.console.charts.figure import ACCENT, CAUTION, INK, MUTED, Figure, draw, values
from careplane.records.evidence import Effect, EquityRow

POINT_SIZE = 90


def effect_figure(effect: Effect, width: int = 1060) -> Figure:
    """The effect with its interval, zero as a line, and as a dashed one the smallest worthwhile change, or for a
    balancing measure the margin by which it may get worse."""
    name, margin = _margin(effect)
    row: list[dict[str, object]] = [
        {"low": effect.ci_low, "high": effect.ci_high, "estimate": effect.estimate, "text": numbers_text(effect)}
    ]
    marks: list[dict[str, object]] = [{"at": 0.0, "text": "no difference"}, {"at": margin, "text": name}]
    scale = alt.Scale(domain=domain((effect.ci_low, effect.ci_high, 0.0, margin)), nice=False, zero=False)
    axis = alt.Axis(title=axis_title(effect.unit, effect.direction), grid=False, tickCount=8)
    rules = alt.Chart(values(marks[:1])).mark_rule(color=INK).encode(x=alt.X("at:Q", scale=scale, axis=axis))
    wish = alt.Chart(values(marks[1:])).mark_rule(color=CAUTION, strokeDash=[4, 3], strokeWidth=2).encode(x="at:Q")
    names = (
        alt.Chart(values(marks))
        .mark_text(baseline="bottom", color=MUTED, dy=-2)
        .encode(x="at:Q", y=alt.value(0), text="text:N")
    )
    base = alt.Chart(values(row)).encode(y=alt.value(42))
    line = base.mark_rule(color=ACCENT, strokeWidth=3).encode(x="low:Q", x2="high:Q")
    point = base.mark_point(color=ACCENT, opacity=1, filled=True, size=POINT_SIZE).encode(x="estimate:Q")
    label = base.mark_text(dy=-14, color=INK, fontWeight=600).encode(x="estimate:Q", text="text:N")
    return Figure(
        svg=draw((rules + wish + names + line + point + label).properties(width=width - 20, height=60)),
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
                _p_value(effect.p_value),
                effect.method,
            ),
        ),
    )


def numbers_text(row: Effect | EquityRow) -> str:
    """``−2.21 (−2.81 to −1.61)``, with true minus signs; empty when withheld."""
    if row.estimate is None or row.ci_low is None or row.ci_high is None:
        return ""
    text = f"{row.estimate:.2f} ({row.ci_low:.2f} to {row.ci_high:.2f})"
    return text.replace("-", "\N{MINUS SIGN}")


def _p_value(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def axis_title(unit: str, direction: str) -> str:
    """What the axis of an effect shows, and which way is good."""
    better = {
        "lower": "\N{LEFTWARDS ARROW} lower is better",
        "higher": "higher is better \N{RIGHTWARDS ARROW}",
        "nearer_zero": "nearer to 0 is better",
        "nearer_one": "nearer to 1 is better",
    }.get(direction, "neither way is better")
    return f"intervention minus control, {unit} ({better})"


def _margin(effect: Effect) -> tuple[str, float]:
    """The line that an effect is held against besides zero."""
    better = -effect.mcid if effect.direction == "lower" else effect.mcid
    if effect.margin is not None:
        return "may get worse by", effect.margin if effect.direction == "lower" else -effect.margin
    return ("may get worse by", -better) if effect.role == "balancing" else ("smallest worthwhile", better)


def domain(numbers: Sequence[float]) -> list[float]:
    """The numbers with a margin on both sides."""
    low, high = min(numbers), max(numbers)
    margin = (high - low or 1.0) * 0.12
    return [low - margin, high + margin]
