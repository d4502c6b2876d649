"""Two proportions: risk difference, risk ratio and odds ratio, with intervals that hold for small counts.

The interval of the risk difference is Newcombe's hybrid score (1998, Stat Med 17:873, method 10); that of the risk
ratio is the score interval of Koopman (1984, Biometrics 40:513), or on request Katz's, symmetrical about the logarithm
(1978, Biometrics 34:469), which stands in the details either way; that of the odds ratio is Woolf's, and conditional
exact where a cell is empty. The p-value is Fisher's exact one. The standard error is that of the unpooled difference.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import exp, inf, log, sqrt
from typing import Any

import numpy as np
from scipy import optimize
from scipy.special import chdtri, ndtri
from scipy.stats import contingency, fisher_exact

from careplane.errors import InputError
from careplane.estimators._frame import Frame
from careplane.estimators._spec import ALPHA, Assumption, Info, Key, Result, Spec
from careplane.estimators._summary import SUMMARY, read_summary

MEASURES = ("risk_difference", "risk_ratio", "odds_ratio")


def _example() -> Mapping[str, Sequence[Any]]:
    arm = [1] * 80 + [0] * 80
    return {"readmitted": [1] * 9 + [0] * 71 + [1] * 17 + [0] * 63, "arm": arm}


INFO = Info(
    name="proportions",
    purpose="Two randomised arms and an event: risk difference, risk ratio, odds ratio.",
    keys=(
        Key("outcome", "column", "1 where the event happened, else 0", needed=True, unless="summary"),
        Key("treatment", "column", "1 in the intervention arm, 0 in the other", needed=True, unless="summary"),
        SUMMARY,
        Key("measure", "choice", "what is compared", "risk_difference", choices=MEASURES),
        Key("ratio_interval", "choice", "of the risk ratio", "koopman", choices=("koopman", "katz")),
        ALPHA,
    ),
    source="Newcombe 1998, Stat Med 17:873; Koopman 1984, Biometrics 40:513; "
    "Katz et al. 1978, Biometrics 34:469; Fisher 1935",
    example={"estimator": "proportions", "outcome": "readmitted", "treatment": "arm"},
    made=_example,
)


@dataclass(frozen=True, slots=True)
class Counts:
    """Events ``a`` of ``m`` in the intervention arm, ``b`` of ``n`` in the control arm."""

    a: int
    m: int
    b: int
    n: int

    @property
    def p(self) -> float:
        return self.a / self.m

    @property
    def q(self) -> float:
        return self.b / self.n


def estimate(frame: Frame | None, spec: Spec) -> Result:
    """The comparison of two proportions.

    Raises:
        InputError: a column is not 0/1, or an arm is empty.
    """
    counts, left_out = _counts(frame, spec)
    every = {name: _COMPARED[name](counts, spec["alpha"]) for name in MEASURES}
    katz, log_se = _katz(counts, spec["alpha"])
    asked_katz = spec["ratio_interval"] == "katz"
    value, low, high = katz if asked_katz and spec["measure"] == "risk_ratio" else every[spec["measure"]]
    named = "Katz's log interval" if asked_katz and spec["measure"] == "risk_ratio" else _NAMED[spec["measure"]]
    exact = float(fisher_exact([[counts.a, counts.m - counts.a], [counts.b, counts.n - counts.b]]).pvalue)
    spread = sqrt(counts.p * (1 - counts.p) / counts.m + counts.q * (1 - counts.q) / counts.n)
    return Result(
        method=f"{spec['measure'].replace('_', ' ')}, {named}; Fisher's exact p",
        n=counts.m + counts.n,
        estimate=value,
        se=spread if spec["measure"] == "risk_difference" else None,
        ci_low=low,
        ci_high=high,
        p=exact,
        details={
            "intervention": {"events": counts.a, "n": counts.m, "risk": counts.p},
            "control": {"events": counts.b, "n": counts.n, "risk": counts.q},
            **{name: {"value": one[0], "ci_low": one[1], "ci_high": one[2]} for name, one in every.items()},
            "risk_ratio_katz": {"value": katz[0], "ci_low": katz[1], "ci_high": katz[2], "log_se": log_se},
            "fisher_p": exact,
        },
        warnings=_warnings(counts, katz=asked_katz and spec["measure"] == "risk_ratio"),
        assumptions=(Assumption(name="units are independent", held=None, text="One row per unit, none in a cluster."),),
        left_out=left_out,
    )


def _counts(frame: Frame | None, spec: Spec) -> tuple[Counts, dict[str, int]]:
    if frame is None:
        one, other = read_summary(spec)
        if one.events is None or other.events is None:
            raise InputError("must hold n and events in both arms", field="summary")
        return Counts(one.events, one.n, other.events, other.n), {}
    used = frame.complete((spec["outcome"], spec["treatment"]))
    event, arm = used.binary(spec["outcome"]), used.binary(spec["treatment"])
    ones, others = event[arm == 1], event[arm == 0]
    if not len(ones) or not len(others):
        raise InputError("has one arm only; both are needed", field=spec["treatment"])
    return Counts(int(ones.sum()), len(ones), int(others.sum()), len(others)), dict(used.left_out)


def _warnings(counts: Counts, *, katz: bool) -> tuple[str, ...]:
    if counts.a + counts.b == 0:
        return ("Nobody had the event, so the ratios cannot be told.",)
    if katz and not (counts.a and counts.b):
        return ("Nobody had the event in one arm, so Katz's interval cannot be told; take ratio_interval: koopman.",)
    if counts.a + counts.b == counts.m + counts.n:
        return ("Everybody had the event, so the odds ratio cannot be told.",)
    return ()


def wilson(events: int, n: int, alpha: float) -> tuple[float, float]:
    """Wilson's score interval of one proportion (1927, J Am Stat Assoc 22:209)."""
    z = float(ndtri(1 - alpha / 2))
    share, spread = events / n, z * sqrt(events * (1 - events / n) + z * z / 4) / n
    middle, shrink = share + z * z / (2 * n), 1 + z * z / n
    return max(0.0, (middle - spread) / shrink), min(1.0, (middle + spread) / shrink)


def _difference(counts: Counts, alpha: float) -> tuple[float, float, float]:
    low, high = wilson(counts.a, counts.m, alpha)
    other_low, other_high = wilson(counts.b, counts.n, alpha)
    found = counts.p - counts.q
    down = sqrt((counts.p - low) ** 2 + (other_high - counts.q) ** 2)
    up = sqrt((high - counts.p) ** 2 + (counts.q - other_low) ** 2)
    return found, max(-1.0, found - down), min(1.0, found + up)


def _ratio(counts: Counts, alpha: float) -> tuple[float | None, float | None, float | None]:
    if counts.a + counts.b == 0:
        return None, 0.0, None
    found = counts.p / counts.q if counts.b else None
    limit = float(chdtri(1, alpha))

    def beyond(ratio: float) -> float:
        return _koopman(counts, ratio) - limit

    start = found or 1e9  # without an event among the controls the ratio has no end
    low = 0.0 if counts.a == 0 else _edge(beyond, start, down=True)
    high = None if counts.b == 0 else _edge(beyond, found or 1e-12, down=False)
    return found, low, high


def _katz(counts: Counts, alpha: float) -> tuple[tuple[float | None, float | None, float | None], float | None]:
    """The risk ratio with the interval that is symmetrical on the log scale, and the error of its logarithm."""
    if not (counts.a and counts.b):
        return (0.0 if counts.b else None, None, None), None
    found = counts.p / counts.q
    log_se = sqrt((1 - counts.p) / counts.a + (1 - counts.q) / counts.b)
    stretch = exp(float(ndtri(1 - alpha / 2)) * log_se)
    return (found, found / stretch, found * stretch), log_se


_root: Any = optimize.brentq  # the library has no types
_exact_odds: Any = contingency.odds_ratio


def _koopman(counts: Counts, ratio: float) -> float:
    """Koopman's chi-square statistic of a risk ratio."""
    a, m, b, n = counts.a, counts.m, counts.b, counts.n
    total = a + b
    middle = ratio * (m + b) + a + n
    share = (middle - sqrt(max(middle**2 - 4 * ratio * (m + n) * total, 0.0))) / (2 * (m + n))
    if share <= 0 or share >= 1:
        return inf if (a - m * share) else 0.0
    return float((a - m * share) ** 2 / (m * share * (1 - share)) * (1 + m * (ratio - share) / (n * (1 - share))))


def _edge(beyond: Callable[[float], float], start: float, *, down: bool) -> float:
    at = start
    for _ in range(2_000):
        before, at = at, at / 1.5 if down else at * 1.5
        if beyond(at) > 0:
            return float(_root(beyond, min(at, before), max(at, before), xtol=1e-14, rtol=1e-13))
    return 0.0 if down else inf


def _odds(counts: Counts, alpha: float) -> tuple[float | None, float | None, float | None]:
    a, c, b, d = counts.a, counts.m - counts.a, counts.b, counts.n - counts.b
    if min(a, b, c, d) > 0:
        found, half = log(a * d / (b * c)), float(ndtri(1 - alpha / 2)) * sqrt(1 / a + 1 / b + 1 / c + 1 / d)
        return exp(found), exp(found - half), exp(found + half)
    if a + b == 0 or c + d == 0:
        return None, None, None
    exact = _exact_odds(np.array([[a, c], [b, d]]))
    ends = exact.confidence_interval(1 - alpha)
    return tuple(None if value in (inf,) else float(value) for value in (exact.statistic, ends.low, ends.high))  # type: ignore[return-value] # three of them


Compared = Callable[[Counts, float], tuple[float | None, float | None, float | None]]
_COMPARED: Mapping[str, Compared] = {"risk_difference": _difference, "risk_ratio": _ratio, "odds_ratio": _odds}
_NAMED = {
    "risk_difference": "Newcombe's hybrid score interval",
    "risk_ratio": "Koopman's score interval",
    "odds_ratio": "Woolf's interval (exact where a cell is empty)",
}
