"""Centre and spread of each kind of chart: what a stable process would show at a point of this size."""

from dataclasses import dataclass

import numpy as np

from careplane.estimators import Floats

D2 = 1.128
"""Mean range of two values, in standard deviations (Montgomery, appendix VI, n = 2)."""

FACTOR = 2.66
"""Limits of single values: the mean and 2.66 mean moving ranges, which is 3 / D2 as every table has it."""

SCREEN = 3.267
"""Upper limit of a moving range, in mean ranges: ranges above it can be left out of the spread (Nelson 1982)."""

POWER = 3.6
"""Times between events, raised to 1/3.6, are nearly normal (Nelson 1994, J Qual Technol 26:239)."""

SIZED = ("p", "p_prime", "u", "u_prime")
"""Charts whose points are events out of a size."""


@dataclass(frozen=True, slots=True, eq=False)
class Limits:
    """The limits of one phase. All vectors have one entry per point of the phase.

    Attributes:
        value: what is plotted: the value, or events by size.
        z: distance from the centre in standard deviations, on the scale on which the chart is symmetric.
        low, high: three standard deviations below and above, within what the value can be.
        centre: the centre line, in the unit that is plotted.
        sigma_z: how much wider than binomial or Poisson the points vary (Laney); ``None`` for other charts.
    """

    value: Floats
    z: Floats
    low: Floats
    high: Floats
    centre: float
    sigma_z: float | None = None


def limits(kind: str, outcome: Floats, size: Floats, baseline: int, screen: bool) -> Limits:
    """The limits of a phase from its first ``baseline`` points."""
    if kind in SIZED:
        return _sized(kind, outcome, size, baseline, screen)
    if kind == "g":
        return _between(outcome, baseline)
    if kind == "t":
        moved = _individuals(outcome ** (1 / POWER), baseline, screen)
        low, high = (np.maximum(one, 0.0) ** POWER for one in (moved.low, moved.high))
        return Limits(value=outcome, z=moved.z, low=low, high=high, centre=moved.centre**POWER)
    return _individuals(outcome, baseline, screen)


def mean_range(values: Floats, screen: bool) -> float:
    """Mean moving range of two; with ``screen`` without the ranges that lie above their own limit."""
    ranges = np.abs(np.diff(values))
    if not len(ranges):
        return 0.0
    mean = float(ranges.mean())
    return float(ranges[ranges <= SCREEN * mean].mean()) if screen and mean > 0 else mean


def _individuals(values: Floats, baseline: int, screen: bool) -> Limits:
    first = values[:baseline]
    centre, spread = float(first.mean()), FACTOR * mean_range(first, screen)
    low, high = (np.full(len(values), one) for one in (centre - spread, centre + spread))
    return Limits(values, standardised(values, centre, spread / 3), low, high, centre)


def _sized(kind: str, events: Floats, size: Floats, baseline: int, screen: bool) -> Limits:
    """Proportions and rates; the prime charts widen them by the spread of the standardised points (Laney 2002)."""
    value = events / size
    centre = float(events[:baseline].sum() / size[:baseline].sum())
    proportion = kind in ("p", "p_prime")
    sigma = np.sqrt((centre * (1 - centre) if proportion else centre) / size)
    sigma_z = None
    if kind.endswith("_prime"):
        spread = mean_range(standardised(value, centre, sigma)[:baseline], screen) / D2 if (sigma > 0).all() else 0.0
        sigma_z = spread or 1.0
        sigma = sigma * sigma_z
    low, high = np.maximum(centre - 3 * sigma, 0.0), centre + 3 * sigma
    high = np.minimum(high, 1.0) if proportion else high
    return Limits(value, standardised(value, centre, sigma), low, high, centre, sigma_z)


def _between(counts: Floats, baseline: int) -> Limits:
    """Cases between events: geometric (Kaminsky et al. 1992; Benneyan 2001)."""
    centre = float(counts[:baseline].mean())
    sigma = float(np.sqrt(centre * (centre + 1)))
    low, high = np.full(len(counts), max(centre - 3 * sigma, 0.0)), np.full(len(counts), centre + 3 * sigma)
    return Limits(counts, standardised(counts, centre, sigma), low, high, centre)


def standardised(values: Floats, centre: float, sigma: Floats | float) -> Floats:
    """Distance from the centre in standard deviations; without any spread it is infinite on either side."""
    away = values - centre
    wide = np.broadcast_to(np.asarray(sigma, dtype=np.float64), away.shape)
    far = np.where(away > 0, np.inf, -np.inf)
    far[np.abs(away) <= 1e-12 * max(1.0, abs(centre))] = 0.0
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(wide > 0, away / wide, far), dtype=np.float64)
