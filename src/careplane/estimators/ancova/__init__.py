"""A randomised comparison adjusted for what was known before: ANCOVA, and CUPED as its case of one covariate.

``interacted`` adds the product of the arm and each centred covariate (Lin 2013, Ann Appl Stat 7:295), which can only
gain in large samples; without it the model is Fisher's. The variance is HC2's, or CR2's where clusters were randomised.
The estimand is the average effect over units.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from careplane.errors import Refused
from careplane.estimators import Floats
from careplane.estimators._frame import Frame, varies
from careplane.estimators._intervals import interval
from careplane.estimators._linear import Design, check_rank, design, finite, variances
from careplane.estimators._spec import ALPHA, Assumption, Info, Key, Result, Spec

MIN_CLUSTERS = 6


def _example() -> Mapping[str, Sequence[Any]]:
    draws = np.random.default_rng(2)
    arm, before = np.repeat([0, 1], 50), draws.normal(30, 6, 100)
    after = 5 + 0.8 * before - 2 * arm + draws.normal(0, 3, 100)
    return {
        "minutes": np.round(after, 2).tolist(),
        "arm": arm.tolist(),
        "before": np.round(before, 2).tolist(),
    }


INFO = Info(
    name="ancova",
    purpose="Two randomised arms, adjusted for covariates from before the start (also known as CUPED).",
    keys=(
        Key("outcome", "column", "the outcome, a number", needed=True),
        Key("treatment", "column", "1 in the intervention arm, 0 in the other", needed=True),
        Key("covariates", "columns", "measured before the start", needed=True),
        Key("interacted", "flag", "let the covariates act differently in the arms (Lin 2013)", default=True),
        Key("cuped", "flag", "take one slope of both arms away, then compare means (Deng et al. 2013)", default=False),
        Key("cluster", "column", "the unit that was randomised, if not the row"),
        ALPHA,
    ),
    source="Lin 2013, Ann Appl Stat 7:295; Deng et al. 2013, WSDM (CUPED)",
    example={"estimator": "ancova", "outcome": "minutes", "treatment": "arm", "covariates": ["before"]},
    made=_example,
)


def estimate(frame: Frame, spec: Spec) -> Result:
    """The adjusted difference of the arms.

    Raises:
        InputError: a column does not fit, or cannot be told apart from others.
        Refused: fewer than six clusters.
    """
    named = [spec["outcome"], spec["treatment"], *spec["covariates"]]
    used = frame.complete([*named, *([spec["cluster"]] if "cluster" in spec else [])])
    y, arm = finite(used, spec["outcome"]), used.binary(spec["treatment"])
    varies(arm, spec["treatment"])
    varies(y, spec["outcome"])
    cluster = used.labels(spec["cluster"])[0] if "cluster" in spec else None
    groups = None if cluster is None else len(np.unique(cluster))
    if groups is not None and groups < MIN_CLUSTERS:
        raise Refused([f"{groups} clusters are too few for a model-based interval."], "Use exact_permutation.")
    built = design(used.coded({spec["treatment"]: arm}, ()), [spec["treatment"], *spec["covariates"]])
    for name, column in zip(built.names[2:], built.x[:, 2:].T, strict=True):
        varies(column, name)
    x = built.x.copy()
    x[:, 2:] -= x[:, 2:].mean(axis=0)
    plain = float(y[arm == 1].mean() - y[arm == 0].mean())
    raw = y
    if spec["cuped"]:
        y, built, x = _cuped(y, x, built)
    elif spec["interacted"]:
        x = np.column_stack([x, x[:, 2:] * arm[:, None]])
        built = type(built)(x, (*built.names, *(f"{name} x arm" for name in built.names[2:])))
    check_rank(built, [spec["treatment"]])
    (found,) = variances(y, x, 1, cluster, ("CR2",) if cluster is not None else ("HC2",))
    ends = interval(found.value, found.se, found.df, spec["alpha"])
    way = "CUPED" if spec["cuped"] else f"ANCOVA{', interacted' if spec['interacted'] else ''}"
    return Result(
        method=f"{way}, {found.kind}",
        n=len(y),
        estimate=found.value,
        se=found.se,
        ci_low=ends.low,
        ci_high=ends.high,
        df=found.df,
        p=ends.p,
        clusters=groups,
        details={
            "unadjusted": plain,
            "covariates": list(built.names[2:]) or list(spec["covariates"]),
            "variance_kept": _kept(raw, x, arm) if not spec["cuped"] else float(y.var() / raw.var()),
        },
        assumptions=(
            Assumption(name="the arm was randomised", held=None, text="Covariates sharpen it; they do not replace it."),
            Assumption(name="covariates are from before the start", held=None, text="The arm cannot have moved them."),
        ),
        left_out=dict(used.left_out),
    )


def _cuped(y: Floats, x: Floats, built: Design) -> tuple[Floats, Design, Floats]:
    """The outcome without what the covariates explain in both arms together, and the design of a plain comparison."""
    check_rank(built, built.names[1:2])
    slope = np.linalg.lstsq(x[:, [0, *range(2, x.shape[1])]], y, rcond=None)[0][1:]
    return y - x[:, 2:] @ slope, Design(built.x[:, :2], built.names[:2]), x[:, :2]


def _kept(y: Floats, x: Floats, arm: Floats) -> float:
    """The share of the variance within arms that the covariates do not explain."""
    left = y - x @ np.linalg.lstsq(x, y, rcond=None)[0]
    within = y - np.where(arm == 1, y[arm == 1].mean(), y[arm == 0].mean())
    total = float((within**2).sum())
    return float((left**2).sum()) / total if total > 0 else 0.0
