"""Rates by a judge, corrected for the errors that the judge itself makes.

Two ways. A share: Rogan & Gladen (1978, Am J Epidemiol 107:71) with the interval of Lang & Reiczigel (2014, Prev Vet
Med 113:13), which carries the uncertainty of sensitivity and specificity. A mean of anything, over a sample drawn with
known probabilities: prediction-powered inference (Angelopoulos et al. 2023, Science 382:669) with a tuned weight
(PPI++, 2023), in the form of the difference estimator of two-phase sampling (Särndal, Swensson & Wretman 1992, chapter
9), which stays right where the outputs that people read are among those the judge read.
"""

from dataclasses import dataclass
from math import sqrt

import numpy as np
from scipy.special import ndtri, stdtrit

from careplane.errors import InputError, Refused
from careplane.evidence.quality.rates import PER, Drawn, Floats, mean_and_variance
from careplane.records.quality import Rate


@dataclass(frozen=True, slots=True)
class Confusion:
    """A judge against people: of ``positives`` outputs with an error it found ``found``, of ``negatives`` without one
    it cleared ``cleared``."""

    found: int
    positives: int
    cleared: int
    negatives: int


def rogan_gladen(name: str, flagged: int, n: int, judge: Confusion, alpha: float = 0.05) -> Rate:
    """The share of outputs with an error, where a judge flagged ``flagged`` of ``n``.

    Raises:
        InputError: counts that cannot be.
        Refused: the judge does no better than chance, so nothing follows from what it says.
    """
    _possible(flagged, n, judge)
    z = float(ndtri(1 - alpha / 2))
    sensitivity = (judge.found + 1) / (judge.positives + 2)
    specificity = (judge.cleared + 1) / (judge.negatives + 2)
    youden = sensitivity + specificity - 1
    if youden <= 0:
        raise Refused(["The judge is no better than chance, so its verdicts say nothing."], "Use people's readings.")
    seen = (flagged + z * z / 2) / (n + z * z)
    true = (seen + specificity - 1) / youden
    by_sensitivity = sensitivity * (1 - sensitivity) / (judge.positives + 2)
    by_specificity = specificity * (1 - specificity) / (judge.negatives + 2)
    shift = 2 * z * z * (true * by_sensitivity - (1 - true) * by_specificity)
    spread = sqrt(seen * (1 - seen) / (n + z * z) + true**2 * by_sensitivity + (1 - true) ** 2 * by_specificity)
    half = z * spread / youden
    raw = _raw(flagged, n, judge)
    return Rate(
        name=name,
        unit="share",
        value=min(1.0, max(0.0, raw)),
        low=min(1.0, max(0.0, true + shift - half)),
        high=min(1.0, max(0.0, true + shift + half)),
        n=n,
        events=flagged,
        method=f"judge, corrected (Rogan-Gladen; Lang-Reiczigel interval, {judge.positives + judge.negatives} read)",
    )


def _possible(flagged: int, n: int, judge: Confusion) -> None:
    if n < 1 or judge.positives < 1 or judge.negatives < 1:
        raise InputError("needs outputs of the judge, and read outputs with and without an error")
    for part, whole in ((flagged, n), (judge.found, judge.positives), (judge.cleared, judge.negatives)):
        if not 0 <= part <= whole:
            raise InputError(f"{part} of {whole} cannot be")


def _raw(flagged: int, n: int, judge: Confusion) -> float:
    """Rogan and Gladen's estimate from the shares as they were seen."""
    sensitivity, specificity = judge.found / judge.positives, judge.cleared / judge.negatives
    youden = sensitivity + specificity - 1
    return (flagged / n + specificity - 1) / youden if youden > 0 else flagged / n


def prediction_powered(
    name: str, judged: Floats, said: Floats, read: Floats, of: Drawn, alpha: float = 0.05, method: str = "judge"
) -> Rate:
    """Errors per 100 outputs from a judge over all outputs and people over some.

    Args:
        name: of the rate.
        judged: what the judge counted in each output of the population, shape (N,).
        said: what it counted in each output that people read, shape (n,).
        read: what people counted in them, shape (n,).
        of: how those were drawn from the population.

    Raises:
        InputError: the shapes do not fit, or fewer than three outputs were read.
    """
    if said.shape != read.shape or len(read) != len(of.stratum) or len(read) < 3 or len(judged) < len(read):
        raise InputError("needs what the judge and people counted in the same three or more outputs")
    weight = _tuned(said, read, of)
    mean, _ = mean_and_variance(read - weight * said, of)
    value = weight * float(judged.mean()) + mean
    variance = _second_phase(read - weight * said, of) + _spread_of(read, of) / len(judged)
    df = max(1, len(read) - len(of.size))
    half = float(stdtrit(df, 1 - alpha / 2)) * sqrt(variance)
    return Rate(
        name=name,
        unit="per 100 outputs",
        value=PER * max(0.0, value),
        low=PER * max(0.0, value - half),
        high=PER * (value + half),
        n=len(judged),
        events=int(judged.sum()),
        method=f"{method}, corrected by {len(read)} readings (prediction-powered, weight {weight:.2f})",
    )


def _tuned(said: Floats, read: Floats, of: Drawn) -> float:
    """How much the judge may count: the weight with the least variance, from 0 to 1."""
    together = alone = 0.0
    for name, share in of.shares.items():
        own = of.stratum == name
        n, size = int(own.sum()), of.size[name]
        if n < 2:
            continue
        part = share**2 * (1 - n / size) / n
        together += part * float(np.cov(said[own], read[own], ddof=1)[0, 1])
        alone += part * float(said[own].var(ddof=1))
    return min(1.0, max(0.0, together / alone)) if alone > 0 else 0.0


def _second_phase(values: Floats, of: Drawn) -> float:
    """The variance that drawing some of the outputs adds; none where all of a stratum were read."""
    overall = float(values.var(ddof=1))
    variance = 0.0
    for name, share in of.shares.items():
        own = values[of.stratum == name]
        spread = float(own.var(ddof=1)) if len(own) > 1 else overall
        variance += share**2 * (1 - len(own) / of.size[name]) * spread / len(own)
    return variance


def _spread_of(values: Floats, of: Drawn) -> float:
    """The variance of one output in the population."""
    weights = of.weights
    middle = float((weights * values).sum())
    n = len(values)
    return float((weights * (values - middle) ** 2).sum()) * n / (n - 1)
