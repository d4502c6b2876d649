"""How small an effect a parallel cluster-randomised design can find."""

from math import sqrt

import numpy as np
from scipy.special import stdtrit

from careplane.errors import InputError
from careplane.estimators import Floats
from careplane.evidence.rows import Texts
from careplane.records import Record


class PowerInputs(Record, frozen=True):
    """What the calculation needs: standard deviation of the outcome, intracluster correlation, rows per cluster."""

    sd: float
    icc: float
    cluster_size: float


def baseline_inputs(value: Floats, cluster: Texts, growth: float) -> PowerInputs | None:
    """What a baseline says: SD, the ANOVA estimate of the intracluster correlation (Donner & Klar 2000, ch. 1; never
    below 0), and the mean cluster size of the pilot.

    Args:
        value: outcomes of the baseline.
        cluster: the cluster of each.
        growth: length of the pilot over that of the baseline.

    Returns:
        ``None`` when there are fewer than two clusters with two rows each, or no variation.
    """
    _names, code, size = np.unique(cluster.astype(str), return_inverse=True, return_counts=True)
    groups, n = len(size), len(value)
    if groups < 2 or size.min() < 2 or not value.std():
        return None
    means = np.bincount(code, weights=value) / size
    between = float(size @ (means - value.mean()) ** 2) / (groups - 1)
    within = float(((value - means[code]) ** 2).sum()) / (n - groups)
    typical = (n - float(size @ size) / n) / (groups - 1)
    icc = max(0.0, (between - within) / (between + (typical - 1) * within))
    return PowerInputs(sd=float(value.std(ddof=1)), icc=icc, cluster_size=max(1.0, growth * n / groups))


def detectable_difference(
    inputs: PowerInputs, clusters: int, strata: int, alpha: float = 0.05, power: float = 0.8
) -> float:
    """The smallest difference found with the given power, in the unit of the outcome (Donner & Klar 2000, ch. 5).

    Two equal arms; the variance of a cluster mean is ``sd^2 (1 + (m - 1) icc) / m``; t quantiles on
    ``clusters - 1 - strata`` degrees of freedom, because few clusters make normal ones optimistic.

    Raises:
        InputError: the inputs are no design.
    """
    df = clusters - 1 - strata
    if df < 1 or inputs.sd <= 0 or not 0 <= inputs.icc <= 1 or inputs.cluster_size < 1:
        raise InputError("power needs more clusters than strata, sd > 0, 0 <= icc <= 1 and at least one row a cluster")
    mean_variance = inputs.sd**2 * (1 + (inputs.cluster_size - 1) * inputs.icc) / inputs.cluster_size
    quantiles = float(stdtrit(df, 1 - alpha / 2) + stdtrit(df, power))
    return quantiles * sqrt(4 * mean_variance / clusters)


def power_sentence(inputs: PowerInputs | None, clusters: int, strata: int, alpha: float, unit: str, mcid: float) -> str:
    """The power statement of a plan; without inputs it says that it was not computed."""
    if inputs is None:
        return "Not computed: no standard deviation and intracluster correlation of a baseline were given."
    found = detectable_difference(inputs, clusters, strata, alpha)
    reach = "reaches" if found <= mcid else "does not reach"
    return (
        f"{clusters} clusters of about {inputs.cluster_size:,.0f} with SD {inputs.sd:.3g} {unit} and ICC "
        f"{inputs.icc:.3g} find a difference of {found:.2f} {unit} with 80 % power (two-sided {alpha:g}); that {reach} "
        f"the smallest worthwhile change of {mcid:g} {unit}."
    )
