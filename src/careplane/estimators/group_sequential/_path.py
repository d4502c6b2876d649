"""The distribution of a statistic from look to look, by recursive integration (Armitage, McPherson & Rowe 1969)."""

from math import sqrt

import numpy as np
from scipy.special import ndtr

from careplane.estimators import Floats

FAR = 8.0
_POINTS = 10
"""Gauss-Legendre points in each panel of the grid; panels are two standard deviations of the kernel wide."""


class Path:
    """The distribution of z at the last look, of those that crossed no boundary so far."""

    def __init__(self, times: Floats, sides: int) -> None:
        self._times = times
        self._sides = sides
        self._at = 0
        self._grid = np.zeros(0)
        self._density = np.zeros(0)

    def first(self, critical: float) -> float:
        """The probability of crossing first at the next look."""
        if not self._at:
            return self._sides * float(ndtr(-critical))
        reach, scale = self._reach()
        above = ndtr((reach - critical) * scale)
        return float(self._density @ (above if self._sides == 1 else above + ndtr((-critical - reach) * scale)))

    def look(self, critical: float) -> None:
        """Go on with those that do not cross."""
        grid, weight = _grid(critical, self._next_scale(), self._sides)
        if self._at:
            reach, scale = self._reach()
            kernel = scale / sqrt(2 * np.pi) * np.exp(-(((grid[:, None] - reach[None, :]) * scale) ** 2) / 2)
            self._density = weight * (kernel @ self._density)
        else:
            self._density = weight * np.exp(-(grid**2) / 2) / sqrt(2 * np.pi)
        self._grid = grid
        self._at += 1

    def _reach(self) -> tuple[Floats, float]:
        """Where z is expected at the next look, and how narrow it lies around there."""
        now, then = self._times[self._at], self._times[self._at - 1]
        return self._grid * sqrt(then / now), sqrt(now / (now - then))

    def _next_scale(self) -> float:
        if self._at + 1 >= len(self._times):
            return 1.0
        now, then = self._times[self._at + 1], self._times[self._at]
        return sqrt(now / (now - then))


def _grid(critical: float, scale: float, sides: int) -> tuple[Floats, Floats]:
    """Gauss-Legendre points and weights between the boundaries, in panels as narrow as the kernel asks."""
    edge = min(critical, FAR)
    points, weights = np.polynomial.legendre.leggauss(_POINTS)
    least = -edge if sides == 2 else -FAR
    edges = np.linspace(least, edge, max(4, int(np.ceil((edge - least) * scale / 2))) + 1)
    half = np.diff(edges) / 2
    middle = (edges[:-1] + edges[1:]) / 2
    return (middle[:, None] + half[:, None] * points).ravel(), (half[:, None] * weights).ravel()
