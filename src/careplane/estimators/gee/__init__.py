"""The average effect over a population of clusters by generalised estimating equations with one correlation.

Mancl & DeRouen's correction is the default, for the plain sandwich is too small below some forty clusters; Student's
t has G - 2 degrees of freedom (Li & Redden 2015, Stat Med 34:281). Nothing is needed beside NumPy and SciPy.
"""

from collections.abc import Mapping
from math import exp
from typing import Any

import numpy as np

from careplane.errors import InputError, Refused
from careplane.estimators import Floats, Ints
from careplane.estimators._clusters import example_table
from careplane.estimators._frame import Frame, duplicated, varies
from careplane.estimators._intervals import interval
from careplane.estimators._linear import check_rank, design, finite
from careplane.estimators._spec import ALPHA, WEIGHTS, Assumption, Info, Key, Result, Spec
from careplane.estimators.gee._fit import LINKS, Rows, fit

FEW, ENOUGH = 6, 40
_SAID: Mapping[str, str] = {"gaussian": "identity link", "binomial": "logit link", "poisson": "log link"}
_WITHIN = ("exchangeable", "independence", "ar1")

INFO = Info(
    name="gee",
    purpose="Clusters and a number, an event or a count: the population-averaged effect, correlation estimated.",
    keys=(
        Key("outcome", "column", "a number, 0/1 or a count", needed=True),
        Key("treatment", "column", "whose coefficient is the estimate: 0/1 or a number", needed=True),
        Key("cluster", "column", "the unit that was randomised or sampled", needed=True),
        Key("family", "choice", "binomial gives log odds", "gaussian", choices=tuple(LINKS)),
        Key("correlation", "choice", "within clusters", "exchangeable", choices=tuple(_WITHIN)),
        Key("time", "column", "for ar1: the period of a row, a whole number; without it, the order of the rows"),
        Key("covariates", "columns", "numbers as they are, texts as indicators", default=()),
        Key("fixed_effects", "columns", "columns of which each value gets an indicator, numbers too", default=()),
        WEIGHTS,
        Key("offset", "column", "what a count is out of, such as days; its logarithm is taken (poisson)"),
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
    used = _complete(frame, spec)
    arm = _treatment(used, spec["treatment"])
    rows, groups = _rows(used, spec, arm)
    found = fit(rows, LINKS[spec["family"]], correlated=spec["correlation"] != "independence")
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
        n=len(rows.y),
        estimate=value,
        se=first["se"],
        ci_low=first["ci_low"],
        ci_high=first["ci_high"],
        df=df,
        p=first["p"],
        clusters=groups,
        details=details,
        warnings=_warnings(groups, rows, spec),
        assumptions=(Assumption(name="clusters are independent", held=None, text="Rows may depend within clusters."),),
        left_out=dict(used.left_out),
    )


def _complete(frame: Frame, spec: Spec) -> Frame:
    """The rows without a gap in what is named; for ar1 by cluster and period."""
    ordered = spec["correlation"] == "ar1"
    if "time" in spec and not ordered:
        raise InputError("is for correlation: ar1", field="time")
    named = [spec["outcome"], spec["treatment"], spec["cluster"], *spec["covariates"], *spec["fixed_effects"]]
    used = frame.complete([*named, *(spec[name] for name in ("weights", "offset", "time") if name in spec)])
    if not ordered:
        return used
    if "time" in spec:
        duplicated(used, spec["cluster"], spec["time"])
    order = np.lexsort((_period(used, spec), used.labels(spec["cluster"])[0]))
    return Frame({name: column[order] for name, column in used.columns.items()}, used.line[order], used.left_out)


def _period(frame: Frame, spec: Spec) -> Floats:
    if "time" not in spec:
        return np.arange(len(frame), dtype=np.float64)
    period = finite(frame, spec["time"])
    if (period != np.round(period)).any():
        wrong = int(np.argmax(period != np.round(period)))
        raise InputError(f"must be a whole number (line {frame.line[wrong]}): count periods", field=spec["time"])
    return period


def _rows(used: Frame, spec: Spec, arm: Floats) -> tuple[Rows, int]:
    y = _outcome(used, spec)
    cluster, names = used.labels(spec["cluster"])
    if len(names) < FEW:
        raise Refused(
            [f"{len(names)} clusters are too few for a model-based interval."],
            f"Use exact_permutation, or at least {FEW} clusters.",
        )
    wide = used.coded({spec["treatment"]: arm}, spec["fixed_effects"])
    built = design(wide, [spec["treatment"], *spec["covariates"], *spec["fixed_effects"]])
    check_rank(built, [spec["treatment"]])
    if "offset" in spec and spec["family"] != "poisson":
        raise InputError("is for counts; set family: poisson", field="offset")
    gap = _gap(cluster, _period(used, spec), spec) if spec["correlation"] == "ar1" else None
    return Rows(
        y, built.x, cluster, _positive(used, spec, "weights"), np.log(_positive(used, spec, "offset")), gap
    ), len(names)


def _gap(cluster: Ints, period: Floats, spec: Spec) -> Floats:
    gap = np.diff(period, prepend=period[0])
    gap[np.diff(cluster, prepend=-1) != 0] = 0
    if "time" not in spec:
        gap[gap > 0] = 1
    if not (gap == 1).any():
        raise Refused(
            ["No cluster has rows of two periods that follow each other, so ar1 cannot be estimated."],
            "Number the periods 1, 2, 3, or use correlation: exchangeable.",
        )
    return gap


def _treatment(frame: Frame, name: str) -> Floats:
    arm = finite(frame, name) if frame.column(name).dtype == np.float64 else frame.binary(name)
    varies(arm, name)
    return arm


def _positive(frame: Frame, spec: Spec, key: str) -> Floats:
    if key not in spec:
        return np.ones(len(frame))
    found = finite(frame, spec[key])
    if (found <= 0).any():
        raise InputError(f"must be above 0 (line {frame.line[int(np.argmin(found))]})", field=spec[key])
    return found


def _outcome(frame: Frame, spec: Spec) -> Floats:
    name = spec["outcome"]
    if spec["family"] == "binomial":
        return frame.binary(name)
    y = finite(frame, name)
    if spec["family"] == "poisson" and ((y < 0) | (y != np.round(y))).any():
        wrong = int(np.argmax((y < 0) | (y != np.round(y))))
        raise InputError(f"must be a count (line {frame.line[wrong]} holds {y[wrong]:g})", field=name)
    return y


def _warnings(groups: int, rows: Rows, spec: Spec) -> tuple[str, ...]:
    told = []
    if groups < ENOUGH and spec["se"] == "robust":
        told.append(f"With {groups} clusters, fewer than {ENOUGH}, robust is too small; use mancl_derouen.")
    elif groups < ENOUGH:
        told.append(f"With {groups} clusters, fewer than {ENOUGH}, the interval is approximate; compare cluster_itt.")
    first = np.unique(rows.cluster, return_index=True)[1]
    if spec["correlation"] != "independence" and (rows.weights != rows.weights[first][rows.cluster]).any():
        told.append(
            "Weights differ within clusters and are read as inverse variances; "
            "for weights of sampling or of missingness take correlation: independence."
        )
    if spec["correlation"] == "ar1" and "time" not in spec:
        told.append("Without time, rows of a cluster are taken one period apart, in the order of the file.")
    return tuple(told)
