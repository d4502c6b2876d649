"""The average effect over a population of clusters by generalised estimating equations with one correlation.

Mancl & DeRouen's correction is the default, for the plain sandwich is too small below some forty clusters; Student's
t has G - 2 degrees of freedom (Li & Redden 2015, Stat Med 34:281). Nothing is needed beside NumPy and SciPy.
"""

from collections.abc import Mapping
from math import exp
from typing import Any

import numpy as np

from careplane.errors import InputError, Refused
from careplane.estimators import Floats
from careplane.estimators._clusters import example_table
from careplane.estimators._frame import Frame, varies
from careplane.estimators._intervals import interval
from careplane.estimators._linear import check_rank, design, finite
from careplane.estimators._spec import ALPHA, Assumption, Info, Key, Result, Spec
from careplane.estimators.gee._fit import LINKS, fit

FEW, ENOUGH = 6, 40
_SAID: Mapping[str, str] = {"gaussian": "identity link", "binomial": "logit link", "poisson": "log link"}

INFO = Info(
    name="gee",
    purpose="Clusters and a number, an event or a count: the population-averaged effect, correlation estimated.",
    keys=(
        Key("outcome", "column", "a number, 0/1 or a count", needed=True),
        Key("treatment", "column", "whose coefficient is the estimate: 0/1", needed=True),
        Key("cluster", "column", "the unit that was randomised or sampled", needed=True),
        Key("family", "choice", "binomial gives log odds", "gaussian", choices=tuple(LINKS)),
        Key("correlation", "choice", "within clusters", "exchangeable", choices=("exchangeable", "independence")),
        Key("covariates", "columns", "numbers as they are, texts as indicators", default=()),
        Key("fixed_effects", "columns", "columns of which each value gets an indicator, numbers too", default=()),
        Key("se", "choice", "kind of variance", "mancl_derouen", choices=("mancl_derouen", "robust")),
        ALPHA,
    ),
    source="Liang & Zeger 1986, Biometrika 73:13; Mancl & DeRouen 2001, Biometrics 57:126",
    example={"estimator": "gee", "outcome": "hours", "treatment": "arm", "cluster": "clinic"},
    made=example_table,
)


def estimate(frame: Frame, spec: Spec) -> Result:
    """The coefficient of the treatment on the scale of the link.

    Raises:
        InputError: a column does not fit.
        Refused: fewer than six clusters, or equations that do not settle.
    """
    named = [spec["outcome"], spec["treatment"], spec["cluster"], *spec["covariates"], *spec["fixed_effects"]]
    used = frame.complete(named)
    y = _outcome(used, spec)
    arm = used.binary(spec["treatment"])
    varies(arm, spec["treatment"])
    cluster, names = used.labels(spec["cluster"])
    groups = len(names)
    if groups < FEW:
        raise Refused(
            [f"{groups} clusters are too few for a model-based interval."],
            f"Use exact_permutation, or at least {FEW} clusters.",
        )
    wide = used.coded({spec["treatment"]: arm}, spec["fixed_effects"])
    built = design(wide, [spec["treatment"], *spec["covariates"], *spec["fixed_effects"]])
    check_rank(built, [spec["treatment"]])
    found = fit(y, built.x, cluster, LINKS[spec["family"]], correlated=spec["correlation"] == "exchangeable")
    value, df = float(found.beta[1]), float(groups - 2)
    told: dict[str, Any] = {}
    for kind, cov in found.cov.items():
        se = float(cov[1, 1]) ** 0.5
        ends = interval(value, se, df, spec["alpha"])
        told[kind] = {"se": se, "ci_low": ends.low, "ci_high": ends.high, "p": ends.p}
    first = told[spec["se"]]
    details: dict[str, Any] = {"se": told, "correlation": found.rho, "scale": found.phi}
    if spec["family"] != "gaussian":
        details["ratio"] = {"estimate": exp(value), "ci_low": exp(first["ci_low"]), "ci_high": exp(first["ci_high"])}
    return Result(
        method=f"generalised estimating equations, {spec['correlation']}, {_SAID[spec['family']]}, {spec['se']}",
        n=len(y),
        estimate=value,
        se=first["se"],
        ci_low=first["ci_low"],
        ci_high=first["ci_high"],
        df=df,
        p=first["p"],
        clusters=groups,
        details=details,
        warnings=_warnings(groups, spec),
        assumptions=(Assumption(name="clusters are independent", held=None, text="Rows may depend within clusters."),),
        left_out=dict(used.left_out),
    )


def _outcome(frame: Frame, spec: Spec) -> Floats:
    name = spec["outcome"]
    if spec["family"] == "binomial":
        return frame.binary(name)
    y = finite(frame, name)
    if spec["family"] == "poisson" and ((y < 0) | (y != np.round(y))).any():
        wrong = int(np.argmax((y < 0) | (y != np.round(y))))
        raise InputError(f"must be a count (line {frame.line[wrong]} holds {y[wrong]:g})", field=name)
    return y


def _warnings(groups: int, spec: Spec) -> tuple[str, ...]:
    if groups >= ENOUGH:
        return ()
    told = f"With {groups} clusters, fewer than {ENOUGH}, the interval is approximate; compare cluster_itt."
    if spec["se"] == "robust":
        told = f"With {groups} clusters, fewer than {ENOUGH}, robust is too small; use mancl_derouen."
    return (told,)
