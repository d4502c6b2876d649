"""From an interval to a verdict in words, and how far the design can be trusted.

For the verdict an effect is turned so that positive is good. ``mcid`` is the smallest worthwhile change; for a
balancing measure, and where the hypothesis is non-inferiority, there is a margin by which it may get worse. A measure
that is read beside others, or that flags, is never judged.
"""

from dataclasses import dataclass
from datetime import UTC
from math import ceil
from typing import Protocol

from careplane.records.design import RANDOMISED
from careplane.records.evidence import Grade, Plan, PlannedMeasure, Verdict

ADEQUATE_CLUSTERS = 10
MAX_MISSING = 0.2
MAX_WEEKS = 104


class Interval(Protocol):
    """An estimate with its interval, such as that of an estimator."""

    @property
    def estimate(self) -> float: ...
    @property
    def ci_low(self) -> float: ...
    @property
    def ci_high(self) -> float: ...
    @property
    def se(self) -> float | None: ...


@dataclass(frozen=True, slots=True)
class Spread:
    """What more weeks could change: the part of the variance of the effect that shrinks with more rows per cluster,
    and how many weeks have been observed."""

    within_variance: float
    weeks: float


def judge(measure: PlannedMeasure, found: Interval, mean_control: float = 0.0) -> Verdict:
    """The verdict by the plan's decision rule; ``mean_control`` says which way is nearer to a target."""
    better = turned(measure, mean_control)
    if better is None:
        return "not judged"
    good, low, high = _turned(better, found)
    if low > 0 and good >= measure.mcid:
        return "benefit"
    if tolerates(measure) and low > -margin_of(measure):
        return "no worthwhile effect"
    if high < 0:
        return "harm"
    if not tolerates(measure) and high < measure.mcid:
        return "no worthwhile effect"
    return "inconclusive"


def tolerates(measure: PlannedMeasure) -> bool:
    """Whether the question is that it does not get worse by a margin, rather than that it gets better."""
    return measure.role == "balancing" or measure.hypothesis == "non_inferiority"


def margin_of(measure: PlannedMeasure) -> float:
    """By how much it may get worse."""
    return measure.mcid if measure.margin is None else measure.margin


def not_worse(measure: PlannedMeasure, found: Interval, mean_control: float = 0.0) -> bool | None:
    """Whether getting worse by the margin is ruled out; ``None`` where that was not the question."""
    better = turned(measure, mean_control)
    if better is None or not tolerates(measure):
        return None
    return _turned(better, found)[1] > -margin_of(measure)


def turned(measure: PlannedMeasure, mean_control: float) -> str | None:
    """Whether ``lower`` or ``higher`` is better here; ``None`` for a measure that is not judged."""
    target = {"nearer_zero": 0.0, "nearer_one": 1.0}.get(measure.direction)
    if target is not None:
        return "lower" if mean_control > target else "higher"
    return measure.direction if measure.direction in ("lower", "higher") else None


def good_ends(measure: PlannedMeasure, found: Interval, mean_control: float = 0.0) -> tuple[float, float, float] | None:
    """Estimate and both ends, turned so that positive is good; ``None`` for a measure that is not judged."""
    better = turned(measure, mean_control)
    return None if better is None else _turned(better, found)


def _turned(better: str, found: Interval) -> tuple[float, float, float]:
    if better == "lower":
        return -found.estimate, -found.ci_high, -found.ci_low
    return found.estimate, found.ci_low, found.ci_high


def weeks_needed(measure: PlannedMeasure, found: Interval, spread: Spread, mean_control: float = 0.0) -> int | None:
    """About how many more weeks settle an inconclusive effect if its estimate stays; ``None`` if weeks alone cannot.

    The half-width must come below the distance from the estimate to a line (zero or the worthwhile change) that the
    interval still holds; the farther one is excluded first. Only the variance within clusters shrinks with time.
    """
    better = turned(measure, mean_control)
    if better is None:
        return None
    good, low, high = _turned(better, found)
    lines = (-margin_of(measure), 0.0) if tolerates(measure) else (0.0, measure.mcid)
    half = (high - low) / 2
    distance = max((abs(good - line) for line in lines if low <= line <= high), default=0.0)
    if found.se is None or half <= 0:
        return None
    needed = (found.se * distance / half) ** 2
    between = max(0.0, found.se**2 - spread.within_variance)
    if needed <= between:
        return None
    total = spread.weeks * min(spread.within_variance, found.se**2) / (needed - between)
    more = max(1, ceil(total - spread.weeks))
    return more if more <= MAX_WEEKS else None


def sentence(
    measure: PlannedMeasure,
    title: str,
    alpha: float,
    found: Interval,
    spread: Spread,
    mean_control: float = 0.0,
) -> str:
    """The result in plain English, with its numbers."""
    level = f"{1 - alpha:.4g}"
    level = f"{100 * float(level):.4g} %"
    better = turned(measure, mean_control)
    numbers = (
        f"{title} changed by {found.estimate:+.2f} {measure.unit} ({level} interval {found.ci_low:+.2f} to "
        f"{found.ci_high:+.2f}; {_better(measure, better)}): "
    )
    verdict = judge(measure, found, mean_control)
    margin = f"{margin_of(measure):g} {measure.unit}"
    if verdict == "not judged":
        return numbers + "read it beside the others; it is never counted as a benefit."
    if verdict == "benefit":
        return numbers + f"a benefit that reaches the smallest worthwhile change of {measure.mcid:g} {measure.unit}."
    if verdict == "harm":
        return numbers + "it got worse."
    if verdict == "no worthwhile effect" and tolerates(measure):
        word = "; it is not worse than usual work" if measure.hypothesis == "non_inferiority" else ""
        return numbers + f"getting worse by {margin} or more is ruled out{word}."
    if verdict == "no worthwhile effect":
        return numbers + f"a worthwhile benefit ({measure.mcid:g} {measure.unit} or more) is ruled out."
    return numbers + "inconclusive, " + outlook(weeks_needed(measure, found, spread, mean_control))


def _better(measure: PlannedMeasure, better: str | None) -> str:
    if better is None:
        return "neither way is better"
    target = {"nearer_zero": "nearer to 0 is better, here ", "nearer_one": "nearer to 1 is better, here "}
    return f"{target.get(measure.direction, '')}{better} is better"


def outlook(weeks: int | None) -> str:
    """What would settle an inconclusive effect."""
    if weeks is None:
        return "and more weeks alone will not settle it; more clusters would."
    return f"about {weeks} more week{'' if weeks == 1 else 's'} at this pace."


def would_change(measure: PlannedMeasure, found: Interval, spread: Spread, mean_control: float) -> str:
    """What would change the verdict, in numbers."""
    ends = good_ends(measure, found, mean_control)
    verdict = judge(measure, found, mean_control)
    if ends is None:
        return "Nothing: this measure is not judged."
    good, low, high = ends
    unit = measure.unit
    if verdict == "benefit":
        return (
            f"A true effect of zero would: the interval's near end is {low:.3g} {unit} on the good side. Below "
            f"{measure.mcid:g} {unit} it would no longer be called a benefit; the estimate is {good:.3g} {unit}."
        )
    if verdict == "harm":
        return f"The interval would have to reach zero; its end nearest to it is {-high:.3g} {unit} on the bad side."
    if verdict == "inconclusive":
        weeks = weeks_needed(measure, found, spread, mean_control)
        return f"More data: {outlook(weeks)}" if weeks is None else f"More data, {outlook(weeks)}"
    line, short = (-margin_of(measure), low) if tolerates(measure) else (measure.mcid, high)
    return f"The interval would have to reach {line:g} {unit} (good is positive); its end there is {short:.3g} {unit}."


def grade(plan: Plan, clusters: int, smallest_arm: int, missing_share: float, trends_held: bool | None = None) -> Grade:
    """The grade of the design, A to D; :func:`why_grade` says why.

    A: randomised, ten clusters or more, five or more in each arm, at most 20 % of rows missing. B: randomised with
    less. C: compared with concurrent controls that were not randomised, or a series with itself. D: before and after
    only. One letter lower each: locked after the start, outcomes that did not move alike before the start, and a design
    or primary measure that was changed after results had been seen.
    """
    letters: tuple[Grade, ...] = ("A", "B", "C", "D")
    if plan.design in RANDOMISED:
        strong = clusters >= ADEQUATE_CLUSTERS and smallest_arm >= ADEQUATE_CLUSTERS // 2
        place = 0 if strong and missing_share <= MAX_MISSING else 1
    else:
        place = 3 if plan.design == "before_after" else 2
    lower = _late(plan) + (trends_held is False) + bool(plan.post_hoc)
    return letters[min(3, place + lower)]


def _late(plan: Plan) -> bool:
    return plan.locked_at is None or plan.locked_at.astimezone(UTC).date() > plan.start


def why_grade(
    plan: Plan, clusters: int, smallest_arm: int, missing_share: float, trends_held: bool | None = None
) -> str:
    """What the grade rests on, in one sentence."""
    if plan.design in RANDOMISED:
        why = [f"randomised, {clusters:,} {'units' if clusters != 1 else 'unit'}"]
        if clusters < ADEQUATE_CLUSTERS or smallest_arm < ADEQUATE_CLUSTERS // 2:
            why.append(f"fewer than {ADEQUATE_CLUSTERS} in all or {ADEQUATE_CLUSTERS // 2} in an arm")
    elif plan.design == "before_after":
        why = ["before and after only: nothing shows what would have been, so it never passes a scale gate"]
    else:
        why = ["compared without randomisation"]
    if missing_share > MAX_MISSING:
        why.append(f"{100 * missing_share:.0f} % of rows have no value")
    if _late(plan):
        why.append("locked after the start")
    if trends_held is False:
        why.append("outcomes did not move alike before the start")
    if plan.post_hoc:
        why.append(f"changed after results were seen: {', '.join(plan.post_hoc)}")
    return f"{'; '.join(why).capitalize()}."
