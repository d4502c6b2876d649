"""How far the app was used where it could have been."""

from collections import Counter
from math import sqrt

from scipy.special import ndtri

from careplane.records.evidence import Plan, Uptake
from careplane.records.run import Run


def uptake(plan: Plan, eligible: int, runs: list[Run]) -> Uptake:
    """Use over all eligible events of the intervention arm; ``runs`` are those of the arm and the pilot window."""
    status = Counter(run.status for run in runs)
    used = status["accepted"] + status["edited"]
    low, high = wilson(used, eligible, plan.alpha)
    return Uptake(
        plan=plan.id,
        eligible=eligible,
        offered=sum(run.draft is not None for run in runs),
        used=used,
        accepted=status["accepted"],
        edited=status["edited"],
        rejected=status["rejected"],
        refused=status["refused"],
        share=used / eligible if eligible else 0.0,
        ci_low=low,
        ci_high=high,
    )


def wilson(successes: int, n: int, alpha: float) -> tuple[float, float]:
    """Wilson's score interval of a proportion (JASA 1927, 22:209); (0, 1) when there are no trials."""
    if not n:
        return 0.0, 1.0
    z = float(ndtri(1 - alpha / 2))
    p = min(1.0, successes / n)
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return max(0.0, middle - half), min(1.0, middle + half)
