"""Power and sample size of the designs of a roll-out, before anybody is randomised.

Two means or two proportions, by unit or by cluster (with the variation of cluster sizes: Eldridge et al. 2006, Int J
Epidemiol 35:1292; degrees of freedom from the number of clusters), and the stepped wedge by the generalised least
squares of cluster-period means (Hussey & Hughes 2007, Contemp Clin Trials 28:182), with an effect that varies between
clusters (Hughes et al. 2015, Contemp Clin Trials 45:55) or a cluster autocorrelation (Hooper et al. 2016, Stat Med
35:4718). Give the size for the power, or the power for the size.
"""

from collections.abc import Callable
from math import inf, isnan, sqrt
from typing import Any

import numpy as np
from scipy.special import nctdtr, ndtr, ndtri, stdtrit

from careplane.errors import InputError
from careplane.estimators._frame import Frame
from careplane.estimators._spec import ALPHA, Info, Key, Result, Spec

_MOST = 10_000_000
DESIGNS = ("individual", "cluster", "stepped_wedge")

INFO = Info(
    name="power",
    purpose="Power for a size, or the size for a power: individual, cluster-randomised or stepped-wedge.",
    keys=(
        Key("design", "choice", "how arms are assigned", needed=True, choices=DESIGNS),
        Key("effect", "number", "difference to detect (proportions: leave it out and give p_control and p_treated)"),
        Key("sd", "number", "standard deviation of the outcome between units", least=1e-12),
        Key("p_control", "number", "risk without the intervention", least=0, most=1),
        Key("p_treated", "number", "risk with it", least=0, most=1),
        Key("n", "integer", "units per arm (individual)", least=2, most=_MOST),
        Key("clusters", "integer", "clusters per arm (cluster), or in all (stepped wedge)", least=1, most=100_000),
        Key("cluster_size", "number", "units per cluster (stepped wedge: and period)", least=1, most=1e7),
        Key("size_cv", "number", "coefficient of variation of the cluster sizes", 0.0, least=0, most=10),
        Key("icc", "number", "intracluster correlation", least=0, most=0.999),
        Key("cac", "number", "cluster autocorrelation from period to period", 1.0, least=0, most=1),
        Key("steps", "integer", "steps at which clusters begin (stepped wedge)", least=1, most=200),
        Key("extra_periods", "integer", "periods after all have begun", 0, least=0, most=200),
        Key("tau", "number", "standard deviation between clusters, instead of icc", least=0),
        Key("eta", "number", "standard deviation of the effect between clusters", 0.0, least=0),
        Key("rho", "number", "correlation of level and effect of a cluster", 0.0, least=-1, most=1),
        Key("power", "number", "power to reach; the size is the answer then", least=0.01, most=0.9999),
        ALPHA,
    ),
    source="Hussey & Hughes 2007, Contemp Clin Trials 28:182; Eldridge et al. 2006, Int J Epidemiol 35:1292",
    example={"estimator": "power", "design": "cluster", "effect": 1.5, "sd": 6, "clusters": 12, "cluster_size": 40}
    | {"icc": 0.05},
)


def estimate(_frame: Frame | None, spec: Spec) -> Result:
    """The power, or the size that reaches it (units per arm, or clusters).

    Raises:
        InputError: something that the design needs is missing, or no size reaches the power.
    """
    effect, sd = _scale(spec)
    power, size, what = _DESIGNS[spec["design"]](spec, effect, sd)
    told = {"effect": effect, "sd": sd, "size": size, "what": what, "power": power}
    return Result(
        method=f"power, {spec['design'].replace('_', ' ')}",
        n=size,
        estimate=float(size) if "power" in spec else power,
        details=told,
        warnings=_warnings(spec, size),
    )


def _scale(spec: Spec) -> tuple[float, float]:
    """Effect and standard deviation; those of proportions from both risks."""
    if "p_control" in spec and "p_treated" in spec:
        p, q = spec["p_treated"], spec["p_control"]
        if p == q:
            raise InputError("is that of the control: there is no effect to detect", field="p_treated")
        if spec["design"] == "stepped_wedge":
            middle = (p + q) / 2
            return p - q, sqrt(middle * (1 - middle))
        return p - q, sqrt((p * (1 - p) + q * (1 - q)) / 2)
    effect, sd = _needed(spec, "effect"), _needed(spec, "sd")
    if effect == 0:
        raise InputError("must not be 0", field="effect")
    return effect, sd


def _needed(spec: Spec, name: str) -> Any:
    if name not in spec:
        raise InputError(f"is needed for the design {spec['design']}", field=name)
    return spec[name]


def _individual(spec: Spec, effect: float, sd: float) -> tuple[float, int, str]:
    proportions = "p_control" in spec

    def power(n: int) -> float:
        df = inf if proportions else 2 * n - 2
        return _t_power(effect / (sd * sqrt(2 / n)), df, spec["alpha"])

    return (*_solved(spec, power, "n", 2), "units per arm")


def _cluster(spec: Spec, effect: float, sd: float) -> tuple[float, int, str]:
    size, icc = _needed(spec, "cluster_size"), _needed(spec, "icc")
    inflation = 1 + ((spec["size_cv"] ** 2 + 1) * size - 1) * icc

    def power(clusters: int) -> float:
        se = sd * sqrt(2 * inflation / (clusters * size))
        return _t_power(effect / se, 2 * clusters - 2, spec["alpha"])

    return (*_solved(spec, power, "clusters", 2), "clusters per arm")


def _stepped_wedge(spec: Spec, effect: float, sd: float) -> tuple[float, int, str]:
    steps = _needed(spec, "steps")
    if "clusters" in spec and spec["clusters"] % steps:
        raise InputError(f"must be a multiple of the {steps} steps", field="clusters")

    def power(per_step: int) -> float:
        se = sqrt(stepped_wedge_variance(spec, sd, per_step))
        z, reach = abs(effect) / se, float(ndtri(1 - spec["alpha"] / 2))
        return float(ndtr(z - reach) + ndtr(-z - reach))

    if "power" not in spec:
        clusters = int(_needed(spec, "clusters"))
        return power(clusters // steps), clusters, "clusters in all"
    per_step = _least(power, spec["power"], 1, 100_000)
    return power(per_step), per_step * steps, "clusters in all"


def stepped_wedge_variance(spec: Spec, sd: float, per_step: int) -> float:
    """The variance of the effect by generalised least squares of cluster-period means; periods are fixed effects."""
    steps = spec["steps"]
    periods = steps + 1 + spec["extra_periods"]
    within, tau = _components(spec, sd)
    shared, apart = tau**2 * spec["cac"], tau**2 * (1 - spec["cac"])
    information = np.zeros((periods + 1, periods + 1))
    for step in range(steps):
        treated = (np.arange(periods) > step).astype(np.float64)
        x = np.column_stack([np.eye(periods), treated])
        both = spec["rho"] * tau * spec["eta"] * np.add.outer(treated, treated)
        v = (within + apart) * np.eye(periods) + shared + spec["eta"] ** 2 * np.outer(treated, treated) + both
        information += per_step * x.T @ np.linalg.solve(v, x)
    return float(np.linalg.inv(information)[-1, -1])


def _components(spec: Spec, sd: float) -> tuple[float, float]:
    """Variance of a cluster-period mean within, and the standard deviation between clusters."""
    size = _needed(spec, "cluster_size")
    if "tau" in spec:
        return sd**2 / size, spec["tau"]
    icc = _needed(spec, "icc")
    return sd**2 * (1 - icc) / size, sd * sqrt(icc)


Designed = Callable[[Spec, float, float], tuple[float, int, str]]
_DESIGNS: dict[str, Designed] = {
    "individual": _individual,
    "cluster": _cluster,
    "stepped_wedge": _stepped_wedge,
}


def _solved(spec: Spec, power: Callable[[int], float], size: str, least: int) -> tuple[float, int]:
    if "power" not in spec:
        given = int(_needed(spec, size))
        if given < least:
            raise InputError(f"must be {least} or more", field=size)
        return power(given), given
    found = _least(power, spec["power"], least, _MOST)
    return power(found), found


def _least(power: Callable[[int], float], wanted: float, low: int, high: int) -> int:
    """The least size that reaches the power, which grows with the size."""
    if power(high) < wanted:
        raise InputError(f"no size up to {high:,} reaches it; detect a larger effect or add periods", field="power")
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if power(middle) >= wanted else (middle + 1, high)
    return low


def _t_power(ratio: float, df: float, alpha: float) -> float:
    """Two-sided power of a t-test (normal for infinite df) whose statistic is ``ratio`` on average."""
    if df == inf or df > 1e5:
        reach = float(ndtri(1 - alpha / 2))
        return float(ndtr(abs(ratio) - reach) + ndtr(-abs(ratio) - reach))
    reach = float(stdtrit(df, 1 - alpha / 2))
    below = [float(nctdtr(df, abs(ratio), at)) for at in (reach, -reach)]
    high, low = (0.0 if isnan(share) else share for share in below)  # a share too small for the library's series
    return 1 - high + low


def _warnings(spec: Spec, size: int) -> tuple[str, ...]:
    if spec["design"] == "cluster" and size < 3:
        return ("With fewer than six clusters in all only an exact test is valid, and it can hardly reach 5 %.",)
    if spec["design"] == "stepped_wedge" and size < 12:
        return ("With few clusters the analysis needs Kenward-Roger, and the power is lower than this.",)
    return ()
