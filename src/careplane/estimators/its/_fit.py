"""The two fits of a series: least squares with errors that may hang together, and counts with a log link."""

from dataclasses import dataclass
from math import floor

import numpy as np
from scipy.special import xlogy

from careplane.errors import Refused
from careplane.estimators import Floats, Ints
from careplane.estimators._linear import least_squares

_STEPS, _CLOSE = 100, 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """Coefficients, their covariance, the fitted values, and Pearson's dispersion (counts only)."""

    beta: Floats
    cov: Floats
    fitted: Floats
    dispersion: float | None = None


def gaussian(y: Floats, x: Floats, series: Ints, lags: int | None) -> Fit:
    """Least squares; with ``lags`` the variance of Newey & West (1987) within each series, times n / (n - p).

    Rows must be in the order of time within each series.
    """
    beta, residual, bread = least_squares(y, x)
    n, p = x.shape
    if lags is None:
        return Fit(beta, bread * float(residual @ residual) / (n - p), x @ beta)
    scores = x * residual[:, None]
    meat = scores.T @ scores
    for code in np.unique(series):
        own = scores[series == code]
        for lag in range(1, min(lags, len(own) - 1) + 1):
            shifted = own[lag:].T @ own[:-lag]
            meat += (1 - lag / (lags + 1)) * (shifted + shifted.T)
    return Fit(beta, bread @ meat @ bread * n / (n - p), x @ beta)


def usual_lags(n: int) -> int:
    """4 (n / 100)^(2/9), rounded down (Newey & West 1994)."""
    return floor(4.0 * float((n / 100) ** (2 / 9)))


def poisson(y: Floats, x: Floats, offset: Floats) -> Fit:
    """Counts with a log link by iterated weighted least squares; the variance is that of Poisson, dispersion beside.

    Raises:
        Refused: it does not settle, as where a segment holds no event.
    """
    mean = np.maximum(y, 0.1)
    deviance = np.inf
    for _ in range(_STEPS):
        root = np.sqrt(mean)
        working = np.log(mean) - offset + (y - mean) / mean
        beta = np.linalg.lstsq(x * root[:, None], working * root, rcond=None)[0].astype(np.float64)
        mean = np.exp(np.clip(x @ beta + offset, -700, 700))
        before, deviance = deviance, float(2 * (xlogy(y, y) - xlogy(y, mean) - y + mean).sum())
        if abs(before - deviance) <= _CLOSE * (abs(deviance) + 0.1):
            cov: Floats = np.linalg.inv((x * mean[:, None]).T @ x).astype(np.float64)
            n, p = x.shape
            return Fit(beta, cov, mean, float(((y - mean) ** 2 / mean).sum() / (n - p)))
    raise Refused(["The count model does not settle on these data."], "Use longer periods, or family: gaussian.")
