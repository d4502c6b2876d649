"""A generalised linear mixed model: events or counts in clusters, each with a random intercept of its own.

The likelihood integrates the intercepts out by adaptive Gauss-Hermite quadrature (Pinheiro & Bates 1995, J Comput Graph
Stat 4:12); one point is Laplace's approximation, which lme4 takes. The effect is conditional on the cluster: a log odds
or log rate ratio for a cluster of any level, further from zero than the population's (see ``gee``).
"""

from collections.abc import Mapping, Sequence
from math import exp, inf
from typing import Any

import numpy as np

from careplane.errors import InputError, Refused
from careplane.estimators import Floats
from careplane.estimators._frame import Frame, varies
from careplane.estimators._intervals import interval
from careplane.estimators._linear import check_rank, design, finite
from careplane.estimators._spec import ALPHA, Assumption, Info, Key, Result, Spec
from careplane.estimators.glmm._fit import FAMILIES, Data, fit

FEW, ENOUGH = 6, 40


def _example() -> Mapping[str, Sequence[Any]]:
    draws = np.random.default_rng(14)
    clinic = np.repeat(np.arange(20), 30)
    arm = clinic % 2
    odds = -1.2 + 0.6 * arm + draws.normal(0, 0.5, 20)[clinic]
    return {"answered": (draws.random(600) < 1 / (1 + np.exp(-odds))).astype(int).tolist(), "arm": arm.tolist()} | {
        "clinic": [f"c{one:02d}" for one in clinic]
    }


INFO = Info(
    name="glmm",
    purpose="Clusters and an event or a count: the effect within a cluster, levels of clusters being random.",
    keys=(
        Key("outcome", "column", "0/1 or a count", needed=True),
        Key("treatment", "column", "whose coefficient is the estimate: 0/1", needed=True),
        Key("cluster", "column", "what has a random intercept", needed=True),
        Key("family", "choice", "log odds, or logarithm of a rate", "binomial", choices=tuple(FAMILIES)),
        Key("offset", "column", "what a count is out of, such as days; its logarithm is taken (poisson)"),
        Key("covariates", "columns", "numbers as they are, texts as indicators", default=()),
        Key("fixed_effects", "columns", "columns of which each value gets an indicator, numbers too", default=()),
        Key("points", "integer", "quadrature points; 1 is Laplace's approximation", default=1, least=1, most=50),
        ALPHA,
    ),
    source="Breslow & Clayton 1993, J Am Stat Assoc 88:9; Pinheiro & Bates 1995, J Comput Graph Stat 4:12",
    example={"estimator": "glmm", "outcome": "answered", "treatment": "arm", "cluster": "clinic"},
    made=_example,
)


def estimate(frame: Frame, spec: Spec) -> Result:
    """The coefficient of the treatment on the scale of the link.

    Raises:
        InputError: a column does not fit.
        Refused: fewer than six clusters, or a likelihood without a maximum, as under separation.
    """
    named = [spec["outcome"], spec["treatment"], spec["cluster"], *spec["covariates"], *spec["fixed_effects"]]
    used = frame.complete([*named, *([spec["offset"]] if "offset" in spec else [])])
    y, arm = _outcome(used, spec), used.binary(spec["treatment"])
    varies(arm, spec["treatment"])
    cluster, names = used.labels(spec["cluster"])
    if len(names) < FEW:
        raise Refused(
            [f"{len(names)} clusters are too few for a mixed model."],
            f"Use exact_permutation, or at least {FEW} clusters.",
        )
    built = design(used.coded({spec["treatment"]: arm}, spec["fixed_effects"]), named[1:2] + named[3:])
    check_rank(built, [spec["treatment"]])
    found = fit(Data(y, built.x, _offset(used, spec), cluster, len(names)), FAMILIES[spec["family"]], spec["points"])
    value, se = float(found.beta[1]), float(found.cov[1, 1]) ** 0.5
    ends = interval(value, se, inf, spec["alpha"])
    return Result(
        method=f"generalised linear mixed model, {spec['family']}, {_said(spec['points'])}",
        n=len(y),
        estimate=value,
        se=se,
        ci_low=ends.low,
        ci_high=ends.high,
        p=ends.p,
        clusters=len(names),
        details={
            "ratio": {"estimate": exp(value), "ci_low": exp(ends.low), "ci_high": exp(ends.high)},
            "cluster_sd": found.sigma,
            "log_likelihood": found.log_likelihood,
            "fixed": dict(zip(built.names, map(float, found.beta), strict=True)),
        },
        warnings=_warnings(len(names), found.sigma),
        assumptions=(Assumption(name="levels of clusters are normal", held=None, text="On the scale of the link."),),
        left_out=dict(used.left_out),
    )


def _said(points: int) -> str:
    return "Laplace" if points == 1 else f"adaptive quadrature of {points} points"


def _outcome(frame: Frame, spec: Spec) -> Floats:
    name = spec["outcome"]
    if spec["family"] == "binomial":
        y = frame.binary(name)
        if "offset" in spec:
            raise InputError("is for counts; set family: poisson", field="offset")
    else:
        y = finite(frame, name)
        wrong = (y < 0) | (y != np.round(y))
        if wrong.any():
            at = int(np.argmax(wrong))
            raise InputError(f"must be a count (line {frame.line[at]} holds {y[at]:g})", field=name)
    varies(y, name)
    return y


def _offset(frame: Frame, spec: Spec) -> Floats:
    if "offset" not in spec:
        return np.zeros(len(frame))
    out_of = finite(frame, spec["offset"])
    if (out_of <= 0).any():
        raise InputError(f"must be above 0 (line {frame.line[int(np.argmin(out_of))]})", field=spec["offset"])
    return np.asarray(np.log(out_of))


def _warnings(groups: int, sigma: float) -> tuple[str, ...]:
    told = []
    if groups < ENOUGH:
        told.append(f"With {groups} clusters, fewer than {ENOUGH}, the normal interval is too narrow; compare gee.")
    if sigma < 1e-3:
        told.append("The variance between clusters is estimated as zero; the interval takes it as known to be.")
    return tuple(told)
