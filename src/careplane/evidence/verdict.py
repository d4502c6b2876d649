"""From an interval to a verdict in words, and how far the design can be trusted.

For the verdict an effect is turned so that positive is good. ``mcid`` is the smallest worthwhile change; for a
balancing measure it is the margin by which it may get worse (non-inferiority).
"""

from dataclasses import dataclass
from datetime import UTC
from math import ceil

from careplane.estimators import Estimate
from careplane.records.evidence import Grade, Plan, PlannedMeasure, Verdict

ADEQUATE_CLUSTERS = 10
MAX_MISSING = 0.2
MAX_WEEKS = 104


@dataclass(frozen=True, slots=True)
class Spread:
    """What more weeks could change: the part of the variance of the effect that shrinks with more rows per cluster,
    and how many weeks have been observed."""

    within_variance: float
    weeks: float


def judge(measure: PlannedMeasure, found: Estimate) -> Verdict:
    """The verdict by the plan's decision rule."""
    good, low, high = _turned(measure, found)
    if low > 0 and good >= measure.mcid:
        return "benefit"
    if measure.role == "balancing" and low > -measure.mcid:
        return "no worthwhile effect"
    if high < 0:
        return "harm"
    if measure.role != "balancing" and high < measure.mcid:
        return "no worthwhile effect"
    return "inconclusive"


def _turned(measure: PlannedMeasure, found: Estimate) -> tuple[float, float, float]:
    if measure.direction == "lower":
        return -found.estimate, -found.ci_high, -found.ci_low
    return found.estimate, found.ci_low, found.ci_high


def weeks_needed(measure: PlannedMeasure, found: Estimate, spread: Spread) -> int | None:
    """About how many more weeks settle an inconclusive effect if its estimate stays; ``None`` if weeks alone cannot.

    The half-width must come below the distance from the estimate to a line (zero or the worthwhile change) that the
    interval still holds; the farther one is excluded first. Only the variance within clusters shrinks with time.
    """
    good, low, high = _turned(measure, found)
    lines = (-measure.mcid, 0.0) if measure.role == "balancing" else (0.0, measure.mcid)
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


def sentence(measure: PlannedMeasure, title: str, alpha: float, found: Estimate, spread: Spread) -> str:
    """The result in plain English, with its numbers."""
    level = f"{1 - alpha:.0%}".replace("%", " %")
    numbers = (
        f"{title} changed by {found.estimate:+.2f} {measure.unit} ({level} interval {found.ci_low:+.2f} to "
        f"{found.ci_high:+.2f}; {measure.direction} is better): "
    )
    margin = f"{measure.mcid:g} {measure.unit}"
    verdict = judge(measure, found)
    if verdict == "benefit":
        return numbers + f"a benefit that reaches the smallest worthwhile change of {margin}."
    if verdict == "harm":
        return numbers + "it got worse."
    if verdict == "no worthwhile effect" and measure.role == "balancing":
        return numbers + f"getting worse by {margin} or more is ruled out."
    if verdict == "no worthwhile effect":
        return numbers + f"a worthwhile benefit ({margin} or more) is ruled out."
    return numbers + "inconclusive, " + outlook(weeks_needed(measure, found, spread))


def outlook(weeks: int | None) -> str:
    """What would settle an inconclusive effect."""
    if weeks is None:
        return "and more weeks alone will not settle it; more clusters would."
    return f"about {weeks} more week{'' if weeks == 1 else 's'} at this pace."


def grade(plan: Plan, clusters: int, smallest_arm: int, missing_share: float) -> Grade:
    """The grade of the design, A to D.

    A: randomised, ten clusters or more, five or more in each arm, at most 20 % of rows missing. B: randomised with
    less. C: compared with concurrent controls that were not randomised. D: before and after only. Locked after the
    start: one letter lower.
    """
    letters: tuple[Grade, ...] = ("A", "B", "C", "D")
    if plan.design in ("cluster_randomised", "individually_randomised", "stepped_wedge"):
        strong = clusters >= ADEQUATE_CLUSTERS and smallest_arm >= ADEQUATE_CLUSTERS // 2
        place = 0 if strong and missing_share <= MAX_MISSING else 1
    else:
        place = 3 if plan.design == "before_after" else 2
    late = plan.locked_at is None or plan.locked_at.astimezone(UTC).date() > plan.start
    return letters[min(3, place + late)]
