"""The standard error of the effect in each design, and so its power for a size or its size for a power.

Every design is a function from the specification and the effect to (power, size, what the size counts).
"""

from collections.abc import Callable, Mapping
from math import inf, sqrt

import numpy as np

from careplane.errors import InputError
from careplane.estimators._spec import Spec
from careplane.estimators.power._effect import Effect, needed

MOST = 10_000_000
Designed = Callable[[Spec, Effect], tuple[float, int, str]]


def individual(spec: Spec, effect: Effect) -> tuple[float, int, str]:
    """Units are randomised one by one; equal arms."""

    def power(n: int) -> float:
        return effect.power(effect.sd * sqrt(2 / n), 2 * n - 2, spec["alpha"])

    return (*_solved(spec, power, "n", 2), "units per arm")


def cluster(spec: Spec, effect: Effect) -> tuple[float, int, str]:
    """Clusters are randomised: the design effect of Eldridge et al. 2006, t with the clusters' degrees of freedom. Of
    rates: Hayes & Bennett 1999, Int J Epidemiol 28:319, on the logarithm."""
    if "rate_control" in spec:
        variance = _rate_variance(spec)
    else:
        size, icc = needed(spec, "cluster_size"), needed(spec, "icc")
        inflation = 1 + ((spec["size_cv"] ** 2 + 1) * size - 1) * icc
        variance = effect.sd**2 * inflation / size
    scaled = Effect(effect.size, effect.sd, False, effect.distance, effect.one_sided)

    def power(clusters: int) -> float:
        return scaled.power(sqrt(2 * variance / clusters), 2 * clusters - 2, spec["alpha"])

    return (*_solved(spec, power, "clusters", 2), "clusters per arm")


def _rate_variance(spec: Spec) -> float:
    """Of the logarithm of a cluster's rate, the mean of both arms; ``size_cv`` is not used."""
    time = needed(spec, "cluster_size") * spec["exposure"]
    events = (1 / needed(spec, "rate_treated") + 1 / spec["rate_control"]) / 2
    return float(events / time + needed(spec, "between_cv") ** 2)


def stepped_wedge(spec: Spec, effect: Effect) -> tuple[float, int, str]:
    """Clusters begin one step after the other (Hussey & Hughes 2007); the normal distribution, as they take it."""
    steps = needed(spec, "steps")
    if "clusters" in spec and spec["clusters"] % steps:
        raise InputError(f"must be a multiple of the {steps} steps", field="clusters")

    def power(per_step: int) -> float:
        return effect.power(sqrt(stepped_wedge_variance(spec, effect.sd, per_step)), inf, spec["alpha"])

    if "power" not in spec:
        clusters = int(needed(spec, "clusters"))
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
    size = needed(spec, "cluster_size")
    if "tau" in spec:
        return sd**2 / size, spec["tau"]
    icc = needed(spec, "icc")
    return sd**2 * (1 - icc) / size, sd * sqrt(icc)


def did(spec: Spec, effect: Effect) -> tuple[float, int, str]:
    """Difference in differences of two equal groups of clusters, ``before`` and ``after`` periods; the level of a
    cluster drops out, what varies from period to period (1 - cac) stays."""
    within, tau = _components(spec, effect.sd)
    apart = within + tau**2 * (1 - spec["cac"])
    variance = apart * (1 / needed(spec, "before") + 1 / needed(spec, "after"))
    scaled = Effect(effect.size, effect.sd, False, effect.distance, effect.one_sided)

    def power(clusters: int) -> float:
        return scaled.power(sqrt(2 * variance / clusters), 2 * clusters - 2, spec["alpha"])

    return (*_solved(spec, power, "clusters", 2), "clusters per arm")


def its(spec: Spec, effect: Effect) -> tuple[float, int, str]:
    """One series with a trend and errors of first-order autocorrelation, by generalised least squares; ``sd`` is that
    of one period's value. ``controls`` are series beside it, averaged, that share nothing but the calendar."""
    before = int(needed(spec, "before"))
    more = 1 + (1 / spec["controls"] if spec["controls"] else 0.0)

    def power(after: int) -> float:
        se = effect.sd * sqrt(series_variance(before, after, spec["autocorrelation"], spec["change"]) * more)
        return effect.power(se, before + after - (4 if spec["change"] == "level_and_slope" else 3), spec["alpha"])

    if "power" in spec:
        found = _least(power, spec["power"], 3, 2_000, "periods after the change")
        return power(found), found, "periods after the change"
    after = int(needed(spec, "after"))
    if min(before, after) < 3:
        raise InputError("must be 3 or more", field="before" if before < 3 else "after")
    return power(after), after, "periods after the change"


def series_variance(before: int, after: int, autocorrelation: float, change: str) -> float:
    """The variance of the step (or of the change of slope) for errors of variance 1."""
    time = np.arange(before + after, dtype=np.float64)
    on = (time >= before).astype(np.float64)
    terms = {"level": [on], "slope": [on * (time - before)]}
    asked = terms["level"] * ("level" in change) + terms["slope"] * ("slope" in change)
    x = np.column_stack([*asked, np.ones(len(time)), time - time.mean()])
    v = autocorrelation ** np.abs(np.subtract.outer(time, time))
    return float(np.linalg.inv(x.T @ np.linalg.solve(v, x))[0, 0])


def switchback(spec: Spec, effect: Effect) -> tuple[float, int, str]:
    """Blocks of time that switch at random, half on; the first ``washout`` rows of a block are left out, and rows of
    one block correlate by ``icc``."""
    rows = needed(spec, "block_size") - spec["washout"]
    if rows < 1:
        raise InputError(f"leaves no row of a block of {spec['block_size']}", field="washout")
    variance = effect.sd**2 * (1 + (rows - 1) * needed(spec, "icc")) / rows
    scaled = Effect(effect.size, effect.sd, False, effect.distance, effect.one_sided)

    def power(pairs: int) -> float:
        return scaled.power(sqrt(2 * variance / pairs), 2 * pairs - 2, spec["alpha"])

    if "power" in spec:
        pairs = _least(power, spec["power"], 2, 1_000_000)
        return power(pairs), 2 * pairs, "blocks in all"
    blocks = int(needed(spec, "blocks"))
    if blocks < 4 or blocks % 2:
        raise InputError("must be an even number of 4 or more", field="blocks")
    return power(blocks // 2), blocks, "blocks in all"


DESIGNS: Mapping[str, Designed] = {
    "individual": individual,
    "cluster": cluster,
    "stepped_wedge": stepped_wedge,
    "did": did,
    "its": its,
    "switchback": switchback,
}


def _solved(spec: Spec, power: Callable[[int], float], size: str, least: int) -> tuple[float, int]:
    if "power" not in spec:
        given = int(needed(spec, size))
        if given < least:
            raise InputError(f"must be {least} or more", field=size)
        return power(given), given
    found = _least(power, spec["power"], least, MOST)
    return power(found), found


def _least(power: Callable[[int], float], wanted: float, low: int, high: int, what: str = "size") -> int:
    """The least size that reaches the power, which grows with the size."""
    if power(high) < wanted:
        raise InputError(f"no {what} up to {high:,} reaches it; detect a larger effect or add periods", field="power")
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if power(middle) >= wanted else (middle + 1, high)
    return low
