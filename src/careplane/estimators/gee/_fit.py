"""Generalised estimating equations with one correlation within clusters (Liang & Zeger 1986, Biometrika 73:13).

Rows are scaled by the root of their variance, and by the root of their weight, so that the working covariance of a
cluster is ``phi A^1/2 W^-1/2 R W^-1/2 A^1/2``, as SAS and geepack weigh. Exchangeable is ``R = (1 - rho) I + rho 11'``,
whose inverse needs sums only; ar1 is ``rho`` to the power of the periods between two rows, whose inverse takes from
each row what the one before it foretells. ``phi`` and ``rho`` are plain means over rows and over pairs (for ar1, over
pairs one period apart).
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


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Outcome (n), design (n, p), codes of clusters from 0 without a gap, weights (n) and offset of the predictor (n).

    ``gap`` (n) is for ar1: rows stand by cluster and period, and it counts the periods since the cluster's row before,
    0 in its first.
    """

    y: Floats
    x: Floats
    cluster: Ints
    weights: Floats
    offset: Floats
    gap: Floats | None = None


def fit(rows: Rows, link: Link, *, correlated: bool) -> Fit:
    """Solve the equations.

    Raises:
        Refused: they do not settle, as under separation.
    """
    size = np.bincount(rows.cluster).astype(np.float64)
    beta, rho = np.zeros(rows.x.shape[1]), 0.0
    for _ in range(_STEPS):
        eta = rows.x @ beta + rows.offset
        if link.slope is not np.ones_like and np.abs(eta).max() > _FAR:
            break
        z, r = _scaled(rows, eta, link)
        phi = float((r**2).mean())
        if correlated:
            rho = _correlation(rows, r, size, phi)
        bread, scores, _ = _parts(rows, z, r, size, rho)
        step = np.linalg.solve(bread, scores.sum(axis=0))
        beta = beta + step
        if np.abs(step).max() <= _CLOSE * max(1.0, float(np.abs(beta).max())):
            z, r = _scaled(rows, rows.x @ beta + rows.offset, link)
            return Fit(beta, _covariances(rows, z, r, size, rho), phi, rho)
    raise Refused(
        ["The equations do not settle, as where an event never (or always) happens in an arm or a level."],
        "Leave covariates out, or use proportions or exact_permutation.",
    )


def _scaled(rows: Rows, eta: Floats, link: Link) -> tuple[Floats, Floats]:
    mu = link.mean(eta)
    root = np.sqrt(link.variance(mu) / rows.weights)
    return rows.x * (link.slope(mu) / root)[:, None], (rows.y - mu) / root


def _correlation(rows: Rows, r: Floats, size: Floats, phi: float) -> float:
    if phi <= 0:
        return 0.0
    if rows.gap is not None:
        after = np.flatnonzero(rows.gap == 1)
        return float(np.clip((r[after] * r[after - 1]).mean() / phi, -0.99, 0.99)) if len(after) else 0.0
    pairs = float((size * (size - 1)).sum())
    if not pairs:
        return 0.0
    shared = float((np.bincount(rows.cluster, weights=r) ** 2).sum() - (r**2).sum())
    return float(np.clip(shared / pairs / phi, -0.99 / (size.max() - 1), 0.99))


def _parts(rows: Rows, z: Floats, r: Floats, size: Floats, rho: float) -> tuple[Floats, Floats, Floats]:
    """The sum of ``Z' R^-1 Z``, each cluster's score ``Z' R^-1 r`` (G, p), and each ``Z' R^-1 Z`` (G, p, p)."""
    cluster, p = rows.cluster, z.shape[1]
    if rows.gap is not None:
        z, r, rho = _whitened(z, rows.gap, rho), _whitened(r[:, None], rows.gap, rho)[:, 0], 0.0
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


def _whitened(z: Floats, gap: Floats, rho: float) -> Floats:
    """Each row less what the row before it in the cluster foretells, over the root of what is left of its variance."""
    pull = np.where(gap > 0, np.power(rho, gap), 0.0)[:, None]
    return np.asarray((z - pull * np.roll(z, 1, axis=0)) / np.sqrt(1 - pull**2))


def _covariances(rows: Rows, z: Floats, r: Floats, size: Floats, rho: float) -> dict[str, Floats]:
    """``robust`` is the sandwich; ``mancl_derouen`` takes ``(I - H_gg)^-1 r`` for ``r`` (2001, Biometrics 57:126)."""
    bread, scores, grams = _parts(rows, z, r, size, rho)
    inverse = np.linalg.inv(bread)
    lifted = np.array([bread @ np.linalg.pinv(bread - g) @ s for g, s in zip(grams, scores, strict=True)])
    return {
        "robust": inverse @ (scores.T @ scores) @ inverse,
        "mancl_derouen": inverse @ (lifted.T @ lifted) @ inverse,
    }
