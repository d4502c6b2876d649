"""Least squares with a variance that clusters or unequal spread do not spoil.

Any comparison that is a coefficient of a linear model: the arm of a trial, with covariates, fixed effects and weights.
"""

from collections.abc import Sequence

import numpy as np

from careplane.errors import InputError, Refused
from careplane.estimators import Floats, Ints
from careplane.estimators._clusters import example_table
from careplane.estimators._frame import Frame, varies
from careplane.estimators._intervals import interval
from careplane.estimators._linear import Coefficient, check_rank, design, finite, variances
from careplane.estimators._spec import ALPHA, WEIGHTS, Assumption, Info, Key, Result, Spec

KINDS = ("CR2", "CR1", "CR1S", "CR0", "HC3", "HC2", "HC1", "HC0", "classical")
FEW, SCARCE = 6, 20

INFO = Info(
    name="cluster_ols",
    purpose="A coefficient of a linear model with cluster-robust (CR2) or heteroskedasticity-robust variance.",
    keys=(
        Key("outcome", "column", "the outcome, a number", needed=True),
        Key("treatment", "column", "whose coefficient is the estimate: 0/1 or a number", needed=True),
        Key("cluster", "column", "the unit that was randomised or sampled; without it rows are independent"),
        Key("covariates", "columns", "numbers as they are, texts as indicators", default=()),
        Key("fixed_effects", "columns", "columns of which each value gets an indicator, numbers too", default=()),
        WEIGHTS,
        Key(
            "se",
            "choices",
            "variances; the first is the estimate's, default CR2 with clusters, else HC2",
            choices=KINDS,
        ),
        ALPHA,
    ),
    source="Pustejovsky & Tipton 2018, J Bus Econ Stat 36:672; MacKinnon & White 1985, J Econometrics 29:305",
    example={"estimator": "cluster_ols", "outcome": "hours", "treatment": "arm", "cluster": "clinic"}
    | {"covariates": ["size"], "se": ["CR2", "CR1"]},
    made=example_table,
)


def estimate(frame: Frame, spec: Spec) -> Result:
    """The coefficient of the treatment.

    Raises:
        InputError: a column does not fit, or cannot be told apart from others.
        Refused: fewer than six clusters, where a model-based interval is not to be trusted.
    """
    named = [spec["outcome"], spec["treatment"], *spec["covariates"], *spec["fixed_effects"]]
    named += [spec[name] for name in ("cluster", "weights") if name in spec]
    used = frame.complete(named)
    y = finite(used, spec["outcome"])
    arm = _treatment(used, spec["treatment"])
    cluster = used.labels(spec["cluster"])[0] if "cluster" in spec else None
    groups = None if cluster is None else len(np.unique(cluster))
    kinds = spec["se"] or (("CR2",) if cluster is not None else ("HC2",))
    if groups is not None and groups < FEW and kinds[0].startswith("CR"):
        raise Refused(
            [f"{groups} clusters are too few for a model-based interval."],
            f"Use exact_permutation, or at least {FEW} clusters.",
        )
    found = _fits(used, spec, y, arm, cluster, kinds)
    first = found[0]
    ends = interval(first.value, first.se, first.df, spec["alpha"])
    return Result(
        method=f"least squares, {first.kind}",
        n=len(y),
        estimate=first.value,
        se=first.se,
        ci_low=ends.low,
        ci_high=ends.high,
        df=first.df,
        p=ends.p,
        clusters=groups,
        details={
            "f": (first.value / first.se) ** 2 if first.se > 0 else None,
            "se": {one.kind: _told(one, spec["alpha"]) for one in found},
        },
        warnings=_warnings(first, groups),
        assumptions=(Assumption(name="the model is linear in what is named", held=None, text="No terms are added."),),
        left_out=dict(used.left_out),
    )


def _treatment(frame: Frame, name: str) -> Floats:
    arm = finite(frame, name) if frame.column(name).dtype == np.float64 else frame.binary(name)
    varies(arm, name)
    return arm


def _fits(
    used: Frame, spec: Spec, y: Floats, arm: Floats, cluster: Ints | None, kinds: Sequence[str]
) -> list[Coefficient]:
    columns = dict(used.columns) | {name: _as_text(used, name) for name in spec["fixed_effects"]}
    columns[spec["treatment"]] = arm
    frame = Frame(columns, used.line, used.left_out)
    built = design(frame, [spec["treatment"], *spec["covariates"], *spec["fixed_effects"]])
    check_rank(built, [spec["treatment"]])
    weights = _weights(used, spec["weights"]) if "weights" in spec else None
    return variances(y, built.x, 1, cluster, kinds, weights)


def _as_text(frame: Frame, name: str) -> np.ndarray:
    codes, values = frame.labels(name)
    return np.array([values[code] for code in codes], dtype=object)


def _weights(frame: Frame, name: str) -> Floats:
    weights = finite(frame, name)
    if (weights <= 0).any():
        raise InputError(f"must be above 0 (line {frame.line[int(np.argmin(weights))]})", field=name)
    return weights


def _told(one: Coefficient, alpha: float) -> dict[str, float]:
    ends = interval(one.value, one.se, one.df, alpha)
    return {"se": one.se, "df": one.df, "ci_low": ends.low, "ci_high": ends.high, "p": ends.p}


def _warnings(first: Coefficient, groups: int | None) -> tuple[str, ...]:
    told = []
    if groups is not None and not first.kind.startswith("CR"):
        told.append(f"{first.kind} takes rows as independent, but there are clusters; CR2 would not.")
    if groups is not None and groups < SCARCE and first.kind in ("CR0", "CR1", "CR1S"):
        told.append(f"With {groups} clusters {first.kind} is too small on average; CR2 is not.")
    if first.kind == "CR2" and first.df < 4:
        told.append(f"The effective degrees of freedom are {first.df:.1f}; below 4 the interval is not to be trusted.")
    return tuple(told)
