"""Generalised estimating equations with one correlation within clusters (Liang & Zeger 1986, Biometrika 73:13).

Rows are scaled by the root of their variance, so that the working covariance of a cluster of ``m`` rows is ``phi R``
with ``R = (1 - rho) I + rho 11'``, whose inverse needs sums only. ``phi`` and ``rho`` are plain means over rows and
over pairs, as geepack takes them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from careplane.errors import Refused
from careplane.estimators import Floats, Ints

_STEPS, _CLOSE, _FAR = 200, 1e-10, 30.0


@dataclass(frozen=True, slots=True)
class Link:
    """From the linear predictor to the mean, its slope and the variance of a row at a mean."""

    mean: Callable[[Floats], Floats]
    slope: Callable[[Floats], Floats]
    variance: Callable[[Floats], Floats]


LINKS: Mapping[str, Link] = {
    "gaussian": Link(lambda eta: eta, np.ones_like, np.ones_like),
    "binomial": Link(lambda eta: np.asarray(expit(eta)), lambda mu: mu * (1 - mu), lambda mu: mu * (1 - mu)),
    "poisson": Link(lambda eta: np.exp(np.clip(eta, -_FAR, _FAR)), lambda mu: mu, lambda mu: mu),
}


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """Coefficients, covariances by name, the scale and the correlation within clusters."""

    beta: Floats
    cov: dict[str, Floats]
    phi: float
    rho: float


def fit(y: Floats, x: Floats, cluster: Ints, link: Link, *, correlated: bool) -> Fit:
    """Solve the equations; ``cluster`` are codes from 0 without a gap.

    Raises:
        Refused: they do not settle, as under separation.
    """
    size = np.bincount(cluster).astype(np.float64)
    beta, rho = np.zeros(x.shape[1]), 0.0
    for _ in range(_STEPS):
        eta = x @ beta
        if link.slope is not np.ones_like and np.abs(eta).max() > _FAR:
            break
        z, r = _scaled(y, x, eta, link)
        phi = float((r**2).mean())
        if correlated:
            rho = _correlation(r, cluster, size, phi)
        bread, scores, _ = _parts(z, r, cluster, size, rho)
        step = np.linalg.solve(bread, scores.sum(axis=0))
        beta = beta + step
        if np.abs(step).max() <= _CLOSE * max(1.0, float(np.abs(beta).max())):
            z, r = _scaled(y, x, x @ beta, link)
            return Fit(beta, _covariances(z, r, cluster, size, rho), phi, rho)
    raise Refused(
        ["The equations do not settle, as where an event never (or always) happens in an arm or a level."],
        "Leave covariates out, or use proportions or exact_permutation.",
    )


def _scaled(y: Floats, x: Floats, eta: Floats, link: Link) -> tuple[Floats, Floats]:
    mu = link.mean(eta)
    root = np.sqrt(link.variance(mu))
    return x * (link.slope(mu) / root)[:, None], (y - mu) / root


def _correlation(r: Floats, cluster: Ints, size: Floats, phi: float) -> float:
    pairs = float((size * (size - 1)).sum())
    if not pairs or phi <= 0:
        return 0.0
    shared = float((np.bincount(cluster, weights=r) ** 2).sum() - (r**2).sum())
    rho = shared / pairs / phi
    return float(np.clip(rho, -0.99 / (size.max() - 1), 0.99))


def _parts(z: Floats, r: Floats, cluster: Ints, size: Floats, rho: float) -> tuple[Floats, Floats, Floats]:
    """The sum of ``Z' R^-1 Z``, each cluster's score ``Z' R^-1 r`` (G, p), and each ``Z' R^-1 Z`` (G, p, p)."""
    p = z.shape[1]
    pull = rho / (1 + (size - 1) * rho)
    sums = np.column_stack([np.bincount(cluster, weights=z[:, i]) for i in range(p)])
    total = np.bincount(cluster, weights=r)
    own = np.column_stack([np.bincount(cluster, weights=z[:, i] * r) for i in range(p)])
    scores = (own - (pull * total)[:, None] * sums) / (1 - rho)
    order = np.argsort(cluster, kind="stable")
    bounds = np.flatnonzero(np.diff(cluster[order])) + 1
    gram = np.array([part.T @ part for part in np.split(z[order], bounds)])
    grams = (gram - pull[:, None, None] * sums[:, :, None] * sums[:, None, :]) / (1 - rho)
    return grams.sum(axis=0), scores, grams


def _covariances(z: Floats, r: Floats, cluster: Ints, size: Floats, rho: float) -> dict[str, Floats]:
    """``robust`` is the sandwich; ``mancl_derouen`` takes ``(I - H_gg)^-1 r`` for ``r`` (2001, Biometrics 57:126)."""
    bread, scores, grams = _parts(z, r, cluster, size, rho)
    inverse = np.linalg.inv(bread)
    lifted = np.array([bread @ np.linalg.pinv(bread - g) @ s for g, s in zip(grams, scores, strict=True)])
    return {
        "robust": inverse @ (scores.T @ scores) @ inverse,
        "mancl_derouen": inverse @ (lifted.T @ lifted) @ inverse,
    }
