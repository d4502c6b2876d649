"""Error rates of outputs that were not all drawn with the same probability, weighted back, with intervals.

The target is the process that wrote the outputs, so there is no finite-population correction. Rates are
Horvitz-Thompson totals over their number (Hájek); a rate per 100 outputs has the gamma interval of Fay and Feuer (1997,
Stat Med 16:791), which holds for rare errors and for none at all; a share has Wilson's interval at the effective sample
size (Korn & Graubard 1998).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincinv, ndtri, stdtrit

from careplane.errors import InputError
from careplane.records.quality import Rate

Floats = NDArray[np.float64]
PER = 100.0


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """Outputs as they were drawn: the stratum of each, shape (n,), and how many outputs each stratum holds."""

    stratum: NDArray[np.object_]
    size: dict[str, int]

    @property
    def shares(self) -> dict[str, float]:
        """The part of the population that each stratum is."""
        total = sum(self.size.values())
        return {name: count / total for name, count in self.size.items()}

    @property
    def weights(self) -> Floats:
        """The weight of each output, summing to 1: the inverse of its probability of being drawn, made relative."""
        shares = self.shares
        counts = {name: int((self.stratum == name).sum()) for name in self.size}
        return np.array([shares[name] / counts[name] for name in self.stratum])


def drawn(strata: Sequence[str], sizes: Sequence[int]) -> Drawn:
    """Outputs as they were drawn; a stratum nothing was drawn from is unknown here, so a sample must cover them all.

    Raises:
        InputError: a stratum is given with two sizes, or with fewer outputs than were drawn from it.
    """
    size: dict[str, int] = {}
    for name, count in zip(strata, sizes, strict=True):
        if size.setdefault(name, count) != count:
            raise InputError(f"stratum {name!r} has two sizes: {size[name]} and {count}")
    for name, count in Counter(strata).items():
        if count > size[name]:
            raise InputError(f"{count} outputs were drawn from stratum {name!r}, which holds {size[name]}")
    return Drawn(np.array(list(strata), dtype=object), size)


def evenly(n: int) -> Drawn:
    """All outputs with the same weight, as of cases."""
    return Drawn(np.array(["all"] * n, dtype=object), {"all": n})


def mean_and_variance(values: Floats, of: Drawn) -> tuple[float, float]:
    """The weighted mean and its variance by strata; one output alone in a stratum borrows the overall variance."""
    mean = variance = 0.0
    overall = float(values.var(ddof=1)) if len(values) > 1 else 0.0
    for name, share in of.shares.items():
        own = values[of.stratum == name]
        spread = float(own.var(ddof=1)) if len(own) > 1 else overall
        mean += share * float(own.mean())
        variance += share**2 * spread / len(own)
    return mean, variance


def rate_per_100(name: str, errors: Sequence[float], of: Drawn, alpha: float = 0.05) -> Rate:
    """Errors per 100 outputs.

    The variance is the larger of what the strata show and what counts of rare events have (Poisson).
    """
    values = np.asarray(errors, dtype=np.float64)
    if not len(values):
        return unknown(name, "per 100 outputs", "no output was looked at")
    weights = of.weights
    mean, variance = mean_and_variance(values, of)
    variance = max(variance, float((weights**2 * values).sum()))
    return _per_100(name, values, mean, variance, float(weights.max()), alpha)


def domain_rate_per_100(name: str, errors: Sequence[float], weights: Sequence[float], alpha: float = 0.05) -> Rate:
    """Errors per 100 outputs of a part of a sample, such as a group of patients, each output with its own weight."""
    values = np.asarray(errors, dtype=np.float64)
    if not len(values):
        return unknown(name, "per 100 outputs", "no output was looked at")
    weight = np.asarray(weights, dtype=np.float64)
    weight = weight / weight.sum()
    mean, variance = _ratio(values, weight)
    variance = max(variance, float((weight**2 * values).sum()))
    return _per_100(name, values, mean, variance, float(weight.max()), alpha)


def _ratio(values: Floats, weight: Floats) -> tuple[float, float]:
    """A weighted mean and its variance by linearisation; the weights sum to 1."""
    mean = float((weight * values).sum())
    n = len(values)
    spread = float((weight**2 * (values - mean) ** 2).sum())
    return mean, spread * n / (n - 1) if n > 1 else spread


def _per_100(name: str, values: Floats, mean: float, variance: float, largest: float, alpha: float) -> Rate:
    low = 0.0 if mean == 0 else variance / mean * float(gammaincinv(mean**2 / variance, alpha / 2))
    top, wide = mean + largest, variance + largest**2
    high = wide / top * float(gammaincinv(top**2 / wide, 1 - alpha / 2))
    return Rate(
        name=name,
        unit="per 100 outputs",
        value=PER * mean,
        low=PER * low,
        high=PER * high,
        n=len(values),
        events=int(values.sum()),
        method="weighted back; Fay-Feuer gamma interval",
    )


def share(name: str, holds: Sequence[bool], of: Drawn, alpha: float = 0.05) -> Rate:
    """The share of outputs of which something holds."""
    values = np.asarray(holds, dtype=np.float64)
    if not len(values):
        return unknown(name, "share", "no output was looked at")
    mean, variance = mean_and_variance(values, of)
    kish = 1 / float((of.weights**2).sum())
    effective = mean * (1 - mean) / variance if variance > 0 and 0 < mean < 1 else kish
    low, high = wilson(mean, min(effective, float(len(values))), alpha)
    return Rate(
        name=name,
        unit="share",
        value=mean,
        low=low,
        high=high,
        n=len(values),
        events=int(values.sum()),
        method="weighted back; Wilson's interval at the effective sample size",
    )


def wilson(mean: float, n: float, alpha: float = 0.05) -> tuple[float, float]:
    """Wilson's interval (1927) of a share of ``n`` outputs, which need not be whole."""
    z = float(ndtri(1 - alpha / 2))
    middle, spread = mean + z * z / (2 * n), z * float(np.sqrt(mean * (1 - mean) / n + z * z / (4 * n * n)))
    shrink = 1 + z * z / n
    return max(0.0, (middle - spread) / shrink), min(1.0, (middle + spread) / shrink)


def unknown(name: str, unit: str, why: str, n: int = 0) -> Rate:
    """A rate that is not measured, or withheld."""
    return Rate(
        name=name,
        unit="share" if unit == "share" else "per 100 outputs",
        value=None,
        low=None,
        high=None,
        n=n,
        events=0,
        method="",
        withheld=why,
    )


def weighted_share(name: str, holds: Sequence[bool], weights: Sequence[float], alpha: float = 0.05) -> Rate:
    """The share of outputs of a part of a sample (such as those with an error), each with its own weight."""
    if not len(holds):
        return unknown(name, "share", "there was none to look at")
    weight = np.asarray(weights, dtype=np.float64)
    mean = float((weight * np.asarray(holds, dtype=np.float64)).sum() / weight.sum())
    low, high = wilson(mean, float(weight.sum() ** 2 / (weight**2).sum()), alpha)
    return Rate(
        name=name,
        unit="share",
        value=mean,
        low=low,
        high=high,
        n=len(holds),
        events=int(sum(holds)),
        method="weighted back; Wilson's interval at the effective sample size",
    )


def mean_of(name: str, values: Sequence[float], weights: Sequence[float], alpha: float = 0.05) -> Rate:
    """The mean of a value from 0 to 1, such as the edit distance, with Student's interval."""
    found = np.asarray(values, dtype=np.float64)
    if len(found) < 2:
        return unknown(name, "share", "fewer than two were measured", len(found))
    weight = np.asarray(weights, dtype=np.float64)
    mean, variance = _ratio(found, weight / weight.sum())
    half = float(stdtrit(len(found) - 1, 1 - alpha / 2)) * float(np.sqrt(variance))
    return Rate(
        name=name,
        unit="share",
        value=mean,
        low=max(0.0, mean - half),
        high=min(1.0, mean + half),
        n=len(found),
        events=0,
        method="weighted back; Student's interval",
    )
