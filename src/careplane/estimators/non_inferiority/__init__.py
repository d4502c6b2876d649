"""Whether the intervention is not worse than the control by more than a margin that was fixed before.

Of an event: the score test of Farrington & Manning (1990, Stat Med 9:1447) with the interval that it implies, or
Newcombe's hybrid score interval. Of a number: Welch's t against the margin; with clusters the difference of means by
CR2. The error of the one-sided test is ``alpha / 2``, so that it agrees with the two-sided interval at ``1 - alpha``.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import inf, sqrt
from typing import Any

import numpy as np
from scipy import optimize
from scipy.special import ndtr, ndtri, stdtr

from careplane.errors import InputError, Refused
from careplane.estimators import Floats
from careplane.estimators._frame import Frame, varies
from careplane.estimators._intervals import interval
from careplane.estimators._linear import finite, variances
from careplane.estimators._spec import ALPHA, Assumption, Info, Key, Result, Spec
from careplane.estimators._summary import SUMMARY, Arm, read_summary

FEW = 6
_ROOT: Any = optimize.brentq  # the library has no types


def _example() -> Mapping[str, Sequence[Any]]:
    arm = [1] * 200 + [0] * 200
    return {"resolved": [1] * 171 + [0] * 29 + [1] * 168 + [0] * 32, "arm": arm}


INFO = Info(
    name="non_inferiority",
    purpose="Two randomised arms: is the intervention not worse than the control by more than a margin?",
    keys=(
        Key("outcome", "column", "the outcome, a number or 0/1", needed=True, unless="summary"),
        Key("treatment", "column", "1 in the intervention arm, 0 in the other", needed=True, unless="summary"),
        SUMMARY,
        Key("margin", "number", "how much worse is still acceptable, in the outcome's unit", needed=True, least=1e-12),
        Key("better", "choice", "which way the outcome is better", "higher", choices=("higher", "lower")),
        Key("kind", "choice", "what the outcome is", "mean", choices=("mean", "event")),
        Key(
            "method",
            "choice",
            "of an event",
            "farrington_manning",
            choices=("farrington_manning", "newcombe"),
        ),
        Key("cluster", "column", "the unit that was randomised, if not the row; then CR2"),
        ALPHA,
    ),
    source="Farrington & Manning 1990, Stat Med 9:1447; Newcombe 1998, Stat Med 17:873; CONSORT 2012, JAMA 308:2594",
    example={"estimator": "non_inferiority", "outcome": "resolved", "treatment": "arm", "kind": "event"}
    | {"margin": 0.1, "better": "higher"},
    made=_example,
)


@dataclass(frozen=True, slots=True)
class _Test:
    """Intervention minus control, its interval, and the one-sided p-value against the margin."""

    value: float
    low: float
    high: float
    p: float
    method: str
    se: float | None = None
    df: float | None = None
    clusters: int | None = None


def estimate(frame: Frame | None, spec: Spec) -> Result:
    """The difference, its interval, and the p-value of being worse by the margin or more.

    Raises:
        InputError: a column does not fit, or an arm is missing.
        Refused: fewer than six clusters, or an outcome that does not vary.
    """
    if spec["kind"] == "event" and spec["margin"] >= 1:
        raise InputError("of an event must be below 1", field="margin")
    bound = -spec["margin"] if spec["better"] == "higher" else spec["margin"]
    found, n, left_out = _from_summary(spec, bound) if frame is None else _from_rows(frame, spec, bound)
    inside = found.low > bound if bound < 0 else found.high < bound
    ahead = found.low > 0 if bound < 0 else found.high < 0
    return Result(
        method=f"non-inferiority, {found.method}",
        n=n,
        estimate=found.value,
        se=found.se,
        ci_low=found.low,
        ci_high=found.high,
        df=found.df,
        p=found.p,
        clusters=found.clusters,
        details={
            "margin": spec["margin"],
            "bound": bound,
            "non_inferior": bool(inside),
            "superior": bool(ahead),
            "one_sided_alpha": spec["alpha"] / 2,
            "verdict": _verdict(found, bound, inside=bool(inside), ahead=bool(ahead)),
        },
        warnings=("Say the result of all who were randomised beside those who kept to it; both must agree.",),
        assumptions=(
            Assumption(name="the margin was fixed before", held=None, text="It must not follow from the data."),
        ),
        left_out=left_out,
    )


def _verdict(found: _Test, bound: float, *, inside: bool, ahead: bool) -> str:
    if ahead:
        return "superior"
    if inside:
        return "not worse by the margin"
    worse = found.high < bound if bound < 0 else found.low > bound
    return "worse by more than the margin" if worse else "not shown"


def _from_summary(spec: Spec, bound: float) -> tuple[_Test, int, dict[str, int]]:
    one, other = read_summary(spec)
    n = one.n + other.n
    if spec["kind"] == "event":
        if one.events is None or other.events is None:
            raise InputError("must hold n and events in both arms", field="summary")
        return _event((one.events, one.n, other.events, other.n), spec, bound), n, {}
    return _mean(one, other, spec, bound), n, {}


def _from_rows(frame: Frame, spec: Spec, bound: float) -> tuple[_Test, int, dict[str, int]]:
    used = frame.complete([spec[name] for name in ("outcome", "treatment", "cluster") if name in spec])
    y = used.binary(spec["outcome"]) if spec["kind"] == "event" else finite(used, spec["outcome"])
    arm = used.binary(spec["treatment"])
    varies(arm, spec["treatment"])
    left_out = dict(used.left_out)
    if "cluster" in spec:
        return _clustered(used, spec, y, arm, bound), len(y), left_out
    ones, others = y[arm == 1], y[arm == 0]
    if min(len(ones), len(others)) < 2:
        raise InputError(f"the arms have {len(ones)} and {len(others)} rows; each needs two", field=spec["treatment"])
    if spec["kind"] == "event":
        return _event((int(ones.sum()), len(ones), int(others.sum()), len(others)), spec, bound), len(y), left_out
    arms = [Arm(len(part), float(part.mean()), float(part.var(ddof=1))) for part in (ones, others)]
    return _mean(arms[0], arms[1], spec, bound), len(y), left_out


def _mean(one: Arm, other: Arm, spec: Spec, bound: float) -> _Test:
    a, b = one.variance / one.n, other.variance / other.n
    if a + b == 0:
        raise Refused(
            ["The outcome does not vary within the arms."], "Check the outcome; for an event set kind: event."
        )
    df = (a + b) ** 2 / (a**2 / (one.n - 1) + b**2 / (other.n - 1))
    return _t(one.mean - other.mean, sqrt(a + b), df, spec, bound, "Welch's t")


def _clustered(used: Frame, spec: Spec, y: Floats, arm: Floats, bound: float) -> _Test:
    cluster, names = used.labels(spec["cluster"])
    if len(names) < FEW:
        raise Refused(
            [f"{len(names)} clusters are too few for a model-based interval."],
            "Use exact_permutation and hold its interval against the margin.",
        )
    varies(y, spec["outcome"])
    (found,) = variances(y, np.column_stack([np.ones(len(y)), arm]), 1, cluster, ["CR2"])
    told = _t(found.value, found.se, found.df, spec, bound, "difference of means, CR2")
    return _Test(told.value, told.low, told.high, told.p, told.method, told.se, told.df, len(names))


def _t(value: float, se: float, df: float, spec: Spec, bound: float, method: str) -> _Test:
    ends = interval(value, se, df, spec["alpha"])
    distance = (value - bound) / se if bound < 0 else (bound - value) / se
    return _Test(value, ends.low, ends.high, float(stdtr(df, -distance)), method, se, df)


def _event(counts: tuple[int, int, int, int], spec: Spec, bound: float) -> _Test:
    a, m, b, n = counts
    value, alpha = a / m - b / n, spec["alpha"]
    distance = score(counts, bound) * (1 if bound < 0 else -1)
    p = float(ndtr(-distance))
    if spec["method"] == "newcombe":
        low, high = newcombe(counts, alpha)
        return _Test(value, low, high, p, "Newcombe's interval; Farrington & Manning's p")
    reach = float(ndtri(1 - alpha / 2))
    low = _edge(lambda d: score(counts, d) - reach, -1.0, value)
    high = _edge(lambda d: score(counts, d) + reach, value, 1.0)
    return _Test(value, low, high, p, "Farrington & Manning's score")


def _edge(excess: Callable[[float], float], low: float, high: float) -> float:
    """Where the score, which falls in the difference, reaches a value; an end of the range where it never does."""
    first, last = low + 1e-9, high - 1e-9
    if first >= last:
        return high if high >= 1 else low
    if excess(first) <= 0:
        return low
    return high if excess(last) >= 0 else float(_ROOT(excess, first, last, xtol=1e-12))


def score(counts: tuple[int, int, int, int], difference: float) -> float:
    """The statistic of Farrington & Manning: distance from ``difference`` over its spread when that is the truth."""
    a, m, b, n = counts
    found = a / m - b / n - difference
    p, q = restricted(counts, difference)
    variance = p * (1 - p) / m + q * (1 - q) / n
    if variance <= 1e-18:
        return 0.0 if abs(found) < 1e-12 else inf if found > 0 else -inf
    return found / sqrt(variance)


def restricted(counts: tuple[int, int, int, int], difference: float) -> tuple[float, float]:
    """The most likely risks that differ by ``difference``."""
    a, m, b, n = counts
    low, high = max(0.0, -difference), min(1.0, 1 - difference)

    def slope(q: float) -> float:
        p = q + difference
        parts = ((b, q), (-(n - b), 1 - q), (a, p), (-(m - a), 1 - p))
        return sum(k / max(share, 1e-300) for k, share in parts if k)

    first, last = low + 1e-13, high - 1e-13
    if first >= last:
        return min(1.0, low + difference), low
    if slope(first) <= 0:
        q = low
    elif slope(last) >= 0:
        q = high
    else:
        q = float(_ROOT(slope, first, last, xtol=1e-15))
    return min(1.0, max(0.0, q + difference)), q


def newcombe(counts: tuple[int, int, int, int], alpha: float) -> tuple[float, float]:
    """Newcombe's interval of the difference from Wilson's of each risk (1998, method 10)."""
    a, m, b, n = counts
    p, q, z = a / m, b / n, float(ndtri(1 - alpha / 2))

    def wilson(share: float, size: int) -> tuple[float, float]:
        spread = z * sqrt(share * (1 - share) / size + z * z / (4 * size * size))
        middle, shrink = share + z * z / (2 * size), 1 + z * z / size
        return (middle - spread) / shrink, (middle + spread) / shrink

    (l1, u1), (l2, u2) = wilson(p, m), wilson(q, n)
    return p - q - sqrt((p - l1) ** 2 + (u2 - q) ** 2), p - q + sqrt((u1 - p) ** 2 + (q - l2) ** 2)
