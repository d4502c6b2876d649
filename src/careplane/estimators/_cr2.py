"""CR2: the bias-reduced cluster-robust variance of one contrast, and its Satterthwaite degrees of freedom.

Notation of Pustejovsky & Tipton (2018): ``M = (X'X)^-1``, ``H = X M X'``, ``A_g = (I - H_gg)^(-1/2)``. ``H_gg`` has the
rank of ``X_g``, so every product with ``A_g`` that the variance needs is a p x p matrix made of ``X_g'X_g`` and ``M``:
nothing of the size of a cluster is ever formed, and a million rows cost one pass.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from careplane.estimators import Floats, Ints

_RANK = 1e-11


@dataclass(frozen=True, slots=True)
class Fit:
    """One contrast of a least-squares fit: estimate, CR2 standard error, Satterthwaite df, number of clusters."""

    estimate: float
    se: float
    df: float
    clusters: int


def cr2(y: Floats, x: Floats, cluster: Ints, contrast: Floats) -> Fit:
    """Fit ``y`` on ``x`` by least squares and give the CR2 inference of ``contrast @ beta``.

    Args:
        y: outcome, (n,).
        x: design of full column rank, (n, p).
        cluster: cluster code per row, (n,).
        contrast: weights of the coefficients, (p,).
    """
    order = np.argsort(cluster, kind="stable")
    y, x, cluster = y[order], x[order], cluster[order]
    bounds = np.flatnonzero(np.r_[True, cluster[1:] != cluster[:-1]])
    bread = np.linalg.inv(x.T @ x).astype(np.float64)
    beta = np.linalg.lstsq(x, y, rcond=None)[0]
    residual = y - x @ beta
    scores = np.add.reduceat(x * residual[:, None], bounds, axis=0)
    grams = [part.T @ part for part in np.split(x, bounds[1:])]
    target = bread @ contrast
    meat, own, reach = [], [], []
    for gram, score in zip(grams, scores, strict=True):
        adjusted_score, xax, xaax = _adjust(gram, bread, score)
        meat.append(float(target @ adjusted_score) ** 2)
        own.append(float(target @ xaax @ target))
        reach.append(xax @ target)
    variance = float(np.sum(meat))
    return Fit(float(contrast @ beta), float(np.sqrt(variance)), _satterthwaite(own, reach, bread), len(bounds))


def cr2_weighted(y: Floats, x: Floats, weight: Floats, cluster: Ints, contrast: Floats) -> Fit:
    """The same for weighted least squares with an identity working model, as clubSandwich takes it for ``lm``.

    ``(I - H)_g (I - H)_g'`` is ``I`` and a matrix of rank 2p, made of ``X_g`` and ``W_g X_g``; its inverse root needs a
    decomposition of that rank only.
    """
    order = np.argsort(cluster, kind="stable")
    y, x, weight, cluster = y[order], x[order], weight[order], cluster[order]
    bounds = np.flatnonzero(np.r_[True, cluster[1:] != cluster[:-1]])
    scaled = x * weight[:, None]
    bread = np.linalg.inv(x.T @ scaled)
    beta = bread @ (scaled.T @ y)
    inner = bread @ (scaled.T @ scaled) @ bread
    form = np.block([[inner, -bread], [-bread, np.zeros_like(bread)]])
    target = bread @ contrast
    parts: list[tuple[float, float, Floats, Floats]] = []
    for rows in np.split(np.arange(len(y)), bounds[1:]):
        root = _inverse_root(np.column_stack([x[rows], scaled[rows]]), form)
        reach = root(scaled[rows] @ target)
        score = float(reach @ (y[rows] - x[rows] @ beta))
        parts.append((score, float(reach @ reach), x[rows].T @ reach, scaled[rows].T @ reach))
    scores, own = (np.array([part[i] for part in parts]) for i in (0, 1))
    a, b = (np.array([part[i] for part in parts]) for i in (2, 3))
    cross = a @ bread @ b.T
    products = np.diag(own) - cross - cross.T + a @ inner @ a.T
    df = float(np.trace(products) ** 2 / np.sum(products**2))
    return Fit(float(contrast @ beta), float(np.sqrt((scores**2).sum())), df, len(bounds))


def _inverse_root(u: Floats, form: Floats) -> Callable[[Floats], Floats]:
    """``(I + U S U')^(-1/2)`` as a function of a vector; directions without information get weight zero."""
    q, r = np.linalg.qr(u)
    values, vectors = np.linalg.eigh(r @ form @ r.T)
    free = 1.0 + values
    weight = np.full_like(free, -1.0)
    weight[free > 1e-9] = free[free > 1e-9] ** -0.5 - 1.0
    basis = q @ vectors
    return lambda v: v + basis @ (weight * (basis.T @ v))


def _adjust(gram: Floats, bread: Floats, score: Floats) -> tuple[Floats, Floats, Floats]:
    """``X_g'A_g e_g``, ``X_g'A_g X_g`` and ``X_g'A_g A_g X_g`` of one cluster, from ``X_g'X_g`` and ``X_g'e_g``.

    With ``X_g = Q S V'`` and ``S V' M V S = W L W'``: ``A_g = I + Q W ((1 - L)^(-1/2) - 1) W' Q'``. Directions in
    which a cluster is fitted perfectly (``L = 1``) carry no information and get weight zero: the generalised inverse.
    """
    squares, v = np.linalg.eigh(gram)
    kept = squares > _RANK * squares[-1]
    s, v = np.sqrt(squares[kept]), v[:, kept]
    half = v * s
    leverage, w = np.linalg.eigh(half.T @ bread @ half)
    free = 1.0 - leverage
    weight = np.zeros_like(free)
    informative = free > 1e-9
    weight[informative] = free[informative] ** -0.5
    root = half @ w
    adjusted_score = root @ (weight * (w.T @ ((v.T @ score) / s)))
    return adjusted_score, (root * weight) @ root.T, (root * weight**2) @ root.T


def _satterthwaite(own: list[float], reach: list[Floats], bread: Floats) -> float:
    """``(sum p_g'p_g)^2 / sum (p_g'p_h)^2`` with ``p_g'p_h = [g = h] b_g'b_g - (X_g'b_g)' M (X_h'b_h)``."""
    r = np.array(reach)
    products = np.diag(own) - r @ bread @ r.T
    return float(np.trace(products) ** 2 / np.sum(products**2))
