"""The difference of two means: an individually randomised comparison without covariates.

The estimand is the average effect over units. ``welch`` allows the variances to differ (Welch 1947, Biometrika 34:28;
the degrees of freedom are Satterthwaite's); ``pooled`` is Student's t. Welch's standard error is HC2's of the
regression on the arm. ``scale: relative`` divides by the control's mean (the lift), its error by the delta method with
the covariance of numerator and denominator; the degrees of freedom stay Welch's.
"""

from collections.abc import Mapping, Sequence
from math import sqrt
from typing import Any

import numpy as np

from careplane.errors import InputError, Refused
from careplane.estimators._frame import Frame
from careplane.estimators._intervals import interval
from careplane.estimators._linear import finite
from careplane.estimators._spec import ALPHA, Assumption, Info, Key, Result, Spec
from careplane.estimators._summary import SUMMARY, Arm, read_summary

_FEW = 30


def _example() -> Mapping[str, Sequence[Any]]:
    draws = np.random.default_rng(1)
    arm = np.repeat([0, 1], 60)
    return {"minutes": (np.round(draws.normal(30 - 2.0 * arm, 6), 2)).tolist(), "arm": arm.tolist()}


INFO = Info(
    name="difference_in_means",
    purpose="Two randomised arms, one row per unit, no covariates.",
    keys=(
        Key("outcome", "column", "the outcome, a number", needed=True, unless="summary"),
        Key("treatment", "column", "1 in the intervention arm, 0 in the other", needed=True, unless="summary"),
        SUMMARY,
        Key("variance", "choice", "whether the arms may vary differently", "welch", choices=("welch", "pooled")),
        Key("scale", "choice", "relative: over the control's mean", "absolute", choices=("absolute", "relative")),
        ALPHA,
    ),
    source="Welch 1947, Biometrika 34:28; Deng et al. 2018, KDD (delta method)",
    example={"estimator": "difference_in_means", "outcome": "minutes", "treatment": "arm"},
    made=_example,
)


def estimate(frame: Frame | None, spec: Spec) -> Result:
    """Mean of the intervention minus mean of the control.

    Raises:
        InputError: a column does not fit, or an arm has fewer than two rows.
        Refused: the outcome does not vary, or a ratio to a control mean of about zero is asked for.
    """
    one, other, left_out = _arms(frame, spec)
    se, df = (_welch if spec["variance"] == "welch" else _pooled)(one, other)
    if se == 0:
        raise Refused(
            ["The outcome does not vary within the arms, so its spread cannot tell how sure the difference is."],
            "Check the outcome; for an event use proportions.",
        )
    found = one.mean - other.mean
    absolute = interval(found, se, df, spec["alpha"])
    details: dict[str, Any] = {"intervention": _told(one), "control": _told(other)}
    value, ends, spread = found, absolute, se
    if spec["scale"] == "relative":
        spread = _relative(one, other)
        value = found / other.mean
        ends = interval(value, spread, df, spec["alpha"])
        details["absolute"] = {"estimate": found, "se": se, "ci_low": absolute.low, "ci_high": absolute.high}
    kind = "difference in means" if spec["scale"] == "absolute" else "relative difference in means (delta method)"
    return Result(
        method=f"{kind}, {'Welch' if spec['variance'] == 'welch' else 'Student'}'s t",
        n=one.n + other.n,
        estimate=value,
        se=spread,
        ci_low=ends.low,
        ci_high=ends.high,
        df=df,
        p=ends.p,
        details=details,
        warnings=_warnings(one, other, spec),
        assumptions=(Assumption(name="units are independent", held=None, text="One row per unit, none in a cluster."),),
        left_out=left_out,
    )


def _arms(frame: Frame | None, spec: Spec) -> tuple[Arm, Arm, dict[str, int]]:
    """Intervention and control, and the rows left out."""
    if frame is None:
        return (*read_summary(spec), {})
    used = frame.complete((spec["outcome"], spec["treatment"]))
    y, arm = finite(used, spec["outcome"]), used.binary(spec["treatment"])
    parts = [y[arm == code] for code in (1, 0)]
    if min(map(len, parts)) < 2:
        told = " and ".join(str(len(part)) for part in parts)
        raise InputError(f"the arms have {told} rows; each needs two", field=spec["treatment"])
    one, other = (Arm(len(part), float(part.mean()), float(part.var(ddof=1))) for part in parts)
    return one, other, dict(used.left_out)


def _welch(one: Arm, other: Arm) -> tuple[float, float]:
    a, b = one.variance / one.n, other.variance / other.n
    if a + b == 0:
        return 0.0, 1.0
    return sqrt(a + b), (a + b) ** 2 / (a**2 / (one.n - 1) + b**2 / (other.n - 1))


def _pooled(one: Arm, other: Arm) -> tuple[float, float]:
    df = one.n + other.n - 2
    squares = one.variance * (one.n - 1) + other.variance * (other.n - 1)
    return sqrt(squares / df * (1 / one.n + 1 / other.n)), float(df)


def _relative(one: Arm, other: Arm) -> float:
    spread = sqrt(other.variance / other.n)
    if abs(other.mean) <= 2 * spread:
        raise Refused(
            [f"The control's mean is {other.mean:.3g} (standard error {spread:.3g}); a ratio to it is no size."],
            "Use scale: absolute.",
        )
    own = one.variance / one.n / other.mean**2
    return sqrt(own + other.variance / other.n * one.mean**2 / other.mean**4)


def _told(arm: Arm) -> dict[str, float]:
    return {"n": arm.n, "mean": arm.mean, "sd": sqrt(arm.variance)}


def _warnings(one: Arm, other: Arm, spec: Spec) -> tuple[str, ...]:
    told = []
    least = min(one.n, other.n)
    if least < _FEW:
        told.append(f"The smaller arm has {least} rows; the interval trusts that the outcome is not far from normal.")
    if spec["scale"] == "relative" and abs(other.mean) < 5 * sqrt(other.variance / other.n):
        told.append("The control's mean is less than five standard errors from 0; the relative interval is rough.")
    return tuple(told)
