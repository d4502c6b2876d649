"""The likelihood of clusters with a random intercept, and where it is highest."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import log, pi, sqrt
from typing import Any

import numpy as np
from scipy import optimize
from scipy.special import expit, gammaln

from careplane.errors import Refused
from careplane.estimators import Floats, Ints

_MINIMUM: Any = optimize.minimize  # the library has no types
_NEWTON, _FAR, _STEP = 60, 30.0, 1e-4


@dataclass(frozen=True, slots=True)
class Family:
    """Of a row: mean and its slope in the linear predictor (for both links the variance), and the log-likelihood."""

    mean: Callable[[Floats], Floats]
    slope: Callable[[Floats], Floats]
    density: Callable[[Floats, Floats], Floats]


FAMILIES: Mapping[str, Family] = {
    "binomial": Family(
        lambda eta: np.asarray(expit(eta)),
        lambda mu: mu * (1 - mu),
        lambda y, eta: y * eta - np.logaddexp(0, eta),
    ),
    "poisson": Family(
        lambda eta: np.exp(np.clip(eta, -_FAR, _FAR)),
        lambda mu: mu,
        lambda y, eta: y * eta - np.exp(np.clip(eta, -_FAR, _FAR)) - gammaln(y + 1),
    ),
}


@dataclass(frozen=True, slots=True, eq=False)
class Data:
    """Rows: outcome (n,), design (n, p), offset (n,), cluster code (n,) of so many."""

    y: Floats
    x: Floats
    offset: Floats
    cluster: Ints
    groups: int

    def by(self, values: Floats) -> Floats:
        """Sums by cluster."""
        return np.asarray(np.bincount(self.cluster, weights=values, minlength=self.groups), dtype=np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """Fixed effects with their covariance, the standard deviation between clusters, and the log-likelihood."""

    beta: Floats
    cov: Floats
    sigma: float
    log_likelihood: float


def fit(data: Data, family: Family, points: int) -> Fit:
    """Maximum likelihood; the covariance is the inverse of the Hessian in all parameters, by differences.

    Raises:
        Refused: there is no maximum, as where an event never happens in an arm.
    """
    scale = np.sqrt((data.x**2).mean(axis=0))
    scaled = Data(data.y, data.x / scale, data.offset, data.cluster, data.groups)

    def loss(parameters: Floats) -> float:
        return -_log_likelihood(scaled, family, parameters[:-1], abs(float(parameters[-1])), points)

    start = np.r_[_start(scaled, family), 0.5]
    found = _MINIMUM(loss, start, method="BFGS", options={"gtol": 1e-6, "maxiter": 500})
    best = np.asarray(found.x, dtype=np.float64)
    best[-1] = abs(best[-1])
    if np.abs(scaled.x @ best[:-1] + scaled.offset).max() > _FAR or not np.isfinite(found.fun):
        raise _no_maximum()
    hessian = _hessian(loss, best, free=len(best) if best[-1] > 1e-3 else len(best) - 1)
    try:
        np.linalg.cholesky(hessian)
        cov = np.linalg.inv(hessian)[: len(scale), : len(scale)]
    except np.linalg.LinAlgError as error:
        raise _no_maximum() from error
    return Fit(best[:-1] / scale, cov / np.outer(scale, scale), float(best[-1]), -float(found.fun))


def _no_maximum() -> Refused:
    return Refused(
        ["The likelihood has no maximum, as where an event never (or always) happens in an arm or a level."],
        "Leave covariates out, or use proportions or exact_permutation.",
    )


def _start(data: Data, family: Family) -> Floats:
    """The model without random intercepts, by Newton's method."""
    beta = np.zeros(data.x.shape[1])
    for _ in range(_NEWTON):
        mu = family.mean(data.x @ beta + data.offset)
        weight = np.maximum(family.slope(mu), 1e-10)
        step = np.linalg.lstsq(data.x.T @ (data.x * weight[:, None]), data.x.T @ (data.y - mu), rcond=None)[0]
        beta = beta + step * min(1.0, 5.0 / max(1e-300, float(np.abs(step).max())))
        if np.abs(data.x @ beta).max() > _FAR:
            raise _no_maximum()
        if np.abs(step).max() < 1e-9:
            break
    return beta


def _log_likelihood(data: Data, family: Family, beta: Floats, sigma: float, points: int) -> float:
    """Quadrature around the mode of each cluster's standardised intercept ``u``."""
    fixed = data.x @ beta + data.offset
    u = np.zeros(data.groups)
    for _ in range(_NEWTON):
        mu = family.mean(fixed + sigma * u[data.cluster])
        curve = sigma**2 * data.by(family.slope(mu)) + 1
        step = (sigma * data.by(data.y - mu) - u) / curve
        u = u + np.clip(step, -3, 3)
        if np.abs(step).max() < 1e-11:
            break
    mu = family.mean(fixed + sigma * u[data.cluster])
    spread = 1 / np.sqrt(sigma**2 * data.by(family.slope(mu)) + 1)
    nodes, weights = np.polynomial.hermite_e.hermegauss(points)
    parts = []
    for node, weight in zip(nodes, weights, strict=True):
        at = u + spread * node
        inner = data.by(family.density(data.y, fixed + sigma * at[data.cluster])) - at**2 / 2
        parts.append(inner + node**2 / 2 + log(weight / sqrt(2 * pi)))
    return float((np.log(spread) + np.logaddexp.reduce(np.array(parts), axis=0)).sum())


def _hessian(loss: Callable[[Floats], float], at: Floats, free: int) -> Floats:
    """Second derivatives in the first ``free`` parameters by central differences."""
    found = np.zeros((free, free))
    steps = np.eye(len(at)) * (_STEP * np.maximum(1.0, np.abs(at)))
    for i in range(free):
        for j in range(i, free):
            a, b = steps[i], steps[j]
            value = loss(at + a + b) - loss(at + a - b) - loss(at - a + b) + loss(at - a - b)
            found[i, j] = found[j, i] = value / (4 * a[i] * b[j])
    return found
