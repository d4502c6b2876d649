"""The two fits of a series: least squares with errors that may hang together, and counts with a log link."""

from dataclasses import dataclass
from math import exp, floor
from typing import Any

import numpy as np
from scipy import optimize
from scipy.special import gammaln, xlogy

from careplane.errors import Refused
from careplane.estimators import Floats, Ints
from careplane.estimators._linear import least_squares

_STEPS, _CLOSE = 100, 1e-12
_LEAST: Any = optimize.minimize_scalar  # the library has no types


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """Coefficients, their covariance, the fitted values, and (counts only) Pearson's dispersion and the variance of a
    row; ``extra`` is what a negative binomial's variance has beyond the mean, times its square."""

    beta: Floats
    cov: Floats
    fitted: Floats
    dispersion: float | None = None
    extra: float = 0.0


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


def poisson(y: Floats, x: Floats, offset: Floats, extra: float = 0.0) -> Fit:
    """Counts with a log link by iterated weighted least squares; the variance is ``mean + extra mean^2``.

    Raises:
        Refused: it does not settle, as where a segment holds no event.
    """
    mean = np.maximum(y, 0.1)
    deviance = np.inf
    for _ in range(_STEPS):
        root = np.sqrt(mean / (1 + extra * mean))
        working = np.log(mean) - offset + (y - mean) / mean
        beta = np.linalg.lstsq(x * root[:, None], working * root, rcond=None)[0].astype(np.float64)
        mean = np.exp(np.clip(x @ beta + offset, -700, 700))
        before, deviance = deviance, _deviance(y, mean, extra)
        if abs(before - deviance) <= _CLOSE * (abs(deviance) + 0.1):
            variance = mean * (1 + extra * mean)
            cov: Floats = np.linalg.inv((x * (mean**2 / variance)[:, None]).T @ x).astype(np.float64)
            n, p = x.shape
            return Fit(beta, cov, mean, float(((y - mean) ** 2 / variance).sum() / (n - p)), extra)
    raise Refused(["The count model does not settle on these data."], "Use longer periods, or family: gaussian.")


def _deviance(y: Floats, mean: Floats, extra: float) -> float:
    if not extra:
        return float(2 * (xlogy(y, y) - xlogy(y, mean) - y + mean).sum())
    ratio = (1 + extra * y) / (1 + extra * mean)
    return float(2 * (xlogy(y, y) - xlogy(y, mean) - (y + 1 / extra) * np.log(ratio)).sum())


def negative_binomial(y: Floats, x: Floats, offset: Floats) -> Fit:
    """Counts whose variance is ``mean + extra mean^2``, ``extra`` by maximum likelihood (Venables & Ripley 2002, 7.4);
    the covariance of the coefficients takes it as known, as R's ``glm.nb`` does.

    Raises:
        Refused: it does not settle.
    """
    extra = 1e-3
    for _ in range(_STEPS):
        fit = poisson(y, x, offset, extra)
        found = _likeliest(y, fit.fitted)
        if abs(found - extra) <= 1e-9 + 1e-8 * extra:
            return fit
        extra = found
    raise Refused(["The count model does not settle on these data."], "Use family: quasipoisson.")


def _likeliest(y: Floats, mean: Floats) -> float:
    """The extra variance of counts around known means; about 0 where they vary no more than Poisson's."""

    def loss(log_extra: float) -> float:
        shape = exp(-log_extra)
        parts = gammaln(y + shape) - gammaln(shape) - (y + shape) * np.log1p(mean / shape) + y * np.log(mean / shape)
        return -float(parts.sum())

    found = _LEAST(loss, bounds=(-16.0, 6.0), method="bounded", options={"xatol": 1e-10})
    return exp(float(found.x))
