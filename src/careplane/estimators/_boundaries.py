"""Curves that a running sum crosses with a probability of at most alpha, however long it runs.

Intrinsic time ``v`` is the sum of the variances of the increments, or what a paper puts in its place. Mixtures and
stitching are of Howard, Ramdas, McAuliffe & Sekhon (2021, Ann Stat 49:1055), the bounds for quantiles and empirical
distributions of Howard & Ramdas (2022, Bernoulli 28:1704).
"""

from collections.abc import Callable
from math import exp, inf, log, sqrt
from typing import Any

import numpy as np
from scipy import optimize
from scipy.special import betainc, betaln, gammainc, gammaincc, gammaln, log_ndtr, zeta

from careplane.errors import InputError
from careplane.estimators import Floats

ROOT: Any = optimize.brentq  # the library has no types
_LEAST: Any = optimize.minimize_scalar
_RIEMANN: Any = zeta


def best_rho(variance: float, alpha: float) -> float:
    """The tuning of the two-sided normal mixture that makes it about lowest at this intrinsic time (Howard et al. 2021,
    equation 3.7); a one-sided mixture takes it for twice the error."""
    return variance / (2 * log(1 / alpha) + log(1 + 2 * log(1 / alpha)))


def normal_mixture_bound(variance: Floats | float, alpha: float, rho: float) -> Any:
    """Two-sided normal mixture boundary of a sum at intrinsic time ``variance``."""
    v = np.asarray(variance, dtype=np.float64)
    return np.sqrt((v + rho) * np.log((v + rho) / (rho * alpha**2)))


def one_sided_normal_mixture_bound(v: float, alpha: float, rho: float) -> float:
    """One-sided normal mixture boundary: where the mixture over positive slopes reaches ``1 / alpha``."""

    def mixture(s: float) -> float:
        spread = v + rho
        return 0.5 * log(4 * rho / spread) + s * s / (2 * spread) + float(log_ndtr(s / sqrt(spread)))

    return _reached(mixture, v, alpha)


def gamma_exponential_bound(v: float, alpha: float, rho: float, c: float) -> float:
    """Gamma mixture of sub-exponential processes with scale ``c`` (Proposition 9)."""
    a, k = rho / c**2, (v + rho) / c**2

    def mixture(s: float) -> float:
        x = s / c + k
        shape = float(gammaln(k) + np.log(gammainc(k, x))) - k * log(x) + x - a
        return _gamma_constant(a, float(gammainc(a, a))) + shape

    return _reached(mixture, v, alpha)


def gamma_poisson_bound(v: float, alpha: float, rho: float, c: float) -> float:
    """Gamma mixture of sub-Poisson processes with scale ``c`` (Proposition 10)."""
    a, k = rho / c**2, (v + rho) / c**2

    def mixture(s: float) -> float:
        x = s / c + k
        shape = float(gammaln(x) + np.log(gammaincc(x, k))) - x * log(k) + v / c**2
        return _gamma_constant(a, float(gammaincc(a, a))) + shape

    return _reached(mixture, v, alpha)


def _gamma_constant(a: float, tail: float) -> float:
    return a * log(a) - float(gammaln(a)) - log(tail)


def beta_binomial_bound(v: float, alpha: float, rho: float, range_: tuple[float, float], *, one_sided: bool) -> float:
    """Beta mixture of sub-Bernoulli processes whose increments lie from ``-g`` to ``h`` (Propositions 7 and 8)."""
    g, h = range_
    whole = g + h
    r = max(rho - g * h, 1e-3 * g * h)
    share = h / whole if one_sided else 1.0

    def shape(a: float, b: float) -> float:
        return float(betaln(a, b) + np.log(betainc(a, b, share)))

    start = shape(r / (g * whole), r / (h * whole))

    def mixture(s: float) -> float:
        drift = v / (g * h) * log(whole) - (v + h * s) / (h * whole) * log(g) - (v - g * s) / (g * whole) * log(h)
        return drift + shape((r + v - g * s) / (g * whole), (r + v + h * s) / (h * whole)) - start

    most = v / g
    return most if mixture(most) < -log(alpha) else _reached(mixture, v, alpha, most)


def stitching_bound(v: float, alpha: float, v_min: float, c: float, s: float, eta: float) -> float:
    """Polynomial stitching: a bound in closed form that grows as the law of the iterated logarithm (Theorem 1); it
    holds from ``v_min`` on."""
    time = max(v, v_min)
    level = s * log(log(eta * time / v_min)) + log(float(_RIEMANN(s)) / log(eta) ** s) + log(1 / alpha)
    return _stitched(time, level, c, eta)


def _stitched(spread: float, level: float, c: float, eta: float) -> float:
    first, second = (eta**0.25 + eta**-0.25) / sqrt(2), (sqrt(eta) + 1) / 2 * c * level
    return sqrt(first**2 * spread * level + second**2) + second


def double_stitching_bound(
    share: float, t: float, alpha: float, best_at: float, delta: float, s: float, eta: float
) -> float:
    """How far the count below a quantile (of this share) may be from ``share * t``, for all quantiles at once."""
    time = max(t, best_at)
    odds = log(share / (1 - share))
    spread = share
    if share < 0.5:
        spread = min(0.5, 1 / (1 + exp(-(odds + 2 * delta * sqrt(best_at * eta / time)))))
    variance = spread * (1 - spread)
    at, z = sqrt(time / best_at) * abs(odds) / (2 * delta) + 1, float(_RIEMANN(s))
    level = s * log(log(eta * time / best_at)) + s * log(at) + log(2 * z * (2 * z + 1) / (alpha * log(eta) ** s))
    return delta * sqrt(eta * time * variance / best_at) + _stitched(variance * time, level, (1 - 2 * share) / 3, eta)


def empirical_process_bound(t: float, alpha: float, t_min: float, a: float) -> float:
    """The largest distance of an empirical distribution function from the true one at ``t`` rows, from ``t_min`` on."""
    if t < t_min:
        return inf
    return a * sqrt((log(1 + log(t / t_min)) + _spent(alpha, a)) / t)


def _spent(alpha: float, a: float) -> float:
    """The least constant with which the union bound over epochs spends alpha, at the best ratio of epochs."""

    def error(eta: float, c: float) -> float:
        power = 2 / eta * (a - sqrt(2 * (eta - 1) / c)) ** 2
        return 1e9 if power <= 1 else 4 * exp(-power * c) * (1 + 1 / ((power - 1) * log(eta)))

    def least(c: float) -> float:
        most = float(ROOT(lambda eta: sqrt(eta / 2) + sqrt(2 * (eta - 1) / c) - a, 1.0, 2 * a * a))
        found = _LEAST(error, bounds=(1 + 1e-9, most), args=(c,), method="bounded", options={"xatol": 1e-10})
        return float(found.fun)

    return float(ROOT(lambda c: least(c) - alpha, 0.1, 1_000.0, xtol=1e-10))


def _reached(mixture: Callable[[float], float], v: float, alpha: float, most: float | None = None) -> float:
    """The sum at which the logarithm of a mixture reaches that of ``1 / alpha``."""
    wanted = -log(alpha)
    high = max(v, 1.0) if most is None else most
    for _ in range(60):
        if most is not None or mixture(high) > wanted:
            return float(ROOT(lambda s: mixture(s) - wanted, 0.0, high, xtol=1e-11))
        high *= 2
    raise InputError("is so small that no boundary is found", field="alpha")
