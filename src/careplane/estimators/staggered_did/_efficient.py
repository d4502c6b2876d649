"""The efficient estimator of a randomised roll-out (Roth & Sant'Anna 2023, J Polit Econ Microecon 1:669).

Where the time at which a unit starts was drawn at random, any weighted sum ``X`` of differences before the start has
mean zero, so ``theta(b) = theta(0) - b X`` is unbiased for every ``b``: 0 compares means after the start, 1 is
Callaway & Sant'Anna against those not yet treated, and ``b* = Cov(X, theta(0)) / Var(X)`` has the least variance.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf, sqrt

import numpy as np

from careplane.errors import Refused
from careplane.estimators import Floats
from careplane.estimators._intervals import interval
from careplane.estimators._spec import Spec
from careplane.estimators.staggered_did._effects import Effect, Found
from careplane.estimators.staggered_did._panel import Panel, need_balanced

FEW = 16
"""Below so many units an estimated ``b`` fits noise, and its interval covers too seldom."""


@dataclass(frozen=True, slots=True, eq=False)
class _Cohorts:
    """By cohort, in order of its start: start, number of units, mean (g, t) and covariance (g, t, t) of outcomes."""

    start: Floats
    size: Floats
    mean: Floats
    spread: Floats
    periods: Floats


def efficient(panel: Panel, spec: Spec, beta: float | None = None) -> Found:
    """The efficient estimate with Neyman's variance, which is conservative; ``beta`` fixes ``b``.

    Raises:
        Refused: the panel has holes, a cohort has one unit, or clusters or covariates were named.
    """
    if "cluster" in spec or spec["covariates"]:
        raise Refused(
            ["The efficient method takes the unit as what was drawn, without covariates."],
            "Average to the clusters and name these as unit, or use callaway_santanna.",
        )
    need_balanced(panel, "The efficient method")
    cohorts = _cohorts(panel)
    few = beta is None and cohorts.size.sum() < FEW
    beta = 1.0 if few else beta
    cells = _cells(cohorts)
    weights = {(g, t): float(cohorts.size[i]) for i, g, t in cells}
    simple, used, check = _estimate(cohorts, weights, beta)
    events = {
        at: {(g, t): w for (g, t), w in weights.items() if t - g == at} for at in sorted({t - g for _, g, t in cells})
    }
    return Found(
        simple=simple,
        dynamic=_estimate(cohorts, _evenly(events), beta)[0],
        group_time={key: _estimate(cohorts, {key: 1.0}, beta)[0] for key in weights},
        events={at: _estimate(cohorts, chosen, beta)[0] for at, chosen in events.items()},
        pretrend=check,
        more={"beta": used},
        warnings=(f"With fewer than {FEW} units b is not estimated: 1 is taken, which is Callaway & Sant'Anna's.",)
        if few
        else (),
    )


def _cohorts(panel: Panel) -> _Cohorts:
    periods = np.unique(panel.time)
    y = panel.y.reshape(len(panel.units), len(periods))
    first = panel.first.reshape(y.shape)[:, 0]
    first = np.where(first > periods[-1], inf, first)
    start, code = np.unique(first, return_inverse=True)
    size = np.bincount(code).astype(np.float64)
    if size.min() < 2:
        alone = start[int(np.argmin(size))]
        name = "those never treated" if np.isinf(alone) else f"of {alone:g}"
        raise Refused(
            [f"The cohort {name} has one unit, so nothing tells how its units differ."],
            "Merge it with the next cohort, or use imputation.",
        )
    mean = np.array([y[code == i].mean(axis=0) for i in range(len(start))])
    spread = np.array([np.atleast_2d(np.cov(y[code == i], rowvar=False)) for i in range(len(start))])
    return _Cohorts(start, size, mean, spread, periods)


def _cells(cohorts: _Cohorts) -> list[tuple[int, float, float]]:
    """Cohorts and periods in which it is treated while another is not yet."""
    last = cohorts.start[-1]
    return [
        (i, float(g), float(t))
        for i, g in enumerate(cohorts.start)
        for t in cohorts.periods
        if g <= t < last and g < inf
    ]


def _evenly(events: Mapping[float, Mapping[tuple[float, float], float]]) -> dict[tuple[float, float], float]:
    return {key: weight / sum(chosen.values()) for chosen in events.values() for key, weight in chosen.items()}


def _estimate(
    cohorts: _Cohorts, weights: Mapping[tuple[float, float], float], beta: float | None
) -> tuple[Effect, float, dict[str, float]]:
    """The weighted mean of cells; the ``b`` that was taken; and the test that ``X`` is zero."""
    after, before = _contrasts(cohorts, weights)
    theta, x = float((after * cohorts.mean).sum()), float((before * cohorts.mean).sum())
    variance, shared = _covariance(cohorts, before, before), _covariance(cohorts, before, after)
    chosen = beta if beta is not None else (shared / variance if variance > 0 else 0.0)
    mixed = after - chosen * before
    test = interval(x, sqrt(variance), inf, 0.05) if variance > 0 else None
    told = {"difference": x, "se": sqrt(variance), "p": test.p} if test else {}
    return Effect(theta - chosen * x, sqrt(_covariance(cohorts, mixed, mixed))), chosen, told


def _contrasts(cohorts: _Cohorts, weights: Mapping[tuple[float, float], float]) -> tuple[Floats, Floats]:
    """The weights of the means (g, t) in ``theta(0)``, and in ``X``, which takes the period before the start."""
    after, before = np.zeros_like(cohorts.mean), np.zeros_like(cohorts.mean)
    total = sum(weights.values())
    for (g, t), weight in weights.items():
        own = int(np.searchsorted(cohorts.start, g))
        others = cohorts.size * (cohorts.start > t)
        row = -others / others.sum()
        row[own] = 1.0
        after[:, int(np.searchsorted(cohorts.periods, t))] += row * weight / total
        before[:, int(np.searchsorted(cohorts.periods, g)) - 1] += row * weight / total
    return after, before


def _covariance(cohorts: _Cohorts, a: Floats, b: Floats) -> float:
    return float(np.sum(np.einsum("gs,gst,gt->g", a, cohorts.spread, b) / cohorts.size))
