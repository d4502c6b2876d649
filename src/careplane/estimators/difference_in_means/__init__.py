"""The difference of two means: an individually randomised comparison without covariates.

The estimand is the average effect over units. ``welch`` allows the variances to differ (Welch 1947, Biometrika 34:28;
the degrees of freedom are Satterthwaite's); ``pooled`` is Student's t. Welch's standard error is HC2's of the
regression on the arm.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from careplane.errors import InputError, Refused
from careplane.estimators import Floats
from careplane.estimators._frame import Frame
from careplane.estimators._intervals import interval
from careplane.estimators._spec import ALPHA, Assumption, Info, Key, Result, Spec

_FEW = 30


def _example() -> Mapping[str, Sequence[Any]]:
    draws = np.random.default_rng(1)
    arm = np.repeat([0, 1], 60)
    return {"minutes": (np.round(draws.normal(30 - 2.0 * arm, 6), 2)).tolist(), "arm": arm.tolist()}


INFO = Info(
    name="difference_in_means",
    purpose="Two randomised arms, one row per unit, no covariates.",
    keys=(
        Key("outcome", "column", "the outcome, a number", needed=True),
        Key("treatment", "column", "1 in the intervention arm, 0 in the other", needed=True),
        Key("variance", "choice", "whether the arms may vary differently", "welch", choices=("welch", "pooled")),
        ALPHA,
    ),
    source="Welch 1947, Biometrika 34:28",
    example={"estimator": "difference_in_means", "outcome": "minutes", "treatment": "arm"},
    made=_example,
)


def estimate(frame: Frame, spec: Spec) -> Result:
    """Mean of the intervention minus mean of the control.

    Raises:
        InputError: a column does not fit, or an arm has fewer than two rows.
    """
    used = frame.complete((spec["outcome"], spec["treatment"]))
    y, arm = used.numbers(spec["outcome"]), used.binary(spec["treatment"])
    if not np.isfinite(y).all():
        raise InputError(f"is not finite (line {used.line[int(np.argmin(np.isfinite(y)))]})", field=spec["outcome"])
    ones, others = y[arm == 1], y[arm == 0]
    if min(len(ones), len(others)) < 2:
        raise InputError(f"the arms have {len(ones)} and {len(others)} rows; each needs two", field=spec["treatment"])
    se, df = (_welch if spec["variance"] == "welch" else _pooled)(ones, others)
    if se == 0:
        raise Refused(
            ["The outcome does not vary within the arms, so its spread cannot tell how sure the difference is."],
            "Check the outcome; for an event use proportions.",
        )
    found = float(ones.mean() - others.mean())
    ends = interval(found, se, df, spec["alpha"])
    return Result(
        method=f"difference in means, {'Welch' if spec['variance'] == 'welch' else 'Student'}'s t",
        n=len(y),
        estimate=found,
        se=se,
        ci_low=ends.low,
        ci_high=ends.high,
        df=df,
        p=ends.p,
        details={
            "intervention": _told(ones),
            "control": _told(others),
        },
        warnings=_warnings(ones, others),
        assumptions=(Assumption(name="units are independent", held=None, text="One row per unit, none in a cluster."),),
        left_out=dict(used.left_out),
    )


def _welch(ones: Floats, others: Floats) -> tuple[float, float]:
    a, b = (float(arm.var(ddof=1)) / len(arm) for arm in (ones, others))
    if a + b == 0:
        return 0.0, 1.0
    return (a + b) ** 0.5, (a + b) ** 2 / (a**2 / (len(ones) - 1) + b**2 / (len(others) - 1))


def _pooled(ones: Floats, others: Floats) -> tuple[float, float]:
    df = len(ones) + len(others) - 2
    squares = ((ones - ones.mean()) ** 2).sum() + ((others - others.mean()) ** 2).sum()
    return float(squares / df * (1 / len(ones) + 1 / len(others))) ** 0.5, float(df)


def _told(arm: Floats) -> dict[str, float]:
    return {"n": len(arm), "mean": float(arm.mean()), "sd": float(arm.std(ddof=1))}


def _warnings(ones: Floats, others: Floats) -> tuple[str, ...]:
    least = min(len(ones), len(others))
    if least >= _FEW:
        return ()
    return (f"The smaller arm has {least} rows; the interval trusts that the outcome is not far from normal.",)
