"""Intervals and p-values of an estimate with a standard error."""

from dataclasses import dataclass
from math import inf

from scipy.special import ndtr, ndtri, stdtr, stdtrit


@dataclass(frozen=True, slots=True)
class Interval:
    """Both ends, and the two-sided p-value of no effect."""

    low: float
    high: float
    p: float


def interval(estimate: float, se: float, df: float, alpha: float, null: float = 0.0) -> Interval:
    """The interval at level ``1 - alpha`` from Student's t with ``df`` degrees of freedom (normal if infinite)."""
    normal = df == inf
    half = float(ndtri(1 - alpha / 2) if normal else stdtrit(df, 1 - alpha / 2)) * se
    ratio = abs(estimate - null) / se if se > 0 else (0.0 if estimate == null else inf)
    p = 2 * float(ndtr(-ratio) if normal else stdtr(df, -ratio))
    return Interval(estimate - half, estimate + half, p)
